"""`trimtab watch`: what the monitor concluded, and the monitor itself."""

import logging
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from rich.table import Table

from trimtab.cli import console, project_option
from trimtab.errors import ExitCode
from trimtab.policy.quality_words import said_of
from trimtab.records.quality import Quality
from trimtab.records.verdicts import Verdict, VerdictKind

from .details import as_document, details_of

if TYPE_CHECKING:
    from trimtab.settings import Settings

    from .watching import Watch

_SHOWN = 10  # verdicts a model
_DELIVERY_SECONDS = 30.0  # what is not delivered by then stays in the outbox
_COLOURS = {
    VerdictKind.STABLE: "green",
    VerdictKind.DRIFT: "yellow",
    VerdictKind.BROKEN_DATA: "red",
    VerdictKind.NOT_ENOUGH_ROWS: "dim",
}


@click.command(epilog="Exit code with --once: 0 all is well, 3 the newest window is not.")
@click.argument("model", required=False)
@click.option("--once", is_flag=True, help="Judge what is closed, print it and end.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: as --once, as JSON.")
@project_option
def watch(settings: "Settings", model: str | None, once: bool, as_json: bool) -> None:
    """Judge live traffic window by window: drift, broken data, quality.

    `trimtab up` does it all the time; this is for a look in between, or for a schedule of your
    own. MODEL is one model; without it, all are watched.
    """
    once = once or as_json
    models = [model] if model else list(settings.project.models)
    for name in models:
        settings.model(name)  # an unknown name must not wait for the imports below

    from .worker import open_delivery, open_monitor, run

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING if once else logging.INFO)
    if not once:
        run(settings, models)
        return
    delivery, monitor = open_delivery(settings), open_monitor(settings, models)
    verdicts = {watched.model: _judge(watched) for watched in monitor.watches}
    delivery.drain(_DELIVERY_SECONDS)
    if as_json:
        click.echo(as_document(verdicts))
    else:
        for watched in monitor.watches:
            _show(watched, verdicts[watched.model])
    if any(found and not found[0].is_well for found in verdicts.values()):
        raise SystemExit(ExitCode.REFUSED)


def _judge(watched: "Watch") -> Sequence[Verdict]:
    while watched.step():
        pass
    with watched.database.transaction() as stores:
        return stores.verdicts.recent(watched.model, limit=_SHOWN)


def _show(watched: "Watch", verdicts: Sequence[Verdict]) -> None:
    if verdicts:
        console.print(table_of(watched.model, verdicts))
        console.print(details_of(verdicts[0]))
    else:
        console.print(f"{watched.model}: no window is closed yet", markup=False)
    for column, factor in sorted(watched.sensitivity().items()):
        told = f"{column}: marked false before; its share of the false-alarm budget is {factor:g}"
        console.print(f"  {told} of the usual (trimtab incident list)", style="dim", markup=False)


def table_of(model: str, verdicts: Sequence[Verdict]) -> Table:
    """Lay verdicts out, the newest last."""
    table = Table(title=model, title_justify="left")
    for name in ("window", "version", "rows", "verdict", "columns", "quality"):
        table.add_column(name, justify="right" if name == "rows" else "left")
    for verdict in reversed(verdicts):
        colour = _COLOURS[verdict.kind]
        table.add_row(
            str(verdict.window),
            verdict.version,
            str(verdict.rows),
            f"[{colour}]{verdict.kind}[/]",
            _columns(verdict),
            _quality(verdict.quality),
        )
    return table


def _columns(verdict: Verdict, *, most: int = 4) -> str:
    names = [finding.column for finding in (*verdict.broken, *verdict.drifted)]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]).replace("[", r"\[") + more


def _quality(quality: Quality | None) -> str:
    if quality is None:
        return "-"
    if quality.voice is None:
        return said_of(quality)
    colour = "yellow" if quality.is_worse else "green"
    return f"[{colour}]{said_of(quality)}[/]"
