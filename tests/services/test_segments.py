"""Segments: what was acknowledged is there, what is damaged is never believed, loss is counted."""

import fcntl
import itertools
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab_services.frames import Frame, FrameKind, scan
from trimtab_services.segment_file import FIRST_FRAME
from trimtab_services.segment_reading import SegmentReader
from trimtab_services.segments import SegmentWriter
from trimtab_services.totals import Totals

ID = bytes(range(16))


def id_of(number: int) -> bytes:
    return number.to_bytes(16, "big")


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.seg"))


def read_all(folder: Path) -> tuple[list[Frame], Totals]:
    """Read every segment of a folder as the shipper would."""
    found: list[Frame] = []
    totals = Totals()
    for path in segments(folder):
        with closing(SegmentReader(path)) as reader:
            while frames := reader.next_frames():
                found += [f for f in frames if f.kind is FrameKind.REQUEST]
                reader.settle(frames[-1].end)
            reader.settle_tail()
            totals += reader.totals
    return found, totals


def waited_for(condition: Callable[[], object]) -> bool:
    """Wait for the writer's own thread, with a deadline."""
    woken = threading.Event()
    return any(condition() or woken.wait(0.01) for _ in range(1000))


@settings(max_examples=30, deadline=None)
@given(payloads=st.lists(st.binary(max_size=2000), max_size=30))
def test_what_is_appended_is_read_back_in_order(
    payloads: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    with closing(SegmentWriter(folder)) as writer:
        assert all(writer.append(id_of(i), payload) for i, payload in enumerate(payloads))

    frames, totals = read_all(folder)
    assert [(f.id, f.payload) for f in frames] == [(id_of(i), p) for i, p in enumerate(payloads)]
    assert totals == Totals(answered=len(payloads), captured=len(payloads))


def test_an_appended_request_is_in_the_file_when_append_returns(tmp_path: Path) -> None:
    with closing(SegmentWriter(tmp_path)) as writer:
        writer.append(ID, b"x" * 100)
        (path,) = segments(tmp_path)

        assert [frame.id for frame in scan(path.read_bytes()[FIRST_FRAME:])] == [ID]


def test_a_segment_is_locked_for_as_long_as_its_writer_lives(tmp_path: Path) -> None:
    with closing(SegmentWriter(tmp_path)):
        (path,) = segments(tmp_path)
        with path.open() as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_segment_is_locked_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a shipper could take the file of a newborn writer for that of a dead one."""
    flock, named = fcntl.flock, list[Path]()

    def watched(fd: int, how: int) -> None:
        named.extend(segments(tmp_path))
        flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", watched)
    SegmentWriter(tmp_path).close()

    assert named == []
    assert len(segments(tmp_path)) == 1


def test_threads_do_not_mix_their_frames(tmp_path: Path) -> None:
    with closing(SegmentWriter(tmp_path)) as writer:

        def work(worker: int) -> None:
            for i in range(200):
                assert writer.append(id_of(worker * 1000 + i), b"%d" % worker * 50)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    frames, totals = read_all(tmp_path)
    assert sorted(f.id for f in frames) == [
        id_of(w * 1000 + i) for w in range(8) for i in range(200)
    ]
    assert totals == Totals(answered=1600, captured=1600)


def test_a_long_segment_is_followed_by_another(tmp_path: Path) -> None:
    numbers = itertools.count()
    with closing(SegmentWriter(tmp_path, segment_bytes=4000)) as writer:

        def has_gone_on() -> bool:
            assert writer.append(id_of(next(numbers)), b"x" * 500)
            return len(segments(tmp_path)) == 3

        assert waited_for(has_gone_on)

    frames, totals = read_all(tmp_path)
    count = next(numbers)
    assert [f.id for f in frames] == [id_of(i) for i in range(count)]
    assert totals == Totals(answered=count, captured=count)


def test_an_old_segment_is_followed_by_another_and_an_empty_one_is_not(tmp_path: Path) -> None:
    with closing(SegmentWriter(tmp_path, segment_seconds=0.05)) as writer:
        writer.append(ID, b"x")
        assert waited_for(lambda: len(segments(tmp_path)) == 2)
        assert not any(
            threading.Event().wait(0.05) or len(segments(tmp_path)) > 2 for _ in range(5)
        )


def test_above_the_budget_requests_are_dropped_and_counted(tmp_path: Path) -> None:
    with closing(SegmentWriter(tmp_path, budget_bytes=64 << 10)) as writer:
        kept = [writer.append(id_of(i), b"x" * 1000) for i in range(200)]
        used = sum(path.stat().st_size for path in segments(tmp_path))

        assert 0 < sum(kept) < 200
        assert (writer.captured, writer.dropped) == (sum(kept), 200 - sum(kept))
        assert used <= 64 << 10
    frames, totals = read_all(tmp_path)
    assert {f.id for f in frames} == {id_of(i) for i in range(200) if kept[i]}
    assert totals == Totals(answered=200, captured=sum(kept), dropped=200 - sum(kept))


def test_capture_goes_on_when_the_shipper_has_made_room(tmp_path: Path) -> None:
    budget = 64 << 10
    with closing(SegmentWriter(tmp_path / "a", budget_bytes=budget)) as writer:
        blocker = tmp_path / "a" / "0-other.seg"
        blocker.write_bytes(bytes(budget))
        assert waited_for(lambda: not writer.append(ID, b"x"))
        blocker.unlink()
        assert waited_for(lambda: writer.append(ID, b"x"))


def test_a_request_of_unheard_of_length_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trimtab_services.segments.LONGEST_PAYLOAD", 1000)
    with closing(SegmentWriter(tmp_path)) as writer:
        assert not writer.append(ID, b"x" * 1001)
        assert writer.append(ID, b"x" * 1000)

    assert read_all(tmp_path)[1] == Totals(answered=2, captured=1, dropped=1)


def test_an_id_of_another_length_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with (
        closing(SegmentWriter(tmp_path)) as writer,
        pytest.raises(ValueError, match="16 bytes, not 3"),
    ):
        writer.append(b"abc", b"")


def test_after_the_end_requests_are_dropped(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    writer.append(ID, b"x")
    writer.close()

    assert not writer.append(ID, b"x")
    assert (writer.captured, writer.dropped) == (1, 1)


def test_a_folder_that_cannot_be_made_costs_records_and_no_answer(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with closing(SegmentWriter(tmp_path / "file" / "spool")) as writer:
        assert not writer.append(ID, b"x")
        (tmp_path / "file").unlink()
        assert waited_for(lambda: writer.append(ID, b"y"))
        lost = writer.dropped

    frames, totals = read_all(tmp_path / "file" / "spool")
    assert [frame.payload for frame in frames] == [b"y"]
    assert totals == Totals(answered=lost + 1, captured=1, dropped=lost)


@pytest.mark.parametrize("fault", ["short write", "ENOSPC"])
def test_a_write_that_fails_leaves_no_half_frame(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite = os.pwrite

    def failing(fd: int, data: bytes, offset: int) -> int:
        if b"doomed" not in data:
            return pwrite(fd, data, offset)
        written = pwrite(fd, data[:30], offset)
        if fault == "short write":
            return written
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", failing)
    with closing(SegmentWriter(tmp_path)) as writer:
        outcome = [writer.append(id_of(i), b"doomed" if i % 3 else b"fine") for i in range(9)]

    frames, totals = read_all(tmp_path)
    assert [frame.id for frame in frames] == [id_of(i) for i in range(9) if i % 3 == 0]
    assert outcome == [i % 3 == 0 for i in range(9)]
    assert totals == Totals(answered=9, captured=3, dropped=6)


def test_a_frame_is_written_over_the_half_one_that_could_not_be_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite = os.pwrite

    def failing(fd: int, data: bytes, offset: int) -> int:
        return pwrite(fd, data[:30] if b"doomed" in data else data, offset)

    def broken(fd: int, size: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pwrite", failing)
    monkeypatch.setattr(os, "ftruncate", broken)
    with closing(SegmentWriter(tmp_path)) as writer:
        assert [writer.append(ID, payload) for payload in (b"a", b"doomed", b"b")] == [1, 0, 1]

    frames, totals = read_all(tmp_path)
    assert [frame.payload for frame in frames] == [b"a", b"b"]
    assert totals == Totals(answered=3, captured=2, dropped=1)


def test_a_segment_that_cannot_be_synced_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fdatasync, failures = os.fdatasync, iter([OSError(5, "Input/output error")])

    def failing(fd: int) -> None:
        if error := next(failures, None):
            raise error
        fdatasync(fd)

    with closing(SegmentWriter(tmp_path)) as writer:
        monkeypatch.setattr(os, "fdatasync", failing)
        assert writer.append(id_of(1), b"x")
        assert waited_for(lambda: len(segments(tmp_path)) == 2)
        assert writer.append(id_of(2), b"x")

    frames, totals = read_all(tmp_path)
    assert [frame.id for frame in frames] == [id_of(1), id_of(2)]
    assert totals == Totals(answered=2, captured=2)


def test_whoever_must_can_have_each_request_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fdatasync, synced = os.fdatasync, itertools.count()

    def counted(fd: int) -> None:
        fdatasync(fd)
        next(synced)

    monkeypatch.setattr(os, "fdatasync", counted)
    with closing(SegmentWriter(tmp_path, sync_seconds=0, segment_seconds=1e9)) as writer:
        before = next(synced)
        for i in range(50):
            writer.append(id_of(i), b"x")
        assert next(synced) - before > 50


def test_drops_are_counted_also_when_the_writer_dies_on_a_full_disk(full_disk: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from trimtab_services.segments import SegmentWriter
writer = SegmentWriter(Path(sys.argv[1]) / "spool", budget_bytes=1 << 30)
kept = [writer.append(i.to_bytes(16, "big"), b"x" * 1000) for i in range(2000)]
print(sum(kept), 2000 - sum(kept), flush=True)
os.kill(os.getpid(), 9)
"""
    kept, dropped = map(int, output_of(sys.executable, "-c", code, full_disk).split())

    frames, totals = read_all(full_disk / "spool")
    assert kept > 0
    assert dropped > 0
    assert len(frames) == kept
    assert totals == Totals(answered=2000, captured=kept, dropped=dropped)


def test_records_are_good_again_when_space_returns(full_disk: Path) -> None:
    ballast = full_disk / "ballast"
    ballast.write_bytes(bytes(600_000))
    spool = full_disk / "spool"
    with closing(SegmentWriter(spool)) as writer:
        first = [writer.append(id_of(i), b"x" * 1000) for i in range(1000)]
        ballast.unlink()
        second = [writer.append(id_of(1000 + i), b"y" * 1000) for i in range(100)]

    frames, totals = read_all(spool)
    assert not all(first)
    assert all(second)
    assert {f.id for f in frames} == {id_of(i) for i, kept in enumerate(first + second) if kept}
    assert totals.answered == 1100
    assert (totals.captured + totals.dropped, totals.damaged) == (1100, 0)


def output_of(*command: str | Path) -> str:
    """Run a program to its end, however it ends."""
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(
            f"a small file system cannot be mounted here: {mounted.stderr.decode().strip()}"
        )
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_beyond_the_size_that_a_process_may_write_drops_are_counted(tmp_path: Path) -> None:
    """What a full disk does, for machines where nothing can be mounted."""
    code = """
import resource, sys
from pathlib import Path
from trimtab_services.segments import SegmentWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
writer = SegmentWriter(Path(sys.argv[1]))
print(sum(writer.append(i.to_bytes(16, "big"), b"x" * 1000) for i in range(500)))
writer.close()
"""
    kept = int(output_of(sys.executable, "-c", code, tmp_path))

    frames, totals = read_all(tmp_path)
    assert 0 < len(frames) == kept < 500
    assert totals == Totals(answered=500, captured=kept, dropped=500 - kept)


def test_a_disk_that_fails_for_real_costs_a_segment_and_no_record(tmp_path: Path) -> None:
    code = """
import sys, threading
from pathlib import Path
from trimtab_services.segments import SegmentWriter
writer = SegmentWriter(Path(sys.argv[1]))
acknowledged = 0
while len(list(Path(sys.argv[1]).glob("*.seg"))) < 2:
    acknowledged += writer.append(acknowledged.to_bytes(16, "big"), b"x")
    threading.Event().wait(0.005)
writer.close()
print(acknowledged)
"""
    strace = shutil.which("strace")
    if (
        strace is None
        or subprocess.run([strace, "-o", "/dev/null", "true"], check=False).returncode
    ):
        pytest.skip("strace, which makes system calls fail, is not here or may not trace")
    fault = ["-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=2"]
    out = output_of(
        strace, "-f", "-qq", "-o", "/dev/null", *fault, sys.executable, "-c", code, tmp_path
    )

    frames, totals = read_all(tmp_path)
    assert [f.id for f in frames] == [id_of(i) for i in range(int(out))]
    assert totals == Totals(answered=len(frames), captured=len(frames))
