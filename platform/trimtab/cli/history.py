"""`trimtab history`: who was champion when, who decided, how and why."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click
from rich.table import Table
from rich.text import Text

from trimtab.errors import ExitCode

from .moments import Moment
from .options import project_option
from .output import console

if TYPE_CHECKING:
    from trimtab.history import History
    from trimtab.policy.reigns import Reign
    from trimtab.records.ledger import LedgerEntry
    from trimtab.settings import Settings


@click.command(epilog="Example: trimtab history late-arrival --at 2013-05-03T12:00")
@click.argument("model")
@click.option("--at", type=Moment(), help="Only the champion of this moment, with its evidence.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: everything, as JSON.")
@project_option
def history(settings: "Settings", model: str, at: datetime | None, as_json: bool) -> None:
    """Show who was champion of MODEL when, who decided, how and why.

    How: `gate`, it was proven better; `approval`, it had won and a person approved it; `force`, a
    person left the gate out; `rollback`, a person went back to it; `adoption`, its alias was set in
    MLflow and it passed the checks; `bake`, the one after it was taken back.

    Each move is compared with the ledger, whose rows are chained by their hashes. Exit codes: 0
    all of it holds, 1 something was changed by hand, 3 nobody was champion then.
    """
    from trimtab.adapters.opening import open_database
    from trimtab.history import evidence_of, history_in
    from trimtab.policy.reigns import reign_at
    from trimtab.records.documents import to_json

    settings.model(model)
    database = open_database(settings)
    found = history_in(database, model)
    chosen = reign_at(found.reigns, at) if at else None
    entries = evidence_of(database, chosen) if chosen else ()
    if as_json:
        shown = {"history": found} if at is None else {"champion": chosen, "evidence": entries}
        told = {**shown, "ledger_rows": found.ledger_rows, "broken": found.broken}
        click.echo(to_json(told, kind=dict[str, object], indent=2))
    elif at is None:
        console.print(table_of(found, datetime.now(UTC)))
    elif chosen is not None:
        _show(chosen, entries, at)
    if not as_json:
        _proof(found)
    if found.broken:
        raise SystemExit(ExitCode.FAILED)
    if (at and chosen is None) or not found.reigns:
        if not as_json:
            when = f"at {at:%F %H:%M}" if at and found.reigns else "yet"
            console.print(f"{model}: nobody was champion {when}")
        raise SystemExit(ExitCode.REFUSED)


def table_of(found: "History", now: datetime) -> Table:
    """Lay it out for a terminal, the newest champion first."""
    table = Table(title=found.model, title_justify="left", box=None, pad_edge=False)
    for heading in ("version", "since", "for", "how", "by", "why"):
        table.add_column(heading, overflow="fold", no_wrap=heading in ("since", "for"))
    for reign in found.reigns:
        move = reign.promotion
        table.add_row(
            Text(move.version),
            f"{move.at:%F %H:%M}",
            _length(reign.lasted(now)) + ("" if reign.until else ", in force"),
            move.how.value,
            Text(move.actor),
            Text("; ".join(move.reasons)),
        )
    return table


def _show(reign: "Reign", entries: "tuple[LedgerEntry, ...]", at: datetime) -> None:
    move = reign.promotion
    until = f"until {reign.until:%F %H:%M}" if reign.until else "until now"
    if reign.ended_how:
        until += f" ({reign.ended_how}, by {reign.ended_by})"
    lines = [
        ("champion", f"version {move.version} at {at:%F %H:%M}"),
        ("from", f"{move.at:%F %H:%M} {until}"),
        ("decided by", f"{move.actor} ({move.how})"),
        *(("because", reason) for reason in move.reasons),
        ("manifest", f"SHA-256 {move.manifest_sha256}"),
        ("before it", f"version {move.previous}" if move.previous else "nobody"),
    ]
    table = Table(title=move.model, title_justify="left", show_header=False, box=None)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in lines:
        table.add_row(name, Text(text))
    for entry in entries:
        told = f"{entry.at:%F %H:%M} {entry.event}, {entry.actor}: {'; '.join(entry.reasons)}"
        table.add_row("ledger", Text(told))
    console.print(table)


def _proof(found: "History") -> None:
    for what in found.broken:
        console.print(Text(f"not proven: {what}"), style="red")
    if not found.broken:
        console.print(f"[dim]the ledger holds: {found.ledger_rows} rows, each chained[/]")


def _length(length: timedelta) -> str:
    minutes = max(0, int(length / timedelta(minutes=1)))
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
