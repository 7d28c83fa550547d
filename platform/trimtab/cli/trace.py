"""`trimtab trace`: from one prediction back to the data, and from there forth again."""

from typing import TYPE_CHECKING

import click

from trimtab.errors import SettingsError

from .options import project_option
from .output import console
from .trace_page import line_of, page_of

if TYPE_CHECKING:
    from trimtab.settings import Settings
    from trimtab.trace import Wanted

_LIMIT = 20


@click.command(
    epilog="Example: trimtab trace 0199c2f1a77d7c3e9a5b0d6f2e4c8a10-0 (the id stands in the "
    "endpoint's answer), or: trimtab trace --version 7 --json > seven.jsonl. Exit codes: 1 a store "
    "that is needed does not answer, 3 there is no such prediction."
)
@click.argument("prediction_id", required=False)
@click.option("--model", help="Of which model.  [default: all of them, or the only one]")
@click.option("--version", help="The other way: the predictions of a version.")
@click.option("--snapshot", help="Or of all versions made of a dataset snapshot, by its digest.")
@click.option("--key", help="Or of a key, as callers send it.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=None,
    help=f"List so many at most; 0 lists all.  [default: {_LIMIT}; with --json, 0]",
)
@click.option("--count", "only_count", is_flag=True, help="Only tell how many there are.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: JSON; of a list, one a line.")
@project_option
def trace(
    settings: "Settings",
    prediction_id: str | None,
    model: str | None,
    version: str | None,
    snapshot: str | None,
    key: str | None,
    limit: int | None,
    only_count: bool,
    as_json: bool,
) -> None:
    """Show everything that is known of one prediction.

    Which version answered, as what (champion, canary, since rolled back), its bento, MLflow run,
    environment, dataset snapshot and reference, the verdicts on its window, its label and when
    that came. What a store cannot tell just now is listed with the reason; the rest is shown.

    With --version, --snapshot or --key it lists predictions instead. Values that are redacted
    when they are captured stay so here.
    """
    is_list = any(given is not None for given in (version, snapshot, key))
    if is_list == (prediction_id is not None):
        raise SettingsError("name one prediction by its id, or --version, --snapshot or --key")
    if prediction_id is not None:
        if limit is not None or only_count:
            raise SettingsError("--limit and --count go with --version, --snapshot or --key")
        _show(settings, prediction_id, model, as_json=as_json)
        return
    from trimtab.trace import wanted_of

    chosen = wanted_of(
        settings, _only_model(settings, model), version=version, snapshot=snapshot, key=key
    )
    if only_count:
        _count(settings, chosen)
    else:
        most = (0 if as_json else _LIMIT) if limit is None else limit
        _list(settings, chosen, most, as_json=as_json)


def _show(settings: "Settings", prediction_id: str, model: str | None, *, as_json: bool) -> None:
    from trimtab.records.documents import to_json
    from trimtab.trace import follow

    with console.status("Looking the prediction up ..."):
        found = follow(settings, prediction_id, model)
    if as_json:
        click.echo(to_json(found, indent=2))
    else:
        console.print(page_of(found))


def _count(settings: "Settings", chosen: "Wanted") -> None:
    from trimtab.adapters.opening import open_log
    from trimtab.trace import count

    click.echo(count(open_log(settings), chosen))


def _list(settings: "Settings", chosen: "Wanted", most: int, *, as_json: bool) -> None:
    from itertools import islice

    from trimtab.adapters.opening import open_log
    from trimtab.records.documents import to_json
    from trimtab.trace import count, streamed

    log, shown = open_log(settings), 0
    for prediction in islice(streamed(log, chosen), most or None):
        click.echo(to_json(prediction) if as_json else line_of(prediction))
        shown += 1
    if not as_json:
        rest = (
            "" if not most or shown < most else f" of {count(log, chosen):,}; --limit 0 lists all"
        )
        click.echo(f"{shown:,} predictions{rest}")


def _only_model(settings: "Settings", model: str | None) -> str:
    declared = list(settings.project.models)
    if model is not None:
        settings.model(model)
        return model
    if len(declared) != 1:
        raise SettingsError(f"say of which model: --model with one of {', '.join(declared)}")
    return declared[0]
