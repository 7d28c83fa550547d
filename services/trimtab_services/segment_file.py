"""One segment file, as the process that writes it holds it."""

import errno
import fcntl
import os
import secrets
import struct
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .frames import FrameKind, build_frame

SUFFIX, UNFINISHED = ".seg", ".tmp"

_SLOT = struct.Struct("<QI")  # dropped, checksum
FIRST_FRAME = _SLOT.size
"""Where the frames begin. Before them is the slot: the number of dropped requests, in a place
that is already on the disk, so that a loss can be counted also when the disk is full."""

_COUNTS = struct.Struct("<QQQ")
_NO_ID = bytes(16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a writer did since it began a segment."""

    answered: int = 0
    captured: int = 0
    dropped: int = 0

    def pack(self) -> bytes:
        """Write the payload of a heartbeat."""
        return _COUNTS.pack(self.answered, self.captured, self.dropped)

    @classmethod
    def unpack(cls, payload: bytes) -> "Counts":
        """Read the payload of a heartbeat. Raises struct.error."""
        answered, captured, dropped = _COUNTS.unpack(payload)
        return cls(answered=answered, captured=captured, dropped=dropped)


def read_slot(head: bytes) -> int:
    """Read the number of dropped requests from the start of a segment; 0 when it is damaged."""
    if len(head) < _SLOT.size:
        return 0
    dropped, checksum = _SLOT.unpack_from(head)
    return int(dropped) if checksum == zlib.crc32(head[:8]) else 0


class SegmentFile:
    """Open for writing, and locked for as long as its writer lives."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.size = FIRST_FRAME
        self.synced = 0
        """Bytes that outlast a power loss."""
        self.answered = 0
        self.captured = 0
        self.dropped = 0
        self.is_dirty = True
        """Something was written since the last sync."""
        self.has_failed = False
        """The disk gave an error that is worth trying another file."""
        self.began, self.began_ns = time.monotonic(), time.time_ns()
        self._fd = fd
        self._frames = 0
        self._told = 0
        self._noted = 0

    @classmethod
    def create(cls, folder: Path) -> "SegmentFile":
        """Make a new segment. Raises OSError.

        It is locked before it gets its name: who finds a segment unlocked may trust that its
        writer is gone.
        """
        name = f"{time.time_ns():016x}-{os.getpid()}-{secrets.token_hex(4)}"
        unfinished, path = folder / (name + UNFINISHED), folder / (name + SUFFIX)
        fd = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o640)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            segment = cls(path, fd)
            segment._write_slot(0)
            unfinished.rename(path)
        except OSError:
            unfinished.unlink(missing_ok=True)
            os.close(fd)
            raise
        return segment

    def capture(self, request_id: bytes, payload: bytes) -> None:
        """Add a request by one write. Raises OSError, and then nothing was added."""
        self._write(FrameKind.REQUEST, request_id, payload)
        self.captured += 1

    def drop(self, requests: int = 1) -> None:
        """Count requests that could not be captured, where a full disk cannot prevent it."""
        self.dropped += requests
        with suppress(OSError):  # then the next heartbeat will tell, or the next segment
            self._write_slot(self.dropped)
            self._noted = self.dropped

    def beat(self) -> None:
        """Add the counters, when they moved since they were told last. Raises OSError."""
        if self.answered == self._told:
            return
        counts = Counts(answered=self.answered, captured=self.captured, dropped=self.dropped)
        self._write(FrameKind.HEARTBEAT, _NO_ID, counts.pack())
        self._told = self.answered
        self._noted = self.dropped

    def sync(self) -> None:
        """Make what was written last through a power loss. Raises OSError."""
        size, self.is_dirty = self.size, False
        os.fdatasync(self._fd)
        self.synced = size

    def close(self) -> int:
        """Give the segment up, so that the shipper may remove it; give the drops it cannot tell."""
        with suppress(OSError):
            self.beat()
            self.sync()
        os.close(self._fd)
        return self.dropped - self._noted

    def _write(self, kind: FrameKind, id: bytes, payload: bytes) -> None:
        frame = build_frame(kind, id, self._frames, payload)
        written = 0
        try:
            written = os.pwrite(self._fd, frame, self.size)
            if written != len(frame):
                raise OSError(errno.ENOSPC, f"only {written} of {len(frame)} bytes were written")
        except OSError as error:
            self.has_failed |= error.errno == errno.EIO
            if written:
                with suppress(OSError):  # where even that fails, the next one is written over it
                    os.ftruncate(self._fd, self.size)
            raise
        self.size += written
        self._frames += 1
        self.is_dirty = True

    def _write_slot(self, dropped: int) -> None:
        count = dropped.to_bytes(8, "little")
        slot = count + zlib.crc32(count).to_bytes(4, "little")
        if os.pwrite(self._fd, slot, 0) != len(slot):
            raise OSError(errno.ENOSPC, "the slot was not written")
