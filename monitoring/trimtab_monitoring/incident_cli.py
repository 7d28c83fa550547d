"""`trimtab incident`: what is going on, and what people do about it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from trimtab.cli import console, project_option
from trimtab.cli.person import person
from trimtab.records.incidents import FalseMark

if TYPE_CHECKING:
    from trimtab.settings import Settings

_RECENT = 10  # incidents a model that are over


class _Length(click.ParamType[timedelta]):
    """A length of time such as `2d`."""

    name = "length"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Read it, or say how to write it."""
        from trimtab.records.durations import parse_duration  # pydantic: not for --help

        try:
            length = parse_duration(value)
        except (ValueError, OverflowError) as error:
            self.fail(str(error), param, ctx)
        if length > timedelta(days=3650):
            self.fail(f"{value!r} is longer than ten years", param, ctx)
        return length


@click.group()
def incident() -> None:
    """List, show, acknowledge, snooze and mark incidents.

    An incident is one ongoing situation of a model: drift, broken data, lost quality. Windows of
    traffic open it, and windows that are well again, or a new version, end it.
    """


@incident.command("list", epilog="Example: trimtab incident list orders --json")
@click.argument("model", required=False)
@click.option("--all", "every", is_flag=True, help="Those that are over as well.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: everything, as JSON.")
@project_option
def list_(settings: "Settings", model: str | None, every: bool, as_json: bool) -> None:
    """List what is going on, and the columns that were marked false."""
    from trimtab.adapters.opening import open_clock, open_database

    from .incident_pages import Overview, marks_table, overviews_as_json, table

    models = [model] if model else list(settings.project.models)
    for name in models:
        settings.model(name)
    now = open_clock(settings).now()
    with open_database(settings).transaction() as stores:
        overviews = [
            Overview(
                model=name,
                incidents=tuple(
                    stores.incidents.recent(name, limit=_RECENT)
                    if every
                    else stores.incidents.active(name)
                ),
                false_marks=tuple(m for m in stores.false_marks.of(name) if m.is_in_force(now)),
            )
            for name in models
        ]
    if as_json:
        click.echo(overviews_as_json(overviews, now))
        return
    incidents = [found for overview in overviews for found in overview.incidents]
    console.print(table(incidents) if incidents else "No incident.")
    marks = [mark for overview in overviews for mark in overview.false_marks]
    if marks:
        console.print(marks_table(marks, now))


@incident.command(epilog="Example: trimtab incident show orders-20260301T0000-v3-drift")
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="For scripts: everything, as JSON.")
@project_option
def show(settings: "Settings", id: str, as_json: bool) -> None:
    """Show the incident with this ID, window by window."""
    from trimtab.adapters.opening import open_database
    from trimtab.records.documents import to_json

    from .incident_pages import page

    with open_database(settings).transaction() as stores:
        found = stores.incidents.get(id)
    if as_json:
        click.echo(to_json(found, indent=2))
    else:
        console.print(page(found))


@incident.command(epilog="Example: trimtab incident ack orders-20260301T0000-v3-drift")
@click.argument("id")
@click.option("--why", metavar="TEXT", default="", help="Kept in the ledger.")
@project_option
def ack(settings: "Settings", id: str, why: str) -> None:
    """Take the incident with this ID on: it stays, and escalates no longer."""
    from trimtab.adapters.opening import open_clock, open_database

    from .handling import acknowledge

    now = open_clock(settings).now()
    with open_database(settings).transaction() as stores:
        acknowledge(stores, id, by=person(), now=now, why=why)
    console.print(f"{id} is acknowledged by {person()}.", markup=False)


@incident.command(epilog="Example: trimtab incident snooze orders-20260301T0000-v3-drift --for 2d")
@click.argument("id")
@click.option("--for", "lasts", type=_Length(), required=True, help="12h, 2d, 1w.")
@click.option("--why", metavar="TEXT", default="", help="Kept in the ledger.")
@project_option
def snooze(settings: "Settings", id: str, lasts: timedelta, why: str) -> None:
    """Put the incident with this ID off; you are told again if it goes on after that."""
    from trimtab.adapters.opening import open_clock, open_database

    from . import handling

    now = open_clock(settings).now()
    with open_database(settings).transaction() as stores:
        handling.snooze(stores, id, lasts, by=person(), now=now, why=why)
    console.print(f"{id} is snoozed until {now + lasts:%F %H:%M} UTC.", markup=False)


@incident.command(
    "false",
    epilog='Example: trimtab incident false orders-20260301T0000-v3-drift --why "a holiday"',
)
@click.argument("id")
@click.option("--why", metavar="TEXT", default="", help="Kept in the ledger; needed to mark.")
@click.option("--column", "columns", multiple=True, help="Only these. [default: all it shows]")
@click.option("--for", "lasts", type=_Length(), help="How long it counts. [default: 90d]")
@click.option("--undo", is_flag=True, help="Let the marks of this incident count no longer.")
@project_option
def false_(
    settings: "Settings",
    id: str,
    why: str,
    columns: Sequence[str],
    lasts: timedelta | None,
    undo: bool,
) -> None:
    """Say that the incident with this ID is none.

    It ends, and asks for no new version any more. For as long as the mark counts, each
    of its columns has a quarter of its share of the false-alarm budget, so that the same takes
    more to be called drift again; marks multiply. trimtab incident list shows them.
    """
    from trimtab.adapters.opening import open_clock, open_database

    from .handling import FALSE_MARKS_LAST, mark_false, undo_false

    if undo and (columns or lasts):
        raise click.UsageError("--undo takes back all marks of the incident; leave the rest out")
    if not undo and not why.strip():
        raise click.UsageError("say --why: it is kept in the ledger")
    now = open_clock(settings).now()
    with open_database(settings).transaction() as stores:
        if undo:
            marks = undo_false(stores, id, by=person(), now=now, why=why)
        else:
            _require_known(stores.incidents.get(id).columns, columns)
            marks = mark_false(
                stores,
                id,
                by=person(),
                why=why,
                now=now,
                columns=columns or None,
                lasts=lasts or FALSE_MARKS_LAST,
            )
    _say_marked(id, marks, undo=undo)


def _require_known(known: Sequence[str], columns: Sequence[str]) -> None:
    for column in columns:
        if column not in known:
            shown = ", ".join(known) or "none"
            raise click.UsageError(f"the incident does not show {column!r} (it shows: {shown})")


def _say_marked(id: str, marks: Sequence[FalseMark], *, undo: bool) -> None:
    names = ", ".join(mark.column for mark in marks) or "no column"
    if undo:
        text = f"The marks of {id} count no longer: {names} as sensitive as before them."
    else:
        until = f" until {marks[0].until:%F}" if marks else ""
        text = f"{id} is marked false; less sensitive{until}: {names}."
    console.print(text, markup=False)
