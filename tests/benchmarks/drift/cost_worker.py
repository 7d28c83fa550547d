"""One contender on made-up rows, in this process alone; prints what it took as JSON.

    python cost_worker.py trimtab 10000 10

Knows nothing of this repository but for `trimtab`: NannyML runs in an environment of its own.
"""

import ctypes
import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

_CPU_SECONDS = 180
_ENOUGH, _MOST_TIMES = 0.2, 100
"""A step is repeated for so long: the clock of the CPU has ticks of milliseconds."""
_TEXTS = 5
"""Every fifth column is a category."""

Steps = dict[str, Callable[[], Any]]


def main() -> None:
    """Make rows, take the steps of the contender, and print."""
    name, rows, columns = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    reference, window = made_up(rows, columns, 1), made_up(rows, columns, 2)
    before = time.process_time()
    limit = int(before) + _CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 10))
    steps = CONTENDERS[name](reference, window)
    found: dict[str, Any] = {"import": time.process_time() - before, "steps": {}, "peak_mb": {}}
    for words, step in steps.items():
        base = _forget_peak()
        before, times = time.process_time(), 0
        while times == 0 or (times < _MOST_TIMES and time.process_time() - before < _ENOUGH):
            step()
            times += 1
        found["steps"][words] = (time.process_time() - before) / times
        found["peak_mb"][words] = max(0.0, _status("VmHWM") - base)
    sys.stdout.write(json.dumps(found))


def made_up(rows: int, columns: int, seed: int) -> pd.DataFrame:
    """Make numbers of several shapes, some missing, and categories."""
    rng = np.random.default_rng(seed)
    names = np.array([f"category {n}" for n in range(12)], dtype=object)
    made: dict[str, Any] = {}
    for n in range(columns):
        if n % _TEXTS == _TEXTS - 1:
            made[f"text{n}"] = names[rng.integers(0, 12, rows)]
        else:
            values = rng.normal(size=rows) if n % 2 else rng.lognormal(size=rows)
            values[rng.random(rows) < 0.02] = np.nan
            made[f"number{n}"] = values
    return pd.DataFrame(made)


def trimtab(reference: pd.DataFrame, window: pd.DataFrame) -> Steps:
    """Ours: the reference at training, then adding up, then judging what was added up."""
    sys.path.insert(0, str(Path(__file__).parents[3]))
    from tests.benchmarks.drift.trimtab_cost import steps

    return steps(reference, window)


def evidently(reference: pd.DataFrame, window: pd.DataFrame) -> Steps:
    """The whole preset with its defaults."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    texts = [n for n in reference if str(n).startswith("text")]
    definition = DataDefinition(
        numerical_columns=[n for n in reference if n not in texts], categorical_columns=texts
    )

    def run() -> None:
        snapshot = Report([DataDriftPreset()]).run(
            Dataset.from_pandas(window, data_definition=definition),
            Dataset.from_pandas(reference, data_definition=definition),
        )
        snapshot.dict()

    return {"check": run}


def nannyml(reference: pd.DataFrame, window: pd.DataFrame) -> Steps:
    """Univariate drift with its defaults, ten chunks on both sides."""
    import nannyml as nml  # type: ignore[import-not-found]  # it is not installed beside us

    calculator = nml.UnivariateDriftCalculator(column_names=list(reference), chunk_number=10)
    return {
        "prepare": lambda: calculator.fit(reference),
        "check": lambda: calculator.calculate(window).to_df(),
    }


def scipy(reference: pd.DataFrame, window: pd.DataFrame) -> Steps:
    """Kolmogorov-Smirnov and chi-square on all rows."""
    from scipy import stats

    def run() -> None:
        for name in reference:
            left, right = reference[name], window[name]
            if str(name).startswith("text"):
                counts = [side.value_counts().sort_index().to_numpy() for side in (left, right)]
                stats.chi2_contingency(np.array(counts))
            else:
                stats.ks_2samp(left.dropna(), right.dropna(), method="asymp")

    return {"check": run}


CONTENDERS: dict[str, Callable[[pd.DataFrame, pd.DataFrame], Steps]] = {
    "trimtab": trimtab,
    "evidently": evidently,
    "nannyml": nannyml,
    "scipy": scipy,
}


def _forget_peak() -> float:
    """Give freed memory back and let the peak start anew from what is resident; that, in MB."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


if __name__ == "__main__":
    main()
