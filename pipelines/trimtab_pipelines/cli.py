"""The verbs of pipelines: train, promote, rollback, demo."""

from datetime import datetime

import click

from trimtab.cli import Moment, console, project_option
from trimtab.errors import ExitCode
from trimtab.records.requests import RequestState
from trimtab.settings import Settings

from .keyboard import actor, require_mlflow, teller
from .shown import conclude, show_contest, show_moved

_EXIT = {
    RequestState.PROMOTED: ExitCode.OK,
    RequestState.WAITING: ExitCode.OK,
    RequestState.FAILED: ExitCode.FAILED,
}
"""How `train` ends by how its request ended; all else is a no."""


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
        show_contest(outcome.contest)
    ended = outcome.request
    conclude(settings, model, ended.version, str(ended.state), ended.reasons)
    if ended.state is RequestState.WAITING:
        step = (
            f"trimtab approve {model} {ended.version}, or: trimtab reject {model} {ended.version}"
        )
        console.print(f"Approve it: {step}", markup=False)
    raise SystemExit(_EXIT.get(ended.state, ExitCode.REFUSED))


@click.command(epilog="Example: trimtab promote late-arrival 7")
@click.argument("model")
@click.argument("version")
@click.option("--force", is_flag=True, help="Promote it without the gate; needs --why.")
@click.option("--why", metavar="TEXT", help="Why the gate is overridden; kept in the ledger.")
@click.option("--no-bake", is_flag=True, help="It stays, whatever it shows.")
@project_option
def promote(
    settings: Settings, model: str, version: str, force: bool, why: str | None, no_bake: bool
) -> None:
    """Make VERSION the champion of MODEL, if it passes the gate.

    A version that has won already and waits for approval is promoted at once. Any other one is
    compared with the present champion on the newest rows that neither was trained on.

    With --force --why "..." the gate is left out. The version must still load and reproduce its
    golden rows, and the ledger keeps who did it and why.

    A new champion has to prove itself for promotion.bake beside the one before, a forced one too;
    with --no-bake it need not. Exit codes: 0 promoted, 1 somebody else moved the champion at the
    same moment, 3 the gate said no.
    """
    if force != bool(why and why.strip()):
        raise click.UsageError('--force and --why "..." go together: an override needs its reason')
    settings.model(model)
    require_mlflow(settings)
    with console.status(f"{model}: version {version} is looked at"):
        from .bench import open_bench
        from .by_hand import promote_by_hand

        found = promote_by_hand(
            open_bench(settings),
            model,
            version,
            actor=actor(),
            override=why,
            bakes=not no_bake,
        )
    if found.contest:
        show_contest(found.contest)
    if found.promotion is None:
        reasons = found.contest.result.reasons if found.contest else ()
        conclude(settings, model, version, "not promoted", reasons)
        raise SystemExit(ExitCode.REFUSED)
    show_moved(settings, found.promotion)


@click.command(epilog='Example: trimtab rollback late-arrival --why "complaints from JFK"')
@click.argument("model")
@click.option("--to", metavar="VERSION", help="An earlier champion. [default: the one before]")
@click.option("--why", metavar="TEXT", default="", help="Kept in the ledger.")
@project_option
def rollback(settings: Settings, model: str, to: str | None, why: str) -> None:
    """Make the champion before the present one champion of MODEL again.

    Doing it twice goes back further; it never returns to what was rolled back from. With --to any
    earlier champion is taken; trimtab history shows them. The version is fetched, verified and
    loaded first: if that fails, nothing is changed.

    Exit codes: 0 rolled back, 1 the version is damaged or the champion moved at the same moment, 2
    VERSION was never champion, 3 there is none before.
    """
    settings.model(model)
    require_mlflow(settings)
    with console.status(f"{model}: the champion before is looked at"):
        from .bench import open_bench
        from .by_hand import roll_back

        promotion = roll_back(open_bench(settings), model, actor=actor(), why=why, to=to)
    show_moved(settings, promotion)


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
