"""The verbs of pipelines: train, promote, rollback, demo."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from trimtab.cli import console, project_option
from trimtab.errors import ExitCode
from trimtab.records.requests import RequestState
from trimtab.settings import Settings

from .keyboard import actor, require_mlflow, teller

if TYPE_CHECKING:
    from trimtab.records.promotions import Promotion

    from .contest import Contest

_EXIT = {
    RequestState.PROMOTED: ExitCode.OK,
    RequestState.WAITING: ExitCode.OK,
    RequestState.FAILED: ExitCode.FAILED,
}
"""How `train` ends by how its request ended; all else is a no."""


class Moment(click.ParamType[datetime]):
    """A moment in ISO 8601; without a zone it is UTC."""

    name = "ISO 8601"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read it; a bad one is a usage error."""
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time; write 2013-04-01 or 2013-04-01T12:00", param, ctx)
        return moment.replace(tzinfo=moment.tzinfo or UTC)


@click.command(epilog="Example: trimtab train late-arrival --until 2013-04-01")
@click.argument("model")
@click.option("--until", type=Moment(), help="Use only what was known before. [default: now]")
@click.option("--force", is_flag=True, help="Train although the data is broken; needs --why.")
@click.option("--why", metavar="TEXT", help="Why it may be trained; kept in the ledger.")
@project_option
def train(
    settings: Settings, model: str, until: datetime | None, force: bool, why: str | None
) -> None:
    """Train a version of MODEL now, try it against the champion, promote it if proven better.

    It collects the rows, checks them, fits the candidates, registers the best one in MLflow and
    lets it compete with the champion (or, the first time, with a model that knows only how often
    each answer occurs) on the newest rows, which neither was trained on.

    A person need not wait for the cool-down, the budget or a preview that predicts a gain; broken
    data is not trained on, though. With --force --why "..." it is, for you may know better: the
    source is put right, say. A winner then waits for approval.

    Works beside a running platform (trimtab up), whose endpoint then takes over the new
    champion, and with the MLflow server that TRIMTAB_TRACKING_URI names; where there is neither,
    it runs MLflow for as long as it takes. Exit codes: 0 promoted or waiting for approval, 3
    rejected or declined, 1 failed.
    """
    if force != bool(why):
        raise click.UsageError('--force and --why "..." go together: an override needs its reason')
    settings.model(model)
    require_mlflow(settings)
    with console.status(f"{model}: importing the frameworks"):
        from .asking import train_by_hand
        from .bench import open_bench

        bench = open_bench(settings)
    with console.status(model) as status:
        outcome = train_by_hand(
            bench, model, actor=actor(), until=until, override=why, say=teller(status.update)
        )
    if outcome.contest:
        _show(outcome.contest)
    ended = outcome.request
    _conclude(settings, model, ended.version, str(ended.state), ended.reasons)
    if ended.state is RequestState.WAITING:
        console.print(f"Approve it: trimtab promote {model} {ended.version}")
    raise SystemExit(_EXIT.get(ended.state, ExitCode.REFUSED))


@click.command(epilog="Example: trimtab promote late-arrival 7")
@click.argument("model")
@click.argument("version")
@click.option("--force", is_flag=True, help="Promote it without the gate; needs --why.")
@click.option("--why", metavar="TEXT", help="Why the gate is overridden; kept in the ledger.")
@project_option
def promote(settings: Settings, model: str, version: str, force: bool, why: str | None) -> None:
    """Make VERSION the champion of MODEL, if it passes the gate.

    A version that has won already and waits for approval is promoted at once. Any other one is
    compared with the present champion on the newest rows that neither was trained on.

    With --force --why "..." the gate is left out. The version must still load and reproduce its
    golden rows, and the ledger keeps who did it and why. Exit codes: 0 promoted, 3 the gate said
    no.
    """
    if force != bool(why):
        raise click.UsageError('--force and --why "..." go together: an override needs its reason')
    settings.model(model)
    require_mlflow(settings)
    with console.status(f"{model}: version {version} is looked at"):
        from .bench import open_bench
        from .by_hand import promote_by_hand

        found = promote_by_hand(open_bench(settings), model, version, actor=actor(), override=why)
    if found.contest:
        _show(found.contest)
    if found.promotion is None:
        reasons = found.contest.result.reasons if found.contest else ()
        _conclude(settings, model, version, "not promoted", reasons)
        raise SystemExit(ExitCode.REFUSED)
    _moved(settings, found.promotion)


@click.command(epilog='Example: trimtab rollback late-arrival --why "complaints from JFK"')
@click.argument("model")
@click.option("--why", metavar="TEXT", default="", help="Kept in the ledger.")
@project_option
def rollback(settings: Settings, model: str, why: str) -> None:
    """Make the champion before the present one champion of MODEL again.

    Doing it twice goes back further; it never returns to what was rolled back from. The version
    is fetched, verified and loaded first: if that fails, nothing is changed.
    """
    settings.model(model)
    require_mlflow(settings)
    with console.status(f"{model}: the champion before is looked at"):
        from .bench import open_bench
        from .by_hand import roll_back

        promotion = roll_back(open_bench(settings), model, actor=actor(), why=why)
    _moved(settings, promotion)


@click.command(epilog="Example: trimtab demo --exit --project examples/flights")
@click.option("--exit", "leave", is_flag=True, help="End after the replay instead of staying up.")
@project_option
def demo(settings: Settings, leave: bool) -> None:
    """Watch the whole loop on a project's own history, with its time compressed.

    Trains a first version on the rows before [demo] start, serves it, replays the later rows as
    live traffic over HTTP, and lets the loop do the rest: watch, ask, train, judge, promote,
    swap. It ends with a table, window by window, and keeps everything running until Ctrl-C.

    Works in a home of its own; the project's own platform is left alone.
    """
    from .demo.command import run

    run(settings, leave=leave)


def _show(contest: "Contest") -> None:
    from .gate_table import as_table

    console.print(as_table(contest.result, contest.opponent))


def _moved(settings: Settings, promotion: "Promotion") -> None:
    said = f"champion now (it was {promotion.previous or 'none'})"
    _conclude(settings, promotion.model, promotion.version, said, promotion.reasons)


def _conclude(
    settings: Settings, model: str, version: str | None, said: str, reasons: tuple[str, ...]
) -> None:
    from trimtab.adapters.mlflow_links import version_page

    what = f"version {version}" if version else "no version"
    console.print(f"[bold]{model}[/]: {what}: [bold]{said}[/]")
    for reason in reasons:
        console.print(f"  - {reason}", markup=False)
    if version:
        console.print(f"  {version_page(settings.tracking_uri, model, version)}", style="dim")
