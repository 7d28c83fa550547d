"""The manifest: every file of a version by path, size and SHA-256."""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
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

    Raises ManifestError, which names the first file that is missing, extra, changed, unreadable
    or no plain file.
    """
    listed = _listed(folder, sha256)
    found = {_relative(path, folder): path for path in _files(folder) if path != folder / FILE}
    for name in sorted(listed.keys() - found.keys()):
        raise ManifestError(f"{_shown(folder / name)} is missing.")
    for name in sorted(found.keys() - listed.keys()):
        raise ManifestError(f"{_shown(folder / name)} is not in the manifest.")
    for name, path in found.items():
        if _size(path) != listed[name].size or _describe(path, folder) != listed[name]:
            raise _changed(path)


def read_verified(folder: Path, name: str, sha256: str | None) -> bytes:
    """Read one file of a folder, and give its bytes only if they are those of the manifest.

    They are read once, so that nothing can come between the check and their use. Raises
    ManifestError, as `verify_manifest` does.
    """
    wanted = _listed(folder, sha256).get(name)
    if wanted is None:
        raise ManifestError(f"{_shown(folder / name)} is not in the manifest.")
    content = _read(folder / name)
    if hashlib.sha256(content).hexdigest() != wanted.sha256:
        raise _changed(folder / name)
    return content


def _listed(folder: Path, sha256: str | None) -> Mapping[str, ManifestFile]:
    path = folder / FILE
    content = _read(path)
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise ManifestError(
            f"{_shown(path)} is not the manifest that was judged (SHA-256 differs)."
        )
    try:
        return {file.path: file for file in from_json(Manifest, content).files}
    except ValidationError:
        raise ManifestError(f"{_shown(path)} cannot be read.") from None


def _files(folder: Path) -> Iterator[Path]:
    """Walk every file, in a fixed order, however deep. Nothing but plain files is accepted.

    A link could point anywhere, and a pipe would hold up whoever opens it.
    """
    if folder.is_symlink():
        raise _no_plain_file(folder)
    folders, files = [folder], []
    while folders:
        try:
            entries = list(os.scandir(here := folders.pop()))
        except OSError as error:
            raise _unreadable(here, error) from None
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                files.append(Path(entry.path))
            else:
                raise _no_plain_file(Path(entry.path))
    yield from sorted(files)


def _read(path: Path) -> bytes:
    _size(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def _size(path: Path) -> int:
    """Give the size of a plain file."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        raise ManifestError(f"{_shown(path)} is missing.") from None
    except OSError as error:
        raise _unreadable(path, error) from None
    if not stat.S_ISREG(found.st_mode):
        raise _no_plain_file(path)
    return found.st_size


def _describe(path: Path, folder: Path) -> ManifestFile:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from None
    return ManifestFile(path=_relative(path, folder), size=_size(path), sha256=digest)


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _changed(path: Path) -> ManifestError:
    return ManifestError(f"{_shown(path)} was changed after the manifest was written.")


def _no_plain_file(path: Path) -> ManifestError:
    kind = "a symbolic link" if path.is_symlink() else "no plain file"
    return ManifestError(f"{_shown(path)} is {kind}; a version holds plain files only.")


def _unreadable(path: Path, error: OSError) -> ManifestError:
    return ManifestError(f"{_shown(path)} cannot be read: {error.strerror}.")


def _shown(path: Path) -> str:
    """Write a path so that it fits into a log and a database, whatever bytes are in its name."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(path))
