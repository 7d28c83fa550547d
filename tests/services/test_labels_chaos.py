"""Tellers and takers of labels are killed at random: no label is lost, and none counts twice.

CHAOS_SECONDS=60 makes the run longer, CHAOS_SEED makes it the same again.
"""

import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

from trimtab.adapters.parquet_log import ParquetLog
from trimtab.adapters.sql import open_database
from trimtab_services.label_inbox import Inbox
from trimtab_services.label_taking import LabelTaker

SECONDS = float(os.environ.get("CHAOS_SECONDS", "4"))
MODEL = "m"


def victims(folder: Path) -> list[tuple[int, str]]:
    """List who can be killed: our own, whose ids nobody else can have by now."""
    with suppress(FileNotFoundError):
        lines = [line.split() for line in (folder / "pids").read_text().splitlines()]
        return [(int(pid), name) for pid, name in lines if is_ours(int(pid), folder)]
    return []


def is_ours(pid: int, folder: Path) -> bool:
    with suppress(OSError):
        return str(folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def acknowledged(folder: Path, key: str) -> set[str]:
    """List what a teller was told is safe."""
    with suppress(FileNotFoundError):
        lines = (folder / f"{key}.notes").read_text().split()
        return {f"v{line[1:]}" for line in lines if line[0] == "+"}
    return set()


def kill_at_random(folder: Path, dice: random.Random) -> Counter[str]:
    """Kill for a while, on a busy machine for longer; gives how often each was killed."""
    kills = Counter[str]()
    began = time.monotonic()
    while True:
        threading.Event().wait(dice.uniform(0.01, 0.15))
        for pid, name in dice.sample(found := victims(folder), k=min(1, len(found))):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                kills[name] += 1
        seconds = time.monotonic() - began
        is_enough = len(kills) == 3 and all(len(acknowledged(folder, key)) > 50 for key in "ab")
        if (seconds > SECONDS and is_enough) or seconds > SECONDS + 90:
            return kills


def drain(folder: Path) -> None:
    """Take what is left, when nobody lives any more."""
    inbox = Inbox(folder / "labels")
    with closing(open_database(f"sqlite:///{folder / 'trimtab.db'}")) as database:
        taker = LabelTaker(inbox, MODEL, database, ParquetLog(folder / "log"), time.monotonic)
        while inbox.waiting(1):
            taker.step()


def counted(folder: Path, key: str) -> list[str]:
    """List the values that ever counted, in their order."""
    with (
        closing(open_database(f"sqlite:///{folder / 'trimtab.db'}")) as database,
        database.transaction() as stores,
    ):
        past = [label.value for label in stores.labels.history(MODEL, key)]
        return [*past, stores.labels.get(MODEL, [key])[key].value]


def test_what_was_acknowledged_counts_once_whoever_is_killed(tmp_path: Path) -> None:
    seed = int(os.environ.get("CHAOS_SEED") or secrets.randbits(32))
    print(f"CHAOS_SEED={seed}")  # noqa: T201  # pytest shows it with a failure
    script = Path(__file__).with_name("labels_zygote.py")
    zygote = subprocess.Popen([sys.executable, script, str(tmp_path)])
    try:
        kills = kill_at_random(tmp_path, random.Random(seed))
    finally:
        mine = [pid for pid, _ in victims(tmp_path)]
        zygote.kill()
        zygote.wait()
        for pid in mine:  # they end with it; nothing is checked before
            while is_ours(pid, tmp_path):
                threading.Event().wait(0.01)
    drain(tmp_path)

    assert set(kills) == {"a", "b", "taker"}

    for key in "ab":
        lines = (tmp_path / f"{key}.notes").read_text().split()
        told = [f"v{line[1:]}" for line in lines if line[0] == "?"]
        kept = acknowledged(tmp_path, key)
        values = counted(tmp_path, key)
        print(f"{kills} {len(told)=} {len(kept)=} {len(values)=}")  # noqa: T201  # the same
        assert len(values) == len(set(values))
        assert kept <= set(values)
        assert values == [value for value in told if value in set(values)]
        assert len(kept) > 50
