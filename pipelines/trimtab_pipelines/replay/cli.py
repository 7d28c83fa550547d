"""The verb `replay`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trimtab.cli import Moment, console, project_option
from trimtab.errors import SettingsError
from trimtab.settings import Settings

from .policies import NAMES, require_known

if TYPE_CHECKING:
    from trimtab.records.replays import Replay

    from .history import History
    from .running import Progress

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(epilog="Example: trimtab replay late-arrival --picture replay.png")
@click.argument("model")
@click.option(
    "--from",
    "since",
    type=Moment(),
    help="Rows before train the first version. [default: see above]",
)
@click.option("--until", type=Moment(), help="Where the replay ends. [default: with the data]")
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="NAME",
    help='never, monthly, drift, evenly, own, or a condition as in retrain.on: "every 14d". '
    "May be there several times. [default: the five]",
)
@click.option("--from-log", is_flag=True, help="Replay what was captured, not the source.")
@click.option("--json", "json_file", type=_FILE, metavar="FILE", help="Write all of it there.")
@click.option("--picture", type=_FILE, metavar="FILE.png", help="Draw it there.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    help="Trainings at the same time. [default: one a processor, 4 at most]",
)
@click.option(
    "--trials",
    type=click.IntRange(min=0),
    default=0,
    help="Search trials a training; 0 takes the learners' usual settings. [default: 0]",
)
@project_option
def replay(
    settings: Settings,
    model: str,
    since: datetime | None,
    until: datetime | None,
    policies: tuple[str, ...],
    from_log: bool,
    json_file: Path | None,
    picture: Path | None,
    jobs: int | None,
    trials: int,
) -> None:
    """Run MODEL's past through the loop under several retraining policies, side by side.

    Windows are judged, incidents open, requests are declined or trained, and the gate promotes or
    rejects by the code and the settings that decide in production, in simulated time. No decision
    sees a label before it had come. Nothing is registered, promoted or sent.

    \b
    never    the first version for ever
    monthly  a training every 30 days
    drift    drift asks, under the project's own rules (cool-down, budget, enough new rows)
    evenly   as many trainings as drift had, at even distances
    own      the project's own [retrain]

    The past is the model's source, from [demo] start, or else from a quarter of it on. What is
    before trains the first version, which all policies share. With --from-log it is what endpoints
    have captured, with the labels that were told since.

    It ends with the table, what each retraining gained in hindsight, and which policy it would
    take and how sure that is. Exit codes: 0 done, 2 wrong use, 3 there is no such past.
    """
    chosen = settings.model(model)
    names = policies or NAMES
    require_known(names, chosen.retrain)
    _require_writable(json_file, picture)
    with console.status(f"{model}: importing the frameworks"):
        from .history import require_replayable
        from .reading import read_history
        from .running import replay as run

    require_replayable(model, chosen)
    with console.status(f"{model}: reading the past"):
        history = read_history(
            settings, model, since=since, until=until, from_log=from_log, trials=trials
        )
    _announce(history)
    with _shown(history, names) as progress:
        found = run(history, names, processes=jobs or _processes(), progress=progress)
    _show(found)
    _write(found, json_file, picture)


def _processes() -> int:
    return min(4, len(os.sched_getaffinity(0)))


def _require_writable(*files: Path | None) -> None:
    """Find out before the work, not after it."""
    for file in files:
        if file is not None and not os.access(file.absolute().parent, os.W_OK):
            raise SettingsError(f"{file} cannot be written: no such folder, or not writable.")


def _announce(history: "History") -> None:
    rows = len(history.numbers(history.since, history.until))
    console.print(
        f"[bold]{history.model}[/]: {rows:,} rows from {history.since:%Y-%m-%d} to "
        f"{history.until:%Y-%m-%d}, out of {len(history.rows):,} of {history.source}",
    )


@contextmanager
def _shown(history: "History", names: tuple[str, ...]) -> "Iterator[Progress]":
    """Show how far each policy is, and how long all will take."""
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    from .running import Progress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f}%"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console) as bars:
        whole = bars.add_task("all", total=len(names))
        tasks = {name: bars.add_task(name, total=1.0) for name in names}
        shares = dict.fromkeys(names, 0.0)

        def reached(policy: str, share: float) -> None:
            shares[policy] = share
            bars.update(tasks[policy], completed=share)
            bars.update(whole, completed=sum(shares.values()))

        yield Progress(said=lambda words: console.print(f"  {words}", style="dim"), reached=reached)


def _show(found: "Replay") -> None:
    from .words import declined_of, retrainings_of, table_of, verdict_of

    for policy in found.policies:
        if table := retrainings_of(policy):
            console.print(table)
        for line in declined_of(policy):
            console.print(f"  {policy.name}, declined: {line}", style="dim", markup=False)
    console.print(table_of(found))
    for line in verdict_of(found.preference):
        console.print(line, markup=False)
    console.print(
        f"{found.trainings} trainings, {found.cpu_seconds:.0f} s of processor time, "
        f"{found.wall_seconds:.0f} s",
        style="dim",
    )


def _write(found: "Replay", json_file: Path | None, picture: Path | None) -> None:
    try:
        if json_file is not None:
            from trimtab.records.documents import to_json

            json_file.write_bytes(to_json(found, indent=2))
        if picture is not None:
            from .picture import draw

            draw(found, picture)
    except OSError as error:
        raise SettingsError(f"{error.filename} cannot be written: {error.strerror}") from None
    for file in (json_file, picture):
        if file is not None:
            console.print(f"  {file}", style="dim", markup=False)
