"""A built bento in a clean process, with its own code: does it answer as its trainer did?

Run as `python -P -m trimtab_services.prove BENTO`; prints a `Proof` and refuses with code 3.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from trimtab.errors import ExitCode, TrimtabError
from trimtab.records.documents import to_json

from .bundle import Bundle, installed_code, read_bundle, source_of
from .requirements import compare


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was found; kept with the bento as `proof.json`."""

    proven: bool
    message: str
    golden_rows: int = 0
    worst: float | None = None
    """Largest difference from the trainer's outputs."""
    device: str | None = None
    differing: tuple[str, ...] = ()
    """Distributions whose version is not quite that of the run."""


def prove(bento: Path) -> Proof:
    """Load the version, verify its files and replay its golden rows."""
    source = source_of(bento)
    bundle = read_bundle(source)
    if installed_code() != bundle.code_sha256:
        return Proof(proven=False, message="the code that runs is not the code in the bento")
    fatal, minor = compare(bundle.requirements)
    if fatal:
        return Proof(proven=False, message="; ".join(fatal), differing=tuple(minor))
    return _replay(source, bundle, tuple(minor))


def _replay(source: Path, bundle: Bundle, differing: tuple[str, ...]) -> Proof:
    from .swap import load_champion  # seconds of imports, of which who reads a proof needs none

    try:
        champion = load_champion(source, bundle.version, bundle.manifest_sha256, bundle.device)
    except TrimtabError as error:
        return Proof(proven=False, message=str(error), differing=differing)
    golden = champion.golden
    return Proof(
        proven=True,
        message=golden.message,
        golden_rows=golden.rows,
        worst=golden.worst,
        device=champion.predictor.device,
        differing=differing,
    )


def as_json(bento: Path) -> bytes:
    """Prove a bento and write down what was found."""
    return to_json(prove(bento))


def main() -> None:
    """Prove the bento that the command line names."""
    proof = prove(Path(sys.argv[1]))
    sys.stdout.buffer.write(to_json(proof))
    sys.exit(ExitCode.OK if proof.proven else ExitCode.REFUSED)


if __name__ == "__main__":
    main()
