"""`trimtab report`: the page of a window, made when somebody asks for it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trimtab.cli import console, project_option
from trimtab.errors import SettingsError

if TYPE_CHECKING:
    from trimtab.ports import Stores
    from trimtab.records.verdicts import Verdict
    from trimtab.settings import Settings


@click.command()
@click.argument("model")
@click.option(
    "--window",
    "moment",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]),
    help="Any moment of the window, in UTC; without it the newest one.",
)
@click.option("--version", help="Where several versions answered; without it the newest one.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="The file to write; without it MODEL_START_VERDICT.html here.",
)
@project_option
def report(
    settings: "Settings",
    model: str,
    moment: datetime | None,
    version: str | None,
    output: Path | None,
) -> None:
    """Write the report of a judged window, a stable one too.

    Windows that are not well have theirs in MLflow already, beside the version. The page needs
    nothing but itself and can be sent to anybody who may see the data.
    """
    settings.model(model)
    from trimtab.adapters.opening import open_database, open_log, open_registry

    from .past_rows import read_some
    from .report import make_report
    from .versions import Versions

    with open_database(settings).transaction() as stores:
        verdict = find(stores, model, moment.replace(tzinfo=UTC) if moment else None, version)
        endpoint = stores.endpoints.get(model)
    versions = Versions(registry=open_registry(settings), home=settings.home)
    _, watched = versions.get(model, verdict.version)
    readings = read_some(open_log(settings), model, watched, verdict.window)
    page = output or Path(f"{model}_{verdict.window.start:%Y-%m-%dT%H%M}_{verdict.kind}.html")
    make_report(watched, verdict, readings, endpoint).write(page)
    console.print(f"{verdict.window}: {verdict.kind}. Written: {page}", markup=False)


def find(stores: "Stores", model: str, moment: datetime | None, version: str | None) -> "Verdict":
    """Find the verdict of a window. Raises SettingsError where there is none."""
    newest = stores.verdicts.recent(model, version, limit=1)
    if not newest:
        of = f" of version {version}" if version else ""
        raise SettingsError(f"No window{of} of {model!r} has been judged yet.")
    if moment is None:
        return newest[0]
    found = stores.verdicts.at(model, moment)
    chosen = [verdict for verdict in found if version in (None, verdict.version)]
    if not chosen:
        raise SettingsError(
            f"No judged window of {model!r} holds {moment:%Y-%m-%d %H:%M}; "
            f"the newest is {newest[0].window}."
        )
    return chosen[0]
