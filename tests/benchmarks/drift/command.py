"""One run, from the data to tables."""

import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from tests.benchmarks.environments import NotInstalledError
from tests.benchmarks.serving.surroundings import machine

from trimtab.records.documents import to_json

from . import accuracy, cost, pays, power, report, undisturbed
from .contenders import CONTENDERS
from .data import TIMED, UNTIMED, DataSet
from .opinions import Contender
from .results import Results, Surroundings
from .rows import Use
from .sources import NoDataError

BUDGETS = (0.01, 0.05)
_PACKAGES = ("evidently", "numpy", "pandas", "scipy", "xgboost")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line asks for."""

    parts: Sequence[str]
    contenders: Sequence[str] | None
    """None for all."""
    sets: Sequence[str] | None
    """None for all of `uses`."""
    uses: Sequence[Use]
    rows: Sequence[int]
    windows: int
    """Undisturbed windows of each data set."""
    draws: int
    """Windows of each change and reference."""
    references: int
    streams: int
    cost_rows: Sequence[int]
    cost_columns: Sequence[int]
    seed: int


def run(wanted: Wanted, file: Path | None) -> int:
    """Measure, print and keep; gives the exit code. What is going on is told on stderr."""
    told = Console(stderr=True)
    names = [contender.name for contender in CONTENDERS]
    unknown = set(wanted.contenders or ()) - set(names)
    if unknown:
        told.print(f"Contenders are: {', '.join(names)}", markup=False)
        return 2
    try:
        results = measure(wanted, told)
    except (NoDataError, NotInstalledError) as error:
        told.print(f"Nothing is claimed: {error}", style="red", markup=False)
        return 1
    if file is not None:
        file.write_bytes(to_json(results, indent=2))
    parts = [report.summary(results), *(t.markdown() for t in report.tables(results))]
    sys.stdout.write("\n\n".join(parts) + "\n")
    return 0


def measure(wanted: Wanted, told: Console) -> Results:
    """Run the parts that are wanted, one after the other. Raises NoDataError."""
    contenders = [c for c in CONTENDERS if wanted.contenders in (None, ()) or _in(c, wanted)]
    timed, plain = _chosen(TIMED, wanted), _chosen(UNTIMED, wanted)
    alarms: list[undisturbed.Alarms] = []
    found: list[power.Found] = []
    delays: list[power.Delay] = []
    paid: list[pays.Paid] = []
    binned: list[accuracy.Accuracy] = []
    spent: list[cost.Cost] = []
    for rows in wanted.rows:
        if "false-alarms" in wanted.parts:
            said = undisturbed.false_alarms(
                timed,
                contenders,
                window_rows=rows,
                budgets=BUDGETS,
                windows=wanted.windows,
                seed=wanted.seed,
            )
            alarms += _told(said, told, f"false alarms, {rows} rows")
        if "power" in wanted.parts:
            noticed = power.found(
                [*timed, *plain],
                contenders,
                window_rows=rows,
                budget=BUDGETS[0],
                references=wanted.references,
                windows=wanted.draws,
                seed=wanted.seed,
            )
            found += _told(noticed, told, f"power, {rows} rows")
        if "slow" in wanted.parts:
            late = power.delays(
                [*timed, *plain],
                contenders,
                window_rows=rows,
                budget=BUDGETS[0],
                streams=wanted.streams,
                length=40,
                seed=wanted.seed,
            )
            delays += _told(late, told, f"slow drift, {rows} rows")
    if "pays" in wanted.parts:
        worth = pays.paid(timed, contenders, budgets=BUDGETS)
        paid += _told(worth, told, "pays")
    if "accuracy" in wanted.parts:
        counted = accuracy.accuracy(
            [*timed, *plain], window_rows=1000, shifts=(0.0, 0.25), seed=wanted.seed
        )
        binned += _told(counted, told, "accuracy")
    if "cost" in wanted.parts:
        asked = [n for n in cost.ALL if any(c.name.startswith(n) for c in contenders)]
        spent += _told(
            cost.costs(asked, rows=wanted.cost_rows, columns=wanted.cost_columns), told, "cost"
        )
    return Results(
        surroundings=Surroundings(
            machine=machine(), versions={p: version(p) for p in _PACKAGES}, seed=wanted.seed
        ),
        words={contender.name: contender.words for contender in contenders},
        alarms=alarms,
        found=found,
        delays=delays,
        paid=paid,
        accuracy=binned,
        costs=spent,
    )


def _in(contender: Contender, wanted: Wanted) -> bool:
    return contender.name in (wanted.contenders or ())


def _chosen(sets: Sequence[DataSet], wanted: Wanted) -> list[DataSet]:
    some = [data for data in sets if data.use in wanted.uses]
    return [data for data in some if wanted.sets is None or data.name in wanted.sets]


def _about(item: object) -> str:
    if isinstance(item, cost.Cost):
        return f"{item.contender}, {item.rows:,} x {item.columns}"
    return str(getattr(item, "data", ""))


def _told(found: Iterable[Item], told: Console, what: str) -> list[Item]:
    every, last = [], ""
    for item in found:
        name = _about(item)
        if name != last:
            told.print(f"{time.strftime('%H:%M:%S')} {what}: {name}", style="dim", markup=False)
        last = name
        every.append(item)
    return every
