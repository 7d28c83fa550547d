"""One immutable bento a promoted version: fetched, packed, proven, and only then put in place."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trimtab
import trimtab_services
from trimtab.adapters.manifest import verify_manifest
from trimtab.errors import ExitCode, TrimtabError
from trimtab.ports import ModelRegistry
from trimtab.records.documents import from_json
from trimtab.settings import Settings

from .bundle import (
    LEFT_OUT,
    VERSION_FOLDER,
    Bundle,
    digest_of,
    read_bundle,
    source_of,
    write_bundle,
)
from .image import UV_FILE, uv_settings
from .inheritance import BASE_ENVIRONMENT
from .nursery import Channel
from .prove import Proof
from .requirements import locked

PROOF_FILE = "proof.json"
_ENTRY = Path(__file__).with_name("entry.py")
_IGNORED = shutil.ignore_patterns(*LEFT_OUT, "*.pyc")
_NOT_FOR_BUILDS = ("BENTOML_HOST", "TRIMTAB_API_KEYS_FILE")  # where a bento is served counts
_SECONDS = 600  # a build or a proof that takes longer hangs


class BuildError(TrimtabError):
    """A version could not be packed."""

    def __init__(self, model: str, version: str, why: str) -> None:
        super().__init__(f"Version {version} of {model!r} could not be packed: {why}")


class RefusedBentoError(TrimtabError):
    """A bento was built and does not answer as the trainer did; it was thrown away."""

    exit_code = ExitCode.REFUSED

    def __init__(self, model: str, version: str, proof: Proof) -> None:
        super().__init__(f"The bento of {model} version {version} is refused: {proof.message}.")
        self.proof = proof


def build(
    settings: Settings,
    registry: ModelRegistry,
    model: str,
    version: str,
    manifest_sha256: str,
    prover: Channel | None = None,
) -> Path:
    """Build and prove the bento of a version, unless that was done before; give its folder.

    A prover forks the clean process of the proof; without one it is started, which takes longer.
    Raises UnknownVersionError, ManifestError, BuildError and RefusedBentoError; none of them
    leaves anything behind.
    """
    final = settings.home.bento(model, version)
    with _alone(final):
        if is_built(final, manifest_sha256):
            return final
        with tempfile.TemporaryDirectory(prefix=".making-", dir=final.parent) as workplace:
            work = Path(workplace)
            context = _context(work, settings, registry, model, version, manifest_sha256)
            bento = _pack(work, context, model, version)
            proof = run_proof(bento, work / "neutral", prover)
            if not proof.proven:
                raise RefusedBentoError(model, version, proof)
            _put(bento, final)
    return final


def is_built(bento: Path, manifest_sha256: str) -> bool:
    """Tell whether a proven bento of these very bytes is there."""
    try:
        return read_proof(bento).proven and _sha256_of(bento) == manifest_sha256
    except (OSError, ValueError):
        return False


def read_proof(bento: Path) -> Proof:
    """Read what was found when the bento was proven."""
    return from_json(Proof, (bento / PROOF_FILE).read_bytes())


def run_proof(bento: Path, neutral: Path, prover: Channel | None = None) -> Proof:
    """Prove a bento in a clean process: its own code, a bare environment, a folder of no meaning.

    Keeps what was found in the bento.
    """
    neutral.mkdir(exist_ok=True)
    environment = {
        **BASE_ENVIRONMENT,
        "PATH": os.defpath,
        "HOME": str(neutral),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(source_of(bento)),
    }
    said, complaint = _ask(bento, environment, neutral, prover)
    try:
        proof = from_json(Proof, said)
    except ValueError:
        return Proof(proven=False, message=f"the proof did not run: {complaint}")
    (bento / PROOF_FILE).write_bytes(said)
    return proof


def _ask(
    bento: Path, environment: dict[str, str], neutral: Path, prover: Channel | None
) -> tuple[bytes, str]:
    """Give what the proving process printed, and its last words."""
    if prover is None:
        done = _run(["-P", "-m", "trimtab_services.prove", str(bento)], environment, neutral)
        return done.stdout, _last_line(done.stderr)
    reading, writing = os.pipe()
    with open(reading, "rb") as said:
        try:
            prover.fork("prove", bento, environment, neutral, [writing])
        finally:
            os.close(writing)
        return said.read(), "the forked process died"


def _context(
    work: Path,
    settings: Settings,
    registry: ModelRegistry,
    model: str,
    version: str,
    manifest_sha256: str,
) -> Path:
    """Lay out what goes into the bento's `src`."""
    context = work / "context"
    context.mkdir()
    folder = registry.download(model, version, context / VERSION_FOLDER)
    verify_manifest(folder, manifest_sha256)
    for package in (trimtab, trimtab_services):
        source = Path(str(package.__file__)).parent
        shutil.copytree(source, context / source.name, ignore=_IGNORED)
    code = digest_of(context / "trimtab", context / "trimtab_services")
    shutil.copyfile(_ENTRY, context / "service.py")
    serve, capture = settings.model(model).serve, settings.model(model).capture
    bundle = Bundle(
        model=model,
        version=version,
        manifest_sha256=manifest_sha256,
        code_sha256=code,
        requirements=locked(folder / "requirements.txt"),
        device=serve.device,
        max_rows=serve.max_rows,
        capture_drop=capture.drop,
        capture_hash=capture.hash,
        capture_hash_keys=capture.hash_keys,
        max_body=serve.max_body,
    )
    write_bundle(context, bundle)
    (context / UV_FILE).write_text(uv_settings(with_hashes=False))
    return context


def _pack(work: Path, context: Path, model: str, version: str) -> Path:
    environment = {
        **{name: value for name, value in os.environ.items() if name not in _NOT_FOR_BUILDS},
        "BENTOML_HOME": str(work / "store"),
        "BENTOML_DO_NOT_TRACK": "True",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = _run(["-m", "trimtab_services.pack", str(context)], environment, work)
    if done.returncode:
        raise BuildError(model, version, _last_line(done.stderr))
    return Path(done.stdout.decode().splitlines()[-1])


def _put(bento: Path, final: Path) -> None:
    """Move a finished bento to its place; one of other bytes makes way for it."""
    aside = bento.with_name("aside")
    if final.exists():
        final.rename(aside)
    bento.rename(final)


@contextmanager
def _alone(final: Path) -> Iterator[None]:
    """Let one process build a model's bentos at a time, and sweep up after one that was killed."""
    final.parent.mkdir(parents=True, exist_ok=True)
    with (final.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in final.parent.glob(".making-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def _run(
    arguments: list[str], environment: dict[str, str], folder: Path
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, timeout=_SECONDS, check=False
    )


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it ended without a word"


def _sha256_of(bento: Path) -> str:
    return read_bundle(source_of(bento)).manifest_sha256
