"""The frame: how one record lies in a segment file, so that no damaged one is ever believed."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

MAGIC = b"\xff\xfeTT"  # no payload holds it: `captured.encode` sees to that
LONGEST_PAYLOAD = 64 << 20
"""Bytes; what claims to be longer is no frame."""

_HEADER = struct.Struct("<4sB16sQI")  # magic, kind, id, sequence, length
_CHECKSUM = struct.Struct("<I")
_BODY = _HEADER.size + _CHECKSUM.size
LONGEST_FRAME = _BODY + LONGEST_PAYLOAD


class FrameKind(IntEnum):
    """What a frame holds."""

    REQUEST = 1
    """One captured request."""
    HEARTBEAT = 2
    """The writer's counters."""


_KINDS = {int(kind): kind for kind in FrameKind}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One whole and undamaged frame, with its place in the file."""

    kind: FrameKind
    id: bytes
    sequence: int
    """Counts all frames of a segment from 0; a gap tells how many were lost."""
    payload: bytes
    start: int
    end: int


def build_frame(kind: FrameKind, id: bytes, sequence: int, payload: bytes) -> bytes:
    """Write a frame; its checksum covers header and payload."""
    header = _HEADER.pack(MAGIC, kind, id, sequence, len(payload))
    return b"".join((header, _CHECKSUM.pack(zlib.crc32(payload, zlib.crc32(header))), payload))


def scan(data: bytes, *, base: int = 0, sequence: int = 0) -> Iterator[Frame]:
    """Find the whole frames; damaged bytes between them are skipped.

    `base` is the offset of the data in its file. Frames follow each other in rising sequence, from
    `sequence` on: what is older is the stale content of some disk block and not a frame.
    """
    view = memoryview(data)
    at = 0
    while (at := data.find(MAGIC, at)) >= 0:
        frame = _frame(view, at, base)
        if frame is None or frame.sequence < sequence:
            at += 1
            continue
        yield frame
        at, sequence = frame.end - base, frame.sequence + 1


def _frame(data: memoryview, start: int, base: int) -> Frame | None:
    payload_start = start + _BODY
    if payload_start > len(data):
        return None
    _, kind, id, sequence, length = _HEADER.unpack_from(data, start)
    end = payload_start + length
    if length > LONGEST_PAYLOAD or end > len(data):
        return None
    checksum = zlib.crc32(data[start : start + _HEADER.size])
    payload = data[payload_start:end]
    if _CHECKSUM.unpack_from(data, start + _HEADER.size)[0] != zlib.crc32(payload, checksum):
        return None
    if kind not in _KINDS:
        return None
    return Frame(
        kind=_KINDS[kind],
        id=id,
        sequence=sequence,
        payload=bytes(payload),
        start=base + start,
        end=base + end,
    )
