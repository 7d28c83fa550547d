"""One run, from the data to tables."""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

from rich.console import Console
from tests.benchmarks.environments import NotInstalledError
from tests.benchmarks.serving.surroundings import machine

from trimtab.records.documents import from_json, to_json

from . import accuracy, cost, pays, power, report, undisturbed
from .contenders import CONTENDERS
from .data import TIMED, UNTIMED, DataSet
from .opinions import Contender
from .results import Results, Surroundings
from .rows import Use
from .sources import NoDataError

BUDGETS = (0.01, 0.05)
_PACKAGES = ("evidently", "numpy", "pandas", "scipy", "xgboost")
_SLOW_WINDOWS = 40


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


_KEPT: Mapping[type, str] = {
    undisturbed.Alarms: "alarms",
    power.Found: "found",
    power.Delay: "delays",
    pays.Paid: "paid",
    accuracy.Accuracy: "accuracy",
    cost.Cost: "costs",
}
"""Where in the results each figure goes."""
_NAMING = (
    *("contender", "data", "column", "window_rows", "budget", "change"),
    *("rows", "columns", "step", "shift"),
)
"""What a figure is of, rather than what it says."""


def run(wanted: Wanted, file: Path | None) -> int:
    """Measure, print and keep; gives the exit code. What is going on is told on stderr."""
    told = Console(stderr=True)
    contenders = [c for c in CONTENDERS if _is_in(wanted.contenders, c.name)]
    sets = [
        data
        for data in (*TIMED, *UNTIMED)
        if data.use in wanted.uses and _is_in(wanted.sets, data.name)
    ]
    if not _are_known("Contenders", wanted.contenders, [c.name for c in CONTENDERS], told):
        return 2
    if not _are_known("Data sets", wanted.sets, [d.name for d in (*TIMED, *UNTIMED)], told):
        return 2
    found = earlier(file)
    try:
        for what, items in _plan(wanted, contenders, sets):
            for item in _told(items, told, what):
                put(found[_KEPT[type(item)]], item)
                _keep(_results(found, wanted, contenders), file)
    except (NoDataError, NotInstalledError) as error:
        told.print(f"Nothing is claimed: {error}", style="red", markup=False)
        return 1
    results = _results(found, wanted, contenders)
    parts = [report.summary(results), *(t.markdown() for t in report.tables(results))]
    sys.stdout.write("\n\n".join(parts) + "\n")
    return 0


def _plan(
    wanted: Wanted, contenders: Sequence[Contender], sets: Sequence[DataSet]
) -> Iterator[tuple[str, Iterable[object]]]:
    """Give the parts that are wanted; each is measured while its figures are taken."""
    timed = [data for data in sets if data in TIMED]
    for part, rows in product(wanted.parts, wanted.rows):
        words = f"{part}, {rows} rows"
        if part == "false-alarms":
            yield (
                words,
                undisturbed.false_alarms(
                    timed,
                    contenders,
                    window_rows=rows,
                    budgets=BUDGETS,
                    windows=wanted.windows,
                    seed=wanted.seed,
                ),
            )
        if part == "power":
            yield (
                words,
                power.found(
                    sets,
                    contenders,
                    window_rows=rows,
                    budget=BUDGETS[0],
                    references=wanted.references,
                    windows=wanted.draws,
                    seed=wanted.seed,
                ),
            )
        if part == "slow":
            yield (
                words,
                power.delays(
                    sets,
                    contenders,
                    window_rows=rows,
                    budget=BUDGETS[0],
                    streams=wanted.streams,
                    length=_SLOW_WINDOWS,
                    seed=wanted.seed,
                ),
            )
    if "pays" in wanted.parts:
        yield "pays", pays.paid(timed, contenders, budgets=BUDGETS)
    if "accuracy" in wanted.parts:
        shifts = (0.0, 0.25)
        yield (
            "accuracy",
            accuracy.accuracy(sets, window_rows=1000, shifts=shifts, seed=wanted.seed),
        )
    if "cost" in wanted.parts:
        asked = [n for n in cost.ALL if any(c.name.startswith(n) for c in contenders)]
        yield "cost", cost.costs(asked, rows=wanted.cost_rows, columns=wanted.cost_columns)


def _results(
    found: Mapping[str, list[object]], wanted: Wanted, contenders: Sequence[Contender]
) -> Results:
    around = Surroundings(
        machine=machine(), versions={p: version(p) for p in _PACKAGES}, seed=wanted.seed
    )
    words = {contender.name: contender.words for contender in contenders}
    kept: dict[str, Any] = dict(found)
    return Results(surroundings=around, words=words, **kept)


def _keep(results: Results, file: Path | None) -> None:
    """Write each figure as it comes: a run takes hours, and may be ended."""
    if file is not None:
        partial = file.with_name(f"{file.name}.partial")
        partial.write_bytes(to_json(results, indent=2))
        partial.replace(file)


def earlier(file: Path | None) -> dict[str, list[object]]:
    """Give the figures of earlier runs that wrote to this file."""
    found: dict[str, list[object]] = {name: [] for name in _KEPT.values()}
    if file is not None and file.exists():
        results = from_json(Results, file.read_bytes())
        found = {name: list(getattr(results, name)) for name in found}
    return found


def put(figures: list[object], figure: object) -> None:
    """Add a figure, in the place of an earlier one of the same."""
    same = [n for n, known in enumerate(figures) if _about_what(known) == _about_what(figure)]
    if same:
        figures[same[0]] = figure
    else:
        figures.append(figure)


def _about_what(figure: object) -> tuple[object, ...]:
    return tuple(getattr(figure, name, None) for name in _NAMING)


def _is_in(names: Sequence[str] | None, name: str) -> bool:
    return names is None or name in names


def _are_known(what: str, names: Sequence[str] | None, known: Sequence[str], told: Console) -> bool:
    is_known = set(names or ()) <= set(known)
    if not is_known:
        told.print(f"{what} are: {', '.join(known)}", markup=False)
    return is_known


def _about(item: object) -> str:
    if isinstance(item, cost.Cost):
        return f"{item.contender}, {item.rows:,} x {item.columns}"
    return str(getattr(item, "data", ""))


def _told(found: Iterable[object], told: Console, what: str) -> Iterator[object]:
    last = ""
    for item in found:
        if (name := _about(item)) != last:
            told.print(f"{time.strftime('%H:%M:%S')} {what}: {name}", style="dim", markup=False)
        last = name
        yield item
