"""The manifest: every file of a version by path, size and SHA-256."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from trimtab.errors import ManifestError
from trimtab.records.documents import from_json, to_json
from trimtab.records.versions import Manifest, ManifestFile

FILE = "manifest.json"


def write_manifest(folder: Path) -> str:
    """List every file of a folder in its `manifest.json`; give that file's own SHA-256."""
    files = tuple(_describe(path, folder) for path in _files(folder) if path != folder / FILE)
    content = to_json(Manifest(files=files), indent=2)
    (folder / FILE).write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def verify_manifest(folder: Path, sha256: str | None) -> None:
    """Compare every file of a folder with its manifest, and the manifest with its hash.

    Raises ManifestError, which names the first file that is missing, extra, changed or a link.
    """
    path = folder / FILE
    if path.is_symlink() or not path.is_file():
        raise ManifestError(f"{path} is missing.")
    content = path.read_bytes()
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise ManifestError(f"{path} is not the manifest that was judged (SHA-256 differs).")
    try:
        listed = {file.path: file for file in from_json(Manifest, content).files}
    except ValidationError:
        raise ManifestError(f"{path} cannot be read.") from None
    found = {_relative(path, folder): path for path in _files(folder) if path != folder / FILE}
    _compare_names(folder, set(listed), set(found))
    for name, path in found.items():
        if _describe(path, folder) != listed[name]:
            raise ManifestError(f"{folder / name} was changed after the manifest was written.")


def _compare_names(folder: Path, listed: set[str], found: set[str]) -> None:
    for name in sorted(listed - found):
        raise ManifestError(f"{folder / name} is missing.")
    for name in sorted(found - listed):
        raise ManifestError(f"{folder / name} is not in the manifest.")


def _files(folder: Path) -> Iterator[Path]:
    """Walk every file, in a fixed order. A link could point anywhere, so none is accepted."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise ManifestError(f"{path} is a symbolic link; a version holds plain files only.")
        if not path.is_dir():
            yield path


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _describe(path: Path, folder: Path) -> ManifestFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return ManifestFile(path=_relative(path, folder), size=path.stat().st_size, sha256=digest)
