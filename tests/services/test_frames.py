"""Frames: damaged bytes cost the frames that they are in, and never make one."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab_services.frames import MAGIC, Frame, FrameKind, build_frame, scan

ID = bytes(range(16))


def id_of(number: int) -> bytes:
    return number.to_bytes(16, "big")


@pytest.fixture
def stream() -> tuple[bytes, list[Frame]]:
    """Twelve frames of several lengths, two of them heartbeats."""
    dice = random.Random(7)
    frames = [
        build_frame(
            FrameKind.HEARTBEAT if i % 6 == 5 else FrameKind.REQUEST,
            id_of(i),
            i,
            dice.randbytes(24 if i % 6 == 5 else dice.randrange(0, 60)),
        )
        for i in range(12)
    ]
    data = b"".join(frames)
    return data, list(scan(data))


def test_frames_come_back_as_they_were_written(stream: tuple[bytes, list[Frame]]) -> None:
    data, frames = stream

    assert [frame.sequence for frame in frames] == list(range(12))
    assert [frame.id for frame in frames] == [id_of(i) for i in range(12)]
    assert frames[0].start == 0
    assert frames[-1].end == len(data)


def test_a_stream_cut_at_any_byte_gives_the_right_prefix(
    stream: tuple[bytes, list[Frame]],
) -> None:
    data, frames = stream
    wrong = [
        cut
        for cut in range(len(data) + 1)
        if list(scan(data[:cut])) != [frame for frame in frames if frame.end <= cut]
    ]

    assert wrong == []


def test_a_flipped_bit_costs_one_frame_and_makes_none(stream: tuple[bytes, list[Frame]]) -> None:
    data, frames = stream
    wrong = []
    for bit in range(len(data) * 8):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        expected = [f for f in frames if not f.start <= bit // 8 < f.end]
        if list(scan(bytes(damaged))) != expected:
            wrong.append(bit)

    assert wrong == []


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=60))
def test_rubbish_around_a_frame_hides_it_from_nobody(
    before: bytes, after: bytes, payload: bytes
) -> None:
    frame = build_frame(FrameKind.REQUEST, ID, 3, payload)

    assert payload in [found.payload for found in scan(before + MAGIC + before + frame + after)]


def test_stale_frames_of_an_older_sequence_are_not_believed() -> None:
    old, new = (build_frame(FrameKind.REQUEST, ID, sequence, b"x") for sequence in (3, 4))

    assert [frame.sequence for frame in scan(new + old)] == [4]


def test_frames_of_an_unknown_kind_are_passed_over() -> None:
    strange = build_frame(9, ID, 0, b"from the future")  # type: ignore[arg-type]  # no kind of ours
    known = build_frame(FrameKind.REQUEST, ID, 1, b"x")

    assert [frame.payload for frame in scan(strange + known)] == [b"x"]
