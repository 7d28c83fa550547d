"""One run, from nothing to tables."""

import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from trimtab.records.documents import to_json

from . import report, surroundings
from .contenders import CONTENDERS, TRIMTAB, Contender
from .lineup import NotCapturedError, lineup
from .processes import NotServedError
from .questions import Questions, WrongAnswerError
from .ratios import JUDGED_CONNECTIONS
from .results import Condition, Figure, Results, Started, Surroundings, Swapped
from .rounds import FailedRequestsError, Plan, loading, play
from .shapes import FLOATS
from .subject import PreparationError, Subject, subjects
from .swapping import swaps, warm_starts

_REFUSED = (
    PreparationError,
    NotServedError,
    WrongAnswerError,
    FailedRequestsError,
    NotCapturedError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line asks for."""

    seconds: float
    repeats: int
    connections: Sequence[int]
    rows: Sequence[int]
    peers: Sequence[str] | None
    """None for all."""
    shapes: Sequence[str]
    starts: int
    """How often our endpoint is started warm, and swapped."""


@dataclass(slots=True)
class Found:
    """What has been measured so far."""

    figures: list[Figure]
    starts: list[Started]
    swaps: list[Swapped]
    skipped: dict[str, str]


def run(wanted: Wanted, folder: Path, file: Path | None, markdown: bool) -> int:
    """Measure, print and keep; gives the exit code. What is going on is told on stderr."""
    told, console = Console(stderr=True), Console(width=None if sys.stdout.isatty() else 140)
    unknown = set(wanted.peers or ()) - {c.name for c in CONTENDERS}
    if unknown:
        for contender in CONTENDERS:
            told.print(f"{contender.name:16} {contender.words}", markup=False)
        return 2
    found = Found([], [], [], {})
    try:
        with told.status("training and building what is served"):
            chosen = [s for s in subjects(folder) if s.shape.model in wanted.shapes]
        with loading() as loader:
            for subject in chosen:
                _measure(subject, wanted, folder / "servers", loader, found, told)
    except _REFUSED as error:
        told.print(f"Nothing is claimed: {error}", style="red", markup=False)
        return 1
    finally:
        shutil.rmtree(folder / "servers", ignore_errors=True)
    results = _results(found, wanted, chosen)
    if file is not None:
        file.write_bytes(to_json(results, indent=2))
    _print(results, console, markdown)
    return 0


def _measure(
    subject: Subject,
    wanted: Wanted,
    folder: Path,
    loader: ProcessPoolExecutor,
    found: Found,
    console: Console,
) -> None:
    contenders = [
        c for c in CONTENDERS if subject.shape.model in c.shapes and _is_wanted(c, wanted)
    ]
    questions = [Questions.of(subject, rows) for rows in wanted.rows]
    nearest = min(wanted.connections, key=lambda n: abs(n - JUDGED_CONNECTIONS))
    conditions = [
        Condition(rows=rows, connections=n)
        for rows in wanted.rows
        for n in wanted.connections
        if subject.shape is FLOATS or n == nearest
    ]
    plan = Plan(conditions=conditions, repeats=wanted.repeats, seconds=wanted.seconds)

    def say(what: str) -> None:
        console.print(what, style="dim", markup=False)

    if subject.shape is FLOATS and TRIMTAB in contenders and wanted.starts:
        say(f"{subject.shape.model}: starts and swaps of our endpoint")
        found.starts += warm_starts(subject, folder, wanted.starts)
        found.swaps += swaps(subject, TRIMTAB, wanted.starts, folder, loader)
    with lineup(subject, contenders, folder / subject.shape.model, say) as line:
        found.skipped |= line.skipped
        found.starts += line.starts
        line.check(questions)
        say(f"{subject.shape.model}: all give the model's own numbers")
        found.figures += play(line, questions, plan, loader, say)
        line.check_captured()


def _is_wanted(contender: Contender, wanted: Wanted) -> bool:
    return wanted.peers is None or contender.name in wanted.peers


def _results(found: Found, wanted: Wanted, chosen: Sequence[Subject]) -> Results:
    measured = {figure.contender for figure in found.figures}
    present = [c for c in CONTENDERS if c.name in measured]
    return Results(
        surroundings=Surroundings(
            machine=surroundings.machine(),
            versions=surroundings.versions(),
            trees={subject.shape.model: subject.trees for subject in chosen},
            seconds=wanted.seconds,
            repeats=wanted.repeats,
        ),
        figures=found.figures,
        starts=found.starts,
        swaps=found.swaps,
        skipped=found.skipped,
        words={c.name: c.words for c in present},
        roles={c.name: c.role for c in present},
    )


def _print(results: Results, console: Console, markdown: bool) -> None:
    if markdown:
        parts = [report.summary(results), *(t.markdown() for t in report.tables(results))]
        console.file.write("\n\n".join(parts) + "\n")
        return
    for table in report.tables(results):
        table.show(console)
    console.print(report.summary(results), markup=False)
