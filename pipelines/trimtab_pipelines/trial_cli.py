"""The verbs of trials: canary, shadow, trial."""

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from trimtab.cli import console, project_option
from trimtab.records.durations import parse_duration
from trimtab.records.trials import Trial, TrialKind, parse_share
from trimtab.settings import Settings

from .keyboard import actor, require_mlflow

if TYPE_CHECKING:
    from trimtab.records.tallies import Evidence


class Share(click.ParamType[float]):
    """A share of the requests."""

    name = "SHARE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read it; a bad one is a usage error."""
        try:
            return parse_share(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Length(click.ParamType[timedelta]):
    """A length of time."""

    name = "LENGTH"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Read it; a bad one is a usage error."""
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command(epilog='Example: trimtab canary late-arrival 8 --share 10% --for 3d --why "faster"')
@click.argument("model")
@click.argument("version")
@click.option("--share", type=Share(), required=True, help="Of the requests: 10% or 0.1.")
@click.option("--for", "lasts", type=Length(), help="12h, 3d, 2w. [default: until it is ended]")
@click.option("--why", metavar="TEXT", required=True, help="Kept in the ledger.")
@project_option
def canary(
    settings: Settings, model: str, version: str, share: float, lasts: timedelta | None, why: str
) -> None:
    """Let VERSION answer a share of the requests to MODEL, beside the champion.

    Who comes back with a key meets the same version for as long as the canary lasts; requests
    without keys go by chance. The version is built, proven and loaded like a champion first. If
    it cannot be loaded, or fails to answer, the champion answers the same request. Each answer
    names its version.

    A canary answers callers without having passed the gate, so it needs its reason. It ends by
    itself after --for, and when the champion changes. See how the two compare: trimtab trial
    MODEL. To try a version without answering anybody: trimtab shadow MODEL VERSION.
    """
    settings.model(model)
    require_mlflow(settings)
    with console.status(f"{model}: version {version} is looked at"):
        from .bench import open_bench
        from .trials import begin_trial

        trial = begin_trial(
            open_bench(settings),
            model,
            version,
            TrialKind.CANARY,
            actor=actor(),
            why=why,
            share=share,
            lasts=lasts,
        )
    _begun(trial)


@click.command(epilog="Example: trimtab shadow late-arrival 8 --last 7d")
@click.argument("model")
@click.argument("version")
@click.option("--last", type=Length(), help="Take captured requests of the past, now: 12h, 7d.")
@click.option("--for", "lasts", type=Length(), help="12h, 3d, 2w. [default: until it is ended]")
@click.option("--why", metavar="TEXT", default="", help="Kept in the ledger.")
@project_option
def shadow(
    settings: Settings,
    model: str,
    version: str,
    last: timedelta | None,
    lasts: timedelta | None,
    why: str,
) -> None:
    """Ask VERSION what it would have answered to the captured requests of MODEL.

    Callers notice nothing. With --last the requests of that time are compared here and now;
    without it, those that come from now on are compared by the running platform (trimtab up).
    See how the two compare: trimtab trial MODEL.
    """
    if last is not None and lasts is not None:
        raise click.UsageError("--last is about the past, --for about what comes: use one of them")
    settings.model(model)
    require_mlflow(settings)
    with console.status(f"{model}: version {version} is looked at") as status:
        from trimtab.adapters.opening import open_log

        from .bench import open_bench
        from .trials import begin_trial, compare_now

        bench = open_bench(settings)
        trial = begin_trial(
            bench,
            model,
            version,
            TrialKind.SHADOW,
            actor=actor(),
            why=why,
            lasts=lasts,
            last=last,
        )
        if last is not None:
            log = open_log(settings)
            trial = compare_now(bench, log, trial, is_last=True, say=status.update)
            with bench.database.transaction() as stores:
                evidence = stores.trials.evidence(trial.id)
    if last is None:
        _begun(trial)
        return
    _show(trial, evidence)


@click.command(epilog="Example: trimtab trial late-arrival --end")
@click.argument("model")
@click.option("--end", is_flag=True, help="End it, with what it has shown until now.")
@click.option("--why", metavar="TEXT", default="", help="Why it is ended; kept in the ledger.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: everything, as JSON.")
@project_option
def trial(settings: Settings, model: str, end: bool, why: str, as_json: bool) -> None:
    """Show how the version on trial compares with the champion of MODEL.

    Agreement is the share of rows with the same answer; distance says how far apart the answers
    are as a whole, 0 to 1; differences are the challenger's mean less the champion's. Where
    labels have come, the losses of both on the same rows are compared as the gate does it.

    While a new champion bakes, this shows it beside what the version before would have answered.
    Then --end lets it stay, without further looks.

    The running platform keeps the comparison up to date. A trial decides nothing: trimtab
    promote MODEL VERSION does, by the gate.
    """
    from trimtab.adapters.opening import open_database

    settings.model(model)
    if why and not end:
        raise click.UsageError("--why is for --end")
    if end:
        require_mlflow(settings)
        with console.status(f"{model}: the last requests are compared"):
            from trimtab.adapters.opening import open_log

            from .bench import open_bench
            from .trials import end_by_hand

            end_by_hand(open_bench(settings), open_log(settings), model, actor=actor(), why=why)
    with open_database(settings).transaction() as stores:
        newest = next(iter(stores.trials.recent(model, limit=1)), None)
        evidence = stores.trials.evidence(newest.id) if newest else None
    if newest is None:
        from .trial_errors import NoTrialError

        raise NoTrialError(model, "There was no trial yet")
    if as_json:
        from trimtab.records.documents import to_json

        result, looks = (evidence.result, evidence.looks) if evidence else (None, ())
        shown = {"trial": newest, "result": result, "looks": looks}
        click.echo(to_json(shown, kind=dict[str, object], indent=2))
        return
    _show(newest, evidence)


def _begun(trial: Trial) -> None:
    from .trial_words import title

    console.print(f"[bold]{title(trial)}[/]: begun")
    console.print(f"  see how they compare: trimtab trial {trial.model}", markup=False)
    console.print(f"  end it:               trimtab trial {trial.model} --end", markup=False)


def _show(trial: Trial, evidence: "Evidence | None") -> None:
    from .trial_table import as_table
    from .trial_words import figures_of, remarks, title

    if evidence is None:
        console.print(f"[bold]{title(trial)}[/]")
        console.print("  nothing was compared yet")
    else:
        console.print(as_table(trial, evidence.result))
        for line in remarks(trial, evidence.result):
            console.print(f"  - {line}", markup=False)
        for look in evidence.looks:
            console.print(f"  look {look.number + 1}, {look.at:%Y-%m-%d %H:%M}:", markup=False)
            for line in figures_of(look):
                console.print(f"    - {line}", markup=False)
    if trial.is_running:
        until = f"until {trial.until:%Y-%m-%d %H:%M}" if trial.until else "until it is ended"
        console.print(f"  running since {trial.began_at:%Y-%m-%d %H:%M}, {until}")
    else:
        console.print(f"  ended: {'; '.join(trial.ended_because)}", markup=False)
    if not trial.is_running and trial.kind is not TrialKind.BAKE:
        step = f"trimtab promote {trial.model} {trial.challenger}"
        console.print(f"  to make it champion, by the gate: {step}", markup=False)
