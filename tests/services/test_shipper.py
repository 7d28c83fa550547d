"""Shipping: each captured request reaches the inference log exactly once, or is accounted for."""

import fcntl
import json
import os
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.adapters.parquet_log import ParquetLog
from trimtab.errors import UnknownVersionError
from trimtab.records.contracts import Contract, Task
from trimtab.records.logged import LoggedRows
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab.testing.memory_log import MemoryLog
from trimtab_services.captured import CapturedRequest, CapturedRow, encode
from trimtab_services.frames import FrameKind, build_frame
from trimtab_services.places import Place
from trimtab_services.segment_file import FIRST_FRAME
from trimtab_services.segments import SegmentWriter
from trimtab_services.shipper import Shipper, ShipReport, SpoolTakenError
from trimtab_services.totals import TotalsError

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
MODEL = "late"


def contract_of(version: str) -> Contract:
    if not version.isdigit():
        raise UnknownVersionError(MODEL, version)
    columns = (Column(name="temp", type=ColumnType.DOUBLE, required=True),)
    return Contract(
        model=MODEL,
        task=Task.BINARY,
        target="y",
        schema=Schema(columns=columns),
        classes=("n", "y"),
    )


def request(
    number: int, *, version: str = "1", temps: Sequence[object] = (1.5,), status: int = 200
) -> tuple[bytes, bytes]:
    """Give the id and the payload of a captured request."""
    made = CapturedRequest(
        request_id=f"{number:032x}",
        version=version,
        received=NOON,
        status=status,
        latency_us=900,
        source="test",
        device="cpu",
        detail=None if status < 400 else "refused",
        rows=[
            CapturedRow(
                prediction_id=f"{number}-{i}",
                key=None,
                time=NOON + timedelta(seconds=number),
                inputs={"temp": temp},
                prediction="y",
                probabilities=[0.25, 0.75],
            )
            for i, temp in enumerate(temps)
        ],
    )
    return number.to_bytes(16, "big"), encode(made)


def capture(spool: Path, *requests: tuple[bytes, bytes]) -> None:
    """Capture requests by a writer that ends at once."""
    with closing(SegmentWriter(spool)) as writer:
        for request_id, payload in requests:
            assert writer.append(request_id, payload)


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


def test_what_was_captured_is_in_the_log_once_and_the_segment_is_gone(tmp_path: Path) -> None:
    log = ParquetLog(tmp_path / "log")
    spool = tmp_path / "spool"
    capture(spool, *(request(i) for i in range(10)))
    first, second = ship(spool, log), ship(spool, log)

    assert shipped(log) == list(range(10))
    assert (first.rows, second.rows) == (10, 0)
    assert (second.answered, second.captured, second.dropped) == (10, 10, 0)
    assert second.pending_bytes == 0
    assert list(spool.glob("*.seg")) == []


def test_a_writer_that_lives_is_shipped_as_it_goes_and_keeps_its_segment(tmp_path: Path) -> None:
    log = MemoryLog()
    with (
        closing(SegmentWriter(tmp_path)) as writer,
        closing(Shipper(tmp_path, MODEL, log, contract_of)) as shipper,
    ):
        for i in range(5):
            writer.append(*request(i))
            report = shipper.ship()
            assert shipped(log) == list(range(i + 1))
            assert (report.rows, report.pending_bytes) == (1, 0)
            assert (report.answered, report.captured) == (i + 1, i + 1)
            assert the_segment(tmp_path).exists()


def test_several_requests_of_one_version_are_one_part(tmp_path: Path) -> None:
    log = MemoryLog()
    capture(tmp_path, *(request(i, version="1" if i < 7 else "2") for i in range(12)))
    ship(tmp_path, log)

    assert len(log.parts(MODEL)) == 2
    assert shipped(log) == list(range(7))
    assert shipped(log, "2") == list(range(7, 12))


def test_many_rows_are_several_parts(tmp_path: Path) -> None:
    log = MemoryLog()
    capture(tmp_path, *(request(i, temps=[1.5] * 7000) for i in range(7)))
    report = ship(tmp_path, log)

    assert report.rows == 49_000
    assert len(log.parts(MODEL)) == 3


def test_a_refused_request_is_a_row_of_its_own(tmp_path: Path) -> None:
    log = MemoryLog()
    capture(tmp_path, request(1), request(2, temps=(), status=422))
    report = ship(tmp_path, log)

    found = log.read(MODEL, "1")
    assert found is not None
    assert (report.rows, found.refused, len(found.rows)) == (2, 1, 1)


def test_dropped_requests_are_in_the_totals_also_after_the_segment_is_gone(tmp_path: Path) -> None:
    log = MemoryLog()
    with closing(SegmentWriter(tmp_path, budget_bytes=8000)) as writer:
        kept = [writer.append(*request(i)) for i in range(50)]
        lost = kept.count(False)

    assert lost > 0
    for _ in range(2):
        report = ship(tmp_path, log)
        assert (report.answered, report.captured, report.dropped) == (50, 50 - lost, lost)
        assert list(tmp_path.glob("*.seg")) == []


def test_a_spool_has_one_shipper(tmp_path: Path) -> None:
    with (
        closing(Shipper(tmp_path, MODEL, MemoryLog(), contract_of)),
        pytest.raises(SpoolTakenError, match="Another process ships"),
    ):
        Shipper(tmp_path, MODEL, MemoryLog(), contract_of)
    Shipper(tmp_path, MODEL, MemoryLog(), contract_of).close()


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


def test_a_shipper_that_starts_again_goes_on_where_the_log_ends(tmp_path: Path) -> None:
    log = ParquetLog(tmp_path / "log")
    spool = tmp_path / "spool"
    with closing(SegmentWriter(spool)) as writer:
        for i in range(30):
            writer.append(*request(i))
            if i % 3 == 0:
                ship(spool, log)
        report = ship(spool, log)

        assert shipped(log) == list(range(30))
        assert (report.answered, report.captured) == (30, 30)


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


def test_damaged_totals_are_not_taken_for_zero(tmp_path: Path) -> None:
    capture(tmp_path, request(1))
    (tmp_path / "totals.json").write_text("{")

    with pytest.raises(TotalsError, match=r"totals\.json is damaged"):
        Shipper(tmp_path, MODEL, MemoryLog(), contract_of)
    (tmp_path / "totals.json").unlink()
    Shipper(tmp_path, MODEL, MemoryLog(), contract_of).close()


def test_an_abandoned_beginning_of_a_segment_is_cleared_away(tmp_path: Path) -> None:
    old, new = tmp_path / "1-old.tmp", tmp_path / "2-new.tmp"
    old.touch()
    new.touch()
    os.utime(old, (0, 0))
    ship(tmp_path, MemoryLog())

    assert not old.exists()
    assert new.exists()


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


def test_parts_of_other_origin_do_not_confuse_the_shipper(tmp_path: Path) -> None:
    log = MemoryLog()
    capture(tmp_path, request(1))
    for name in ("batch-2013-04", "x-000000000012", the_segment(tmp_path).stem):
        log.append(MODEL, "0", name, pa.table({"time": pa.array([], pa.timestamp("us", "UTC"))}))
    ship(tmp_path, log)

    assert shipped(log) == [1]


@given(
    segment=st.text(st.characters(codec="ascii", exclude_characters="\n"), min_size=1),
    start=st.integers(0, 10**12 - 1),
    end=st.integers(0, 10**12 - 1),
)
def test_a_place_is_read_back_from_the_name_of_a_part(segment: str, start: int, end: int) -> None:
    place = Place(segment, start, end)

    assert Place.parse(str(place)) == place


steps = st.lists(
    st.tuples(st.sampled_from(["append", "ship", "restart", "rotate"]), st.integers(1, 5)),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(steps=steps)
def test_however_writers_and_shippers_come_and_go_each_request_is_logged_once(
    steps: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    spool, log = tmp_path_factory.mktemp("spool"), MemoryLog()
    writer = SegmentWriter(spool)
    shipper = Shipper(spool, MODEL, log, contract_of)
    count = 0
    for step, times in steps:
        match step:
            case "append":
                for number in range(count, count + times):
                    assert writer.append(*request(number, version=str(times)))
                count += times
            case "ship":
                shipper.ship()
            case "restart":
                shipper.close()
                shipper = Shipper(spool, MODEL, log, contract_of)
            case "rotate":
                writer.close()
                writer = SegmentWriter(spool)
    writer.close()
    report = shipper.ship()
    shipper.close()

    seen = Counter(number for version in "12345" for number in shipped(log, version))
    assert seen == Counter(range(count))
    assert (report.answered, report.captured, report.pending_bytes) == (count, count, 0)
    assert list(spool.glob("*.seg")) == []
