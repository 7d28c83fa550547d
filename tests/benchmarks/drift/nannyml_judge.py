"""NannyML as two contenders: drift of any column, and performance estimated without labels."""

import atexit
import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pandas as pd
from tests.benchmarks.environments import environment

from trimtab.records.reference import OUTPUT

from .opinions import Judge, Kind, Opinion, Stream
from .subjects import Subject

PINNED = ("nannyml==0.13.1", "statsmodels")
"""It imports statsmodels, and does not ask for it."""
SAME = ("numpy", "pandas", "scikit-learn", "scipy")
Alerts = dict[str, list[list[str]] | None]
"""What is amiss in each window; None where the part could not be done."""
_WORKER = Path(__file__).with_name("nannyml_worker.py")


class NannymlError(Exception):
    """Its process ended."""


def python() -> Path:
    """Give the Python that has NannyML. Raises NotInstalledError."""
    return environment(PINNED, SAME) / "bin" / "python"


class Nannyml:
    """Both contenders: they share a process, and what it last said of the same windows."""

    def __init__(self) -> None:
        self._last: tuple[Subject, pd.DataFrame, Alerts] | None = None

    def drift(self, subject: Subject, budget: float) -> Judge:
        """Alarm when any column drifted."""
        return self._judge(subject, "drift")

    def estimate(self, subject: Subject, budget: float) -> Judge:
        """Alarm when the estimated performance is out of the usual."""
        return self._judge(subject, "estimate")

    def _judge(self, subject: Subject, part: str) -> Judge:
        def judge(streams: Sequence[Stream]) -> list[list[Opinion]]:
            every = [window.frame for stream in streams for window in stream]
            alerts = self._alerts(subject, every)[part]
            if alerts is None:
                return [[Opinion(kind=Kind.UNJUDGED) for _ in stream] for stream in streams]
            said = iter(
                Opinion(kind=Kind.DRIFT if names else Kind.QUIET, columns=tuple(names))
                for names in alerts
            )
            return [[next(said) for _ in stream] for stream in streams]

        return judge

    def _alerts(self, subject: Subject, windows: Sequence[pd.DataFrame]) -> Alerts:
        if self._last is None or not (self._last[0] is subject and self._last[1] is windows[0]):
            with tempfile.TemporaryDirectory(prefix="trimtab-benchmark-") as folder:
                _write(subject, windows, Path(folder))
                _ask(Path(folder))
                said = json.loads((Path(folder) / "alerts.json").read_text())
            self._last = (subject, windows[0], said)
        return self._last[2]


def _write(subject: Subject, windows: Sequence[pd.DataFrame], folder: Path) -> None:
    binary = subject.target.dtype == bool
    reference = subject.frame.assign(**{"(truth)": subject.target.astype(float)})
    frames = {"reference": reference, "windows": pd.concat(windows, ignore_index=True)}
    for name, frame in frames.items():
        guess = frame[OUTPUT] > 0.5 if binary else frame[OUTPUT]
        frame.assign(**{"(prediction)": guess.astype(float)}).to_parquet(folder / f"{name}.parquet")
    task = {
        "columns": list(subject.frame),
        "categories": [str(n) for n in subject.inputs if subject.inputs[n].dtype.kind in "Ob"],
        "rows": subject.window_rows,
        "binary": bool(binary),
    }
    (folder / "task.json").write_text(json.dumps(task))


def _ask(folder: Path) -> None:
    worker = _worker()
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(f"{folder}\n")
    worker.stdin.flush()
    while (line := worker.stdout.readline()) != "done\n":
        if not line:
            raise NannymlError(f"NannyML's process ended with {worker.wait()}")


@cache
def _worker() -> "subprocess.Popen[str]":
    worker = subprocess.Popen(
        [str(python()), str(_WORKER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "NML_DISABLE_USAGE_LOGGING": "1"},
    )
    atexit.register(_end, worker)
    return worker


def _end(worker: "subprocess.Popen[str]") -> None:
    worker.terminate()
    worker.wait(timeout=10)
