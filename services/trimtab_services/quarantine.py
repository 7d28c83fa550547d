"""Quarantine: captured requests that fit no known contract, kept for a person to look at."""

from collections.abc import Sequence
from pathlib import Path

import orjson

from trimtab.adapters.durable_files import make_folder, write_durably
from trimtab.records.erasures import Subject
from trimtab.records.places import Place

from .captured import CapturedRequest, as_line, from_line

_SUFFIX = ".jsonl"


class Quarantine:
    """A folder of files with one captured request a line."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.requests = sum(path.read_bytes().count(b"\n") for path in self.files())
        """How many requests are in it."""

    def names(self) -> list[str]:
        """List the places that were put here."""
        return [path.stem for path in self.files()]

    def put(self, place: Place, payloads: Sequence[bytes]) -> Path:
        """Keep requests, whole or not at all. Raises OSError."""
        make_folder(self._folder)
        path = self._folder / f"{place}{_SUFFIX}"
        write_durably(path, b"".join(as_line(payload) + b"\n" for payload in payloads))
        self.requests += len(payloads)
        return path

    def erase(self, subject: Subject) -> int:
        """Remove the requests that name a subject; gives how many.

        A file stays, empty if need be: its name tells the shipper how far it came.
        """
        names = _names(subject)
        erased = 0
        for path in self.files():
            lines = path.read_bytes().splitlines(keepends=True)
            kept = [line for line in lines if not any(_has(line, name) for name in names)]
            if len(kept) < len(lines):
                self.keep_only(path, kept)
                erased += len(lines) - len(kept)
        return erased

    def keep_only(self, path: Path, lines: Sequence[bytes]) -> None:
        """Leave only these lines in a file, which stays, empty if need be."""
        write_durably(path, b"".join(lines))

    def files(self) -> list[Path]:
        """List the files, oldest first."""
        return sorted(self._folder.glob(f"[!.]*{_SUFFIX}"))


def request_of(line: bytes) -> CapturedRequest:
    """Read a line of a file. Raises ValueError when it is no captured request."""
    return from_line(line)


def _names(subject: Subject) -> set[str]:
    """Name what a request of the subject has in it: a key, a prediction's or its own id."""
    requests = {id.rpartition("-")[0] for id in subject.prediction_ids}
    return {*subject.keys, *subject.prediction_ids, *requests} - {""}


def _has(line: bytes, name: str) -> bool:
    """Tell whether a line has a name as a whole value, or anywhere if it holds no request."""
    value = orjson.dumps(name)
    return value in line or (line.startswith(b'{"unreadable"') and value[1:-1] in line)
