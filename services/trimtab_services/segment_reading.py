"""One segment file, as the shipper reads it, while its writer may still be writing."""

import bisect
import fcntl
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from .frames import LONGEST_FRAME, Frame, FrameKind, scan
from .segment_file import FIRST_FRAME, Counts, read_slot
from .totals import Totals

_WINDOWS = (8 << 20, 2 * LONGEST_FRAME)
"""Bytes that are looked at in one go; the second is for frames that are longer than the first."""


class SegmentReader:
    """Remembers how far the frames of a segment were accepted, and what they add up to."""

    def __init__(self, path: Path) -> None:
        """Open a segment. Raises OSError."""
        self.path = path
        self.offset = FIRST_FRAME
        """Whatever is before it is settled."""
        self._fd = os.open(path, os.O_RDONLY)
        self._is_finished = False
        self._next_sequence = 0
        self._captured = self._dropped = self._damaged = 0
        self._told = Counts()
        self._ahead: Sequence[Frame] = ()

    @property
    def name(self) -> str:
        """What the segment is called in the names of parts."""
        return self.path.stem

    @property
    def size(self) -> int:
        """Bytes in the file by now."""
        return os.fstat(self._fd).st_size

    @property
    def totals(self) -> Totals:
        """What the accepted frames and the writer's counters add up to."""
        self._dropped = max(
            self._dropped, self._told.dropped, read_slot(self._read(FIRST_FRAME, 0))
        )
        return Totals(
            answered=max(self._captured + self._dropped, self._told.answered),
            captured=self._captured,
            dropped=self._dropped,
            damaged=self._damaged,
        )

    def is_finished(self) -> bool:
        """Tell whether the writer is gone, or went on to another segment: nothing will follow."""
        if not self._is_finished:
            with suppress(BlockingIOError):
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._is_finished = True
        return self._is_finished

    def next_frames(self) -> Sequence[Frame]:
        """Read the next whole frames; none when there is no whole one yet."""
        for window in _WINDOWS:
            data = self._read(window, self.offset)
            self._ahead = list(scan(data, base=self.offset, sequence=self._next_sequence))
            if self._ahead or len(data) < window:
                return self._ahead
        self.offset += LONGEST_FRAME  # no frame begins in the first half, or it would be whole
        return self.next_frames()

    def settle(self, end: int) -> None:
        """Be done with the frames up to an offset."""
        count = bisect.bisect_right(self._ahead, end, key=lambda frame: frame.end)
        for frame in self._ahead[:count]:
            if frame.kind is FrameKind.HEARTBEAT:
                self._told = Counts.unpack(frame.payload)
            else:
                self._captured += 1
            self._damaged += frame.sequence - self._next_sequence
            self._next_sequence = frame.sequence + 1
            self.offset = frame.end
        self._ahead = self._ahead[count:]

    def settle_tail(self) -> None:
        """Be done with what is left of a finished segment: half a frame of a killed writer."""
        if self.offset < self.size:
            self._damaged += 1
            self.offset = self.size

    def close(self) -> None:
        """Close the file, and with it the lock."""
        os.close(self._fd)

    def _read(self, length: int, offset: int) -> bytes:
        return os.pread(self._fd, length, offset)
