"""A built bento in a clean process, with its own code: does it answer as its trainer did?

How the version is best served is measured on the way, and goes into the bento as its plan.

Run as `python -P -m trimtab_services.prove BENTO`; prints a `Proof` and refuses with code 3.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from trimtab.errors import ExitCode, TrimtabError
from trimtab.records.documents import to_json
from trimtab.records.plans import Engine

from .bundle import VERSION_FOLDER, Bundle, installed_code, read_bundle, source_of, write_plan
from .requirements import WrongEnvironmentError, require_environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was found; kept with the bento as `proof.json`."""

    proven: bool
    message: str
    golden_rows: int = 0
    worst: float | None = None
    """Largest difference from the trainer's outputs."""
    device: str | None = None
    engine: Engine | None = None
    note: str = ""
    """Why this engine."""
    differing: tuple[str, ...] = ()
    """Distributions whose version is not quite that of the run."""


def prove(bento: Path) -> Proof:
    """Load the version, verify its files, plan how it is served and replay its golden rows."""
    source = source_of(bento)
    bundle = read_bundle(source)
    if installed_code() != bundle.code_sha256:
        return Proof(proven=False, message="the code that runs is not the code in the bento")
    try:
        differing = require_environment(bundle.requirements)
    except WrongEnvironmentError as error:
        return Proof(proven=False, message=str(error))
    return _replay(source, bundle, tuple(differing))


def _replay(source: Path, bundle: Bundle, differing: tuple[str, ...]) -> Proof:
    # seconds of imports, of which who reads a proof needs none
    from trimtab.adapters.manifest import verify_manifest
    from trimtab.adapters.predictor import Predictor

    from .measuring import measured_plan
    from .swap import load_champion

    folder = source / VERSION_FOLDER
    try:
        verify_manifest(folder, bundle.manifest_sha256)
        write_plan(source, measured_plan(folder, Predictor.load(folder, bundle.device)))
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
        engine=champion.plan.engine,
        note=champion.plan.note,
        differing=differing,
    )


def as_json(bento: Path) -> bytes:
    """Prove a bento and write down what was found."""
    return to_json(prove(bento))


def main() -> None:
    """Prove the bento that the command line names."""
    proof = prove(Path(sys.argv[1]))
    sys.stdout.buffer.write(to_json(proof))
    sys.stdout.flush()
    # All is said. A library's thread may abort the interpreter's own way out, now and then.
    os._exit(ExitCode.OK if proof.proven else ExitCode.REFUSED)


if __name__ == "__main__":
    main()
