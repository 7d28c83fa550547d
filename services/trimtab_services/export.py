"""A bento made ready to travel: an archive, and beside it all that is needed to deploy it."""

import hashlib
import lzma
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from trimtab.errors import TrimtabError
from trimtab.records.documents import from_json
from trimtab.records.versions import Manifest

from .bento import PROOF_FILE
from .bundle import VERSION_FOLDER, Bundle, read_bundle, source_of
from .containerfile import LOCK, SUMS, containerfile
from .image import UV_FILE, base_image, uv_settings

BILL = "sbom.cdx.json"
_SECONDS = 300
_LOCK_HEAD = "# Install with --no-deps: these are all, and nothing is left to be resolved.\n"


class ExportError(TrimtabError):
    """A bento could not be exported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written."""

    folder: Path
    archive: Path
    unlocked: str = ""
    """Why the lock has no hashes; empty when every package is named by its hash."""


def export(bento: Path, target: Path) -> Exported:
    """Write a proven bento into `target/MODEL-VERSION`, which one of the same name makes way for.

    The hashes of the packages come from the index that uv is set up for; where it does not answer
    the lock has versions only. Raises ExportError.
    """
    target = target.resolve()  # uv is run elsewhere
    bundle = read_bundle(source_of(bento))
    name = f"{bundle.model}-{bundle.version}"
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=target) as workplace:
            work = Path(workplace)
            made = work / name
            made.mkdir()
            unlocked = _fill(made, bento, bundle, work)
            final = target / name
            if final.exists():
                final.rename(work / "aside")
            made.chmod(0o755)
            made.rename(final)
    except OSError as error:
        raise ExportError(f"{name} could not be exported to {target}: {error}") from None
    return Exported(folder=final, archive=final / f"{name}.bento", unlocked=unlocked)


def _fill(made: Path, bento: Path, bundle: Bundle, work: Path) -> str:
    lock, unlocked = lock_of(bundle.requirements, work)
    (made / LOCK).write_text(_LOCK_HEAD + lock)
    archive = made / f"{made.name}.bento"
    copy = work / "bento"
    shutil.copytree(bento, copy)
    _tighten(copy, lock, has_hashes=not unlocked)
    pack(copy, archive)
    shutil.copyfile(bento / PROOF_FILE, made / PROOF_FILE)
    text = containerfile(bundle, archive.name, has_hashes=not unlocked)
    (made / "Containerfile").write_text(text)
    (made / BILL).write_text(_bill(bento, bundle))
    (made / SUMS).write_text(checksums(made))
    return unlocked


def _bill(bento: Path, bundle: Bundle) -> str:
    from .bill import bill_of_materials  # a library that only an export needs

    manifest = (source_of(bento) / VERSION_FOLDER / "manifest.json").read_bytes()
    return bill_of_materials(bundle, from_json(Manifest, manifest), base_image(bundle.device))


def _tighten(bento: Path, lock: str, *, has_hashes: bool) -> None:
    """Give the lock to `bentoml containerize` as well, which installs what it finds here."""
    (bento / "env" / "python" / "requirements.txt").write_text(lock)
    (source_of(bento) / UV_FILE).write_text(uv_settings(with_hashes=has_hashes))


def lock_of(requirements: tuple[str, ...], workplace: Path) -> tuple[str, str]:
    """Look up the hashes of pinned packages; give the lines of a lock, and why it has none."""
    pins = workplace / "pins.txt"
    pins.write_text("\n".join([*requirements, ""]))
    command = [sys.executable, "-m", "uv", "pip", "compile", "--no-deps", "--generate-hashes"]
    try:
        done = subprocess.run(
            [*command, "--no-header", "--no-annotate", "--quiet", str(pins)],
            cwd=workplace,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return pins.read_text(), f"the package index did not answer within {_SECONDS} s"
    if done.returncode == 0:
        return done.stdout, ""
    return pins.read_text(), " ".join(done.stderr.split()) or f"uv ended with {done.returncode}"


def pack(folder: Path, archive: Path) -> None:
    """Pack a bento as `bentoml import` reads it; the same files give the same bytes."""
    with lzma.open(archive, "wb") as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for path in sorted(folder.rglob("*")):
            tar.add(path, path.relative_to(folder).as_posix(), recursive=False, filter=_anonymous)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member


def checksums(folder: Path) -> str:
    """List the files of a folder for `sha256sum --check`."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}"
        for path in sorted(folder.iterdir())
    ]
    return "\n".join([*lines, ""])
