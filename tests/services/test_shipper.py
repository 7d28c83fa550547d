"""Shipping: each captured request reaches the inference log exactly once, or is accounted for."""

import os
from collections import Counter
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.adapters.parquet_log import ParquetLog
from trimtab.records.logged import LoggedRows
from trimtab.records.places import Place
from trimtab.testing.memory_log import MemoryLog
from trimtab_services.segments import SegmentWriter
from trimtab_services.shipper import Shipper, ShipReport, SpoolTakenError
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
    with closing(SegmentWriter(tmp_path, budget_bytes=4000)) as writer:
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


def test_an_abandoned_beginning_of_a_segment_is_cleared_away(tmp_path: Path) -> None:
    old, new = tmp_path / "1-old.tmp", tmp_path / "2-new.tmp"
    old.touch()
    new.touch()
    os.utime(old, (0, 0))
    ship(tmp_path, MemoryLog())

    assert not old.exists()
    assert new.exists()


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
