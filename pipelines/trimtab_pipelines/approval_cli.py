"""The verbs for winners that wait for a person: approve, reject."""

import click

from trimtab.cli import console, project_option
from trimtab.errors import ExitCode
from trimtab.settings import Settings

from .keyboard import actor, require_mlflow
from .shown import conclude, show_contest, show_moved


@click.command(epilog="Example: trimtab approve late-arrival 7")
@click.argument("model")
@click.argument("version")
@project_option
def approve(settings: Settings, model: str, version: str) -> None:
    """Make VERSION, which won and waits for approval, the champion of MODEL.

    With retrain.approval = "manual" a winner waits for this. What waits, and for how long, is
    told by trimtab status. Where another version has become champion meanwhile, VERSION is judged
    again on the newest rows; if it does not win again it is rejected.

    Exit codes: 0 promoted, 1 the champion moved at the same moment, 2 it does not wait, 3 it was
    judged again and did not win.
    """
    settings.model(model)
    require_mlflow(settings)
    with console.status(f"{model}: version {version} is looked at"):
        from .approving import approve as approve_winner
        from .bench import open_bench

        found = approve_winner(open_bench(settings), model, version, actor=actor())
    if found.contest:
        show_contest(found.contest)
    if found.promotion is None:
        reasons = found.contest.result.reasons if found.contest else ()
        conclude(settings, model, version, "rejected", reasons)
        raise SystemExit(ExitCode.REFUSED)
    show_moved(settings, found.promotion)


@click.command(epilog='Example: trimtab reject late-arrival 7 --why "JFK is missing in it"')
@click.argument("model")
@click.argument("version")
@click.option("--why", metavar="TEXT", required=True, help="Kept in the ledger.")
@project_option
def reject(settings: Settings, model: str, version: str, why: str) -> None:
    """Refuse VERSION of MODEL, which won and waits for approval.

    The champion stays, and new versions may be trained again. It counts as a challenger that lost
    (retrain.give_up_after). Exit codes: 0 rejected, 2 it does not wait.
    """
    if not why.strip():
        raise click.UsageError('--why "..." is for whoever asks later: say why')
    settings.model(model)
    require_mlflow(settings)
    with console.status(f"{model}: version {version}"):
        from .approving import reject as reject_winner
        from .bench import open_bench

        ended = reject_winner(open_bench(settings), model, version, actor=actor(), why=why)
    conclude(settings, model, version, "rejected; the champion stays", ended.reasons[-1:])
