"""Files that are whole or not there at all, also after a power loss."""

import os
from pathlib import Path


def write_durably(
    path: Path, content: bytes | memoryview, *, fresh: Path | None = None, mode: int = 0o640
) -> None:
    """Write a file under a name that no glob finds, sync it, and only then give it its own.

    `fresh` is that first name, on the same file system; by default a hidden one beside `path`.
    """
    fresh = fresh or path.with_name(f".{path.name}.new")
    fd = os.open(fresh, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, mode)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    except OSError:
        fresh.unlink(missing_ok=True)  # half a file on a full disk helps nobody
        raise
    finally:
        os.close(fd)
    fresh.replace(path)
    sync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder and its parents, and sync each name into the folder above it."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder last."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
