"""Shipping in trouble: damaged segments, full disks, unfit requests, ends at bad moments."""

import fcntl
import json
import random
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.adapters.parquet_log import ParquetLog
from trimtab.records.contracts import Contract
from trimtab.records.logged import LoggedRows
from trimtab.testing.memory_log import MemoryLog
from trimtab_services.frames import FrameKind, build_frame
from trimtab_services.segment_file import FIRST_FRAME
from trimtab_services.segments import SegmentWriter
from trimtab_services.shipper import Shipper, ShipReport
from trimtab_services.testing import MODEL, capture, contract_of, request


def ship(spool: Path, log: MemoryLog | ParquetLog, patience: float = 60.0) -> ShipReport:
    """Ship by a shipper that starts anew."""
    with closing(Shipper(spool, MODEL, log, contract_of, patience_seconds=patience)) as shipper:
        return shipper.ship()


def shipped(log: MemoryLog | ParquetLog, version: str = "1") -> list[int]:
    """List the numbers of the requests in the log."""
    found: LoggedRows | None = log.read(MODEL, version)
    return [] if found is None else [int(id, 16) for id in found.rows["request_id"]]


def the_segment(spool: Path) -> Path:
    (path,) = spool.glob("*.seg")
    return path


def test_half_a_frame_of_a_living_writer_is_left_for_later(tmp_path: Path) -> None:
    log = MemoryLog()
    with (
        closing(SegmentWriter(tmp_path)) as writer,
        closing(Shipper(tmp_path, MODEL, log, contract_of)) as shipper,
    ):
        writer.append(*request(0))
        size = the_segment(tmp_path).stat().st_size
        half = build_frame(FrameKind.REQUEST, *(request(1)[0], 1, request(1)[1]))[:-1]
        with the_segment(tmp_path).open("r+b") as file:
            file.seek(size)
            file.write(half)
        report = shipper.ship()

        assert shipped(log) == [0]
        assert report.pending_bytes == len(half)
        assert report.damaged == 0
        writer.append(*request(1))  # over the half one, as after a short write
        assert shipper.ship().pending_bytes == 0
        assert shipped(log) == [0, 1]


def test_half_a_frame_of_a_dead_writer_is_counted(tmp_path: Path) -> None:
    log = MemoryLog()
    capture(tmp_path, *(request(i) for i in range(3)))
    path = the_segment(tmp_path)
    path.write_bytes(
        path.read_bytes() + build_frame(FrameKind.REQUEST, bytes(16), 4, b"x" * 50)[:40]
    )
    report = ship(tmp_path, log)

    assert shipped(log) == [0, 1, 2]
    assert (report.damaged, report.pending_bytes) == (1, 0)
    assert list(tmp_path.glob("*.seg")) == []


def test_a_damaged_frame_is_skipped_counted_and_shows_in_the_totals(tmp_path: Path) -> None:
    log = MemoryLog()
    capture(tmp_path, *(request(i) for i in range(5)))
    path = the_segment(tmp_path)
    data = bytearray(path.read_bytes())
    frame = len(build_frame(FrameKind.REQUEST, bytes(16), 0, request(0)[1]))
    data[FIRST_FRAME + 2 * frame + frame // 2] ^= 1
    path.write_bytes(bytes(data))
    report = ship(tmp_path, log)

    assert shipped(log) == [0, 1, 3, 4]
    assert report.damaged == 1
    assert (report.answered, report.captured, report.dropped) == (5, 4, 0)


@settings(max_examples=60, deadline=None)
@given(cut=st.floats(0, 1), seed=st.integers(0, 2**32))
def test_a_cut_and_scratched_segment_never_gives_a_wrong_row(
    cut: float, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tmp_path = tmp_path_factory.mktemp("spool")
    capture(tmp_path, *(request(i, temps=[float(i)]) for i in range(20)))
    path = the_segment(tmp_path)
    data = bytearray(path.read_bytes())
    del data[round(cut * len(data)) :]
    dice = random.Random(seed)
    for _ in range(dice.randrange(4) if data else 0):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    path.write_bytes(bytes(data))
    log = MemoryLog()
    ship(tmp_path, log)

    numbers = shipped(log)
    found = log.read(MODEL, "1")
    assert numbers == sorted(set(numbers))
    assert set(numbers) <= set(range(20))
    assert found is None or list(found.inputs["temp"]) == [float(number) for number in numbers]
    assert list(tmp_path.glob("*.seg")) == []


class FailingLog(MemoryLog):
    """A log on a disk that fails: before it took a part, or right after."""

    def __init__(self, *faults: str) -> None:
        super().__init__()
        self._faults = list(faults)

    def append(self, model: str, version: str, part: str, rows: pa.Table) -> None:
        fault = self._faults.pop(0) if self._faults else ""
        if fault != "before":
            super().append(model, version, part, rows)
        if fault:
            raise OSError(28, "No space left on device")


@pytest.mark.parametrize("faults", [["before"], ["after"], ["before", "after", "after", "before"]])
def test_a_log_that_fails_makes_requests_wait_and_doubles_none(
    faults: list[str], tmp_path: Path
) -> None:
    log = FailingLog(*faults)
    with (
        closing(SegmentWriter(tmp_path)) as writer,
        closing(Shipper(tmp_path, MODEL, log, contract_of)) as shipper,
    ):
        for i in range(len(faults)):
            writer.append(*request(i))
            assert shipper.ship().pending_bytes > 0
        writer.append(*request(len(faults)))
        report = shipper.ship()

        assert report.pending_bytes == 0
        assert (report.answered, report.captured) == (len(faults) + 1, len(faults) + 1)
    assert shipped(log) == list(range(len(faults) + 1))


def test_one_failing_segment_does_not_hold_up_the_others(tmp_path: Path) -> None:
    log = FailingLog("before")
    capture(tmp_path, request(1))
    capture(tmp_path, request(2))
    with closing(Shipper(tmp_path, MODEL, log, contract_of)) as shipper:
        shipper.ship()
        assert shipped(log) == [2]
        shipper.ship()
        assert shipped(log) == [1, 2]


def quarantined(spool: Path) -> list[int]:
    files = spool.glob("quarantine/*.jsonl")
    lines = [line for path in files for line in path.read_text().splitlines()]
    return sorted(int(json.loads(line)["request_id"], 16) for line in lines)


def test_requests_of_an_unknown_version_wait_and_then_make_way(tmp_path: Path) -> None:
    log = MemoryLog()
    capture(tmp_path, request(0), request(1, version="x"), request(2, version="x"), request(3))
    waiting = ship(tmp_path, log, patience=60)

    assert shipped(log) == [0]
    assert waiting.pending_bytes > 0
    assert waiting.quarantined == 0
    report = ship(tmp_path, log, patience=0)
    assert shipped(log) == [0, 3]
    assert quarantined(tmp_path) == [1, 2]
    assert (report.quarantined, report.pending_bytes) == (2, 0)
    assert (report.answered, report.captured) == (4, 4)
    again = ship(tmp_path, log, patience=0)
    assert (again.quarantined, quarantined(tmp_path)) == (2, [1, 2])


def test_a_contract_that_comes_in_time_frees_the_requests(tmp_path: Path) -> None:
    log = MemoryLog()
    known: dict[str, Contract] = {}
    with closing(Shipper(tmp_path, MODEL, log, known.__getitem__)) as shipper:
        capture(tmp_path, request(1), request(2))
        assert shipper.ship().rows == 0
        known["1"] = contract_of("1")
        assert shipper.ship().rows == 2
    assert shipped(log) == [1, 2]


@pytest.mark.parametrize("bad", [{0}, {4}, {9}, {2, 3, 7}, set(range(10))])
def test_a_row_that_does_not_fit_is_set_aside_alone(bad: set[int], tmp_path: Path) -> None:
    log = MemoryLog()
    capture(tmp_path, *(request(i, temps=["hot" if i in bad else 1.5]) for i in range(10)))
    report = ship(tmp_path, log)

    assert shipped(log) == sorted(set(range(10)) - bad)
    assert quarantined(tmp_path) == sorted(bad)
    assert report.quarantined == len(bad)
    assert list(tmp_path.glob("*.seg")) == []


def test_a_payload_that_is_no_request_is_set_aside(tmp_path: Path) -> None:
    log = MemoryLog()
    capture(tmp_path, request(1), (bytes(16), b"what\nis this"), request(2))
    report = ship(tmp_path, log)

    assert shipped(log) == [1, 2]
    assert report.quarantined == 1
    assert ship(tmp_path, log).quarantined == 1


@pytest.mark.parametrize("killed_before", ["unlinking", "counting"])
def test_a_shipper_killed_while_it_removes_a_segment_counts_it_once(
    killed_before: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = MemoryLog()
    capture(tmp_path, *(request(i) for i in range(6)))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if killed_before == "unlinking":
            patched.setattr(Path, "unlink", killed)
        else:
            patched.setattr("trimtab_services.shipper.save_retired", killed)
        with pytest.raises(KeyboardInterrupt):
            ship(tmp_path, log)
    assert len(list(tmp_path.glob("*.seg"))) == 1

    report = ship(tmp_path, log)
    assert (report.answered, report.captured) == (6, 6)
    assert shipped(log) == list(range(6))
    assert list(tmp_path.glob("*.seg")) == []


def test_damaged_totals_begin_again_aloud_and_hold_up_no_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    capture(tmp_path, request(1))
    (tmp_path / "totals.json").write_text("{")
    log = MemoryLog()
    report = ship(tmp_path, log)

    assert shipped(log) == [1]
    assert (report.answered, report.captured) == (1, 1)
    assert "begin at zero again" in caplog.text
    assert (tmp_path / "totals.damaged").read_text() == "{"


def test_what_a_writer_wrote_just_before_it_died_is_not_overlooked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, writer, flock = MemoryLog(), SegmentWriter(tmp_path), fcntl.flock
    with closing(Shipper(tmp_path, MODEL, log, contract_of)) as shipper:
        writer.append(*request(0))
        shipper.ship()

        def dying(fd: int, how: int) -> None:
            writer.append(*request(1))
            writer.close()
            flock(fd, how)

        monkeypatch.setattr(fcntl, "flock", dying)
        report = shipper.ship()

    assert shipped(log) == [0, 1]
    assert (report.captured, report.damaged) == (2, 0)
