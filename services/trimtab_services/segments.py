"""Capture, as the endpoint sees it: one append to a file before each answer.

Nothing in the request's way waits for a disk, a database or a reader: files are opened, synced and
replaced by a thread of their own.
"""

import logging
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from trimtab.adapters.durable_files import make_folder, sync_folder

from .frames import LONGEST_PAYLOAD
from .segment_file import SUFFIX, SegmentFile

_log = logging.getLogger(__name__)
_ID_BYTES = 16
_BEAT_SECONDS = 1.0
_TURN_SECONDS = 0.02
_ASKED = "replace"
"""A file in the spool; segments begun before it was touched are replaced soon."""


class SegmentWriter:
    """Captures the requests of one process; any thread may append."""

    def __init__(
        self,
        folder: Path,
        *,
        budget_bytes: int = 2 << 30,
        sync_seconds: float = _TURN_SECONDS,
        segment_bytes: int = 64 << 20,
        segment_seconds: float = 300.0,
    ) -> None:
        """Begin a segment; a full disk is no reason to fail here, only to count.

        `budget_bytes` is for all segments in the folder; above it requests are dropped.
        `sync_seconds` 0 syncs each request before `append` returns.
        """
        self._folder = folder
        self._budget = budget_bytes
        self._sync_seconds = sync_seconds
        self._segment_bytes = min(segment_bytes, budget_bytes // 8)
        self._segment_seconds = segment_seconds
        self._lock = threading.Lock()
        self._segment: SegmentFile | None = None
        self._captured = self._dropped = self._reported = 0
        self._homeless = 0
        """Dropped, but told by no segment yet."""
        self._others = 0
        """Bytes of the folder's other segments."""
        self._why = ""
        self._is_asked = False
        """Somebody waits for the present segment's end."""
        self._replace_at = self._beat_at = 0.0
        self._stop = threading.Event()
        self._turn()
        self._thread = threading.Thread(target=self._tend, name="capture", daemon=True)
        self._thread.start()

    @property
    def captured(self) -> int:
        """Requests that are in a segment."""
        return self._captured

    @property
    def dropped(self) -> int:
        """Requests that could not be captured."""
        return self._dropped

    @property
    def spool_bytes(self) -> int:
        """Bytes in the folder, as measured within the last second: unshipped, and a rest."""
        segment = self._segment
        return self._others + (segment.size if segment else 0)

    @property
    def unsynced_bytes(self) -> int:
        """Bytes that a power loss would take."""
        segment = self._segment
        return segment.size - segment.synced if segment else 0

    def append(self, request_id: bytes, payload: bytes) -> bool:
        """Capture one request; False when it had to be dropped, which is counted.

        Once this has returned True the request survives the death of this process.
        """
        if len(request_id) != _ID_BYTES:
            raise ValueError(f"A request id has {_ID_BYTES} bytes, not {len(request_id)}.")
        with self._lock:
            segment = self._segment
            if segment is None:
                self._dropped += 1
                self._homeless += 1
                return False
            segment.answered += 1
            if why := self._obstacle(segment, request_id, payload):
                self._why = why
                self._dropped += 1
                segment.drop()
                return False
            self._captured += 1
            return True

    def close(self) -> None:
        """End the segment; what is appended later is dropped."""
        self._stop.set()
        self._thread.join()
        with self._lock:
            segment, self._segment = self._segment, None
        if segment is not None:
            segment.close()

    def _obstacle(self, segment: SegmentFile, request_id: bytes, payload: bytes) -> str:
        """Write a request, or tell what prevents it."""
        if len(payload) > LONGEST_PAYLOAD:
            return f"a request of {len(payload)} bytes is too long"
        if self._others + segment.size + len(payload) > self._budget:
            return f"the budget of {self._budget} bytes in {self._folder} is used up"
        try:
            segment.capture(request_id, payload)
        except OSError as error:
            return str(error)
        if self._sync_seconds == 0:
            self._sync(segment)
        return ""

    def _tend(self) -> None:
        while not self._stop.wait(self._sync_seconds or _TURN_SECONDS):
            try:
                self._turn()
            except Exception:  # without this thread nothing is synced any more
                _log.exception("Tending the capture segment failed")

    def _turn(self) -> None:
        now = time.monotonic()
        segment = self._segment
        if segment is not None and segment.is_dirty:
            self._sync(segment)
        if now >= self._beat_at:
            self._beat_at = now + _BEAT_SECONDS
            self._beat(segment)
        if now >= self._replace_at and self._is_spent(segment, now):
            self._replace_at = now + _BEAT_SECONDS
            self._replace()

    def _is_spent(self, segment: SegmentFile | None, now: float) -> bool:
        if segment is None or segment.has_failed:
            return True
        is_old = self._is_asked or now - segment.began >= self._segment_seconds
        return bool(segment.captured) and (is_old or segment.size >= self._segment_bytes)

    def _sync(self, segment: SegmentFile) -> None:
        try:
            segment.sync()
        except OSError as error:
            # A second sync would succeed and mean nothing: the kernel has forgotten the pages.
            segment.has_failed = True
            _log.error("%s cannot be synced, another is begun: %s", segment.path, error)

    def _beat(self, segment: SegmentFile | None) -> None:
        """Note the counters, measure the folder, and say aloud what was dropped."""
        if segment is not None:
            with self._lock, suppress(OSError):
                segment.beat()
            self._is_asked = segment.began_ns < _asked_at(self._folder)
        self._others = _bytes_of_others(self._folder, segment)
        if self._dropped > self._reported:
            lost, self._reported = self._dropped - self._reported, self._dropped
            _log.error("%d requests were answered and not captured: %s", lost, self._why)

    def _replace(self) -> None:
        """Begin another segment; where that cannot be, the old one goes on."""
        try:
            make_folder(self._folder)
            fresh = SegmentFile.create(self._folder)
        except OSError as error:
            self._why = str(error)
            _log.error("No capture segment can be begun in %s: %s", self._folder, error)
            return
        try:
            sync_folder(self._folder)
        except OSError as error:
            _log.error("%s cannot be synced: %s", self._folder, error)
        self._is_asked = False
        with self._lock:
            spent, self._segment = self._segment, fresh
            untold = self._homeless
            self._homeless = 0
        if spent is not None:
            self._others += spent.size
            untold += spent.close()
        if untold:
            with self._lock:
                fresh.answered += untold
                fresh.drop(untold)


def _bytes_of_others(folder: Path, own: SegmentFile | None) -> int:
    """Measure the segments of other writers, and those that wait for the shipper."""
    total = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(SUFFIX) and (own is None or entry.name != own.path.name):
                with suppress(OSError):  # shipped and removed just now
                    total += entry.stat().st_size
    return total


def ask_for_replacement(folder: Path) -> None:
    """Let every writer of a spool begin another segment within seconds, if it captured anything.

    So the shipper can remove what was captured until now.
    """
    (folder / _ASKED).write_bytes(b"")
    os.utime(folder / _ASKED)


def _asked_at(folder: Path) -> int:
    try:
        return (folder / _ASKED).stat().st_mtime_ns
    except OSError:
        return 0
