"""What a person does with trials: begin a canary or a shadow, and end it."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import uuid4

from trimtab.errors import (
    NoChampionError,
    RegistryUnreachableError,
    StaleEpochError,
    TrimtabError,
)
from trimtab.ports import InferenceLog
from trimtab.records.promotions import Promotion
from trimtab.records.trials import Trial, TrialKind
from trimtab.records.versions import Alias

from .bench import Bench
from .comparing import Comparing
from .contenders import load_contender
from .contest import find_version
from .events import Event, entry
from .trial_ends import end_trial
from .trial_errors import (
    NothingCapturedError,
    NoTrialError,
    TrialRunningError,
    UnfitChallengerError,
)
from .trial_fitness import unfit
from .trial_publishing import publish
from .trial_words import title


def begin_trial(
    bench: Bench,
    model: str,
    number: str,
    kind: TrialKind,
    *,
    actor: str,
    why: str,
    share: float | None = None,
    lasts: timedelta | None = None,
    last: timedelta | None = None,
) -> Trial:
    """Begin to try a version beside the champion.

    It goes on from now for as long as it `lasts`; with `last`, it takes captured requests of the
    past up to now instead. Raises UnknownVersionError, NoChampionError, UnfitChallengerError,
    ManifestError, NothingCapturedError, TrialRunningError and StaleEpochError; in each case
    nothing was begun.
    """
    version = find_version(bench.registry, model, number)
    with bench.database.transaction() as stores:
        current = stores.promotions.current(model)
    if current is None:
        raise NoChampionError(model)
    _require_fit(bench, current, number, kind)
    now = bench.clock.now()
    since, until = now, now + lasts if lasts else None
    if last:
        since, until = now - last, _captured_through(bench, model)
        if until <= since:
            raise NothingCapturedError(model, until)
    trial = Trial(
        id=uuid4().hex,
        model=model,
        kind=kind,
        champion=current.version,
        epoch=current.epoch,
        challenger=number,
        manifest_sha256=version.manifest_sha256,
        by=actor,
        why=why,
        began_at=now,
        since=since,
        until=until,
        share=share,
        compared_through=since,
    )
    _write(bench, trial)
    with suppress(RegistryUnreachableError):  # a courtesy to those who look at MLflow
        bench.registry.point(model, Alias.CHALLENGER, number)
    return trial


def compare_now(
    bench: Bench,
    log: InferenceLog,
    trial: Trial,
    *,
    is_last: bool = False,
    say: Callable[[str], None] = lambda what: None,
) -> Trial:
    """Bring a trial's comparison up to date and publish it beside the challenger.

    Raises UnknownVersionError and ManifestError when a version cannot be loaded.
    """
    trial = Comparing(bench=bench, log=log, say=say).catch_up(trial, is_last=is_last)
    publish(bench, trial)
    return trial


def end_by_hand(bench: Bench, log: InferenceLog, model: str, *, actor: str, why: str = "") -> Trial:
    """Compare what has come, and end the trial. Raises NoTrialError."""
    with bench.database.transaction() as stores:
        trial = stores.trials.running(model)
    if trial is None:
        raise NoTrialError(model, "There is no running trial")
    because = [f"{actor} ended it: {why}" if why else f"{actor} ended it"]
    try:
        trial = Comparing(bench=bench, log=log).catch_up(trial, is_last=True)
    except TrimtabError as error:  # what cannot be compared can be ended all the same
        because.append(f"the last requests are not compared: {error}")
    with bench.database.transaction() as stores:
        running = stores.trials.running(model)
        if running is not None and running.id == trial.id:
            trial = end_trial(stores, running, because, at=bench.clock.now(), actor=actor)
    publish(bench, trial)
    return trial


def give_up(bench: Bench, trial: Trial, why: str) -> None:
    """End a trial that cannot go on, unless it has ended meanwhile."""
    with bench.database.transaction() as stores:
        running = stores.trials.running(trial.model)
        if running is not None and running.id == trial.id:
            end_trial(stores, running, [why], at=bench.clock.now())


def _require_fit(bench: Bench, current: Promotion, number: str, kind: TrialKind) -> None:
    """Load both versions, prove them, and see that they can be compared."""
    model = current.model
    if number == current.version:
        raise UnfitChallengerError(model, number, "it is the champion")
    known = find_version(bench.registry, model, current.version)
    home = bench.settings.home
    champion = load_contender(bench.registry, home, known, current.manifest_sha256)
    challenger = load_contender(bench.registry, home, find_version(bench.registry, model, number))
    contract = challenger.predictor.contract
    why = unfit(champion.predictor.contract, contract, kind)
    redacted = bench.settings.model(model).capture.redacts(contract.schema.names)
    if redacted and kind is TrialKind.SHADOW:
        why = why or (
            f"its input {redacted[0]!r} is not kept as it came ([models.{model}.capture]), so "
            "nobody can ask afterwards; try it as a canary"
        )
    if why:
        raise UnfitChallengerError(model, number, why)


def _captured_through(bench: Bench, model: str) -> datetime:
    """Find up to where the past is in the log."""
    with bench.database.transaction() as stores:
        status = stores.endpoints.get(model)
    now = bench.clock.now()
    return min(now, status.shipped_through) if status and status.shipped_through else now


def _write(bench: Bench, trial: Trial) -> None:
    reasons = [title(trial), *filter(None, [trial.why]), _lasts(trial)]
    with bench.database.transaction() as stores:
        current = stores.promotions.current(trial.model)
        if current is None or current.epoch != trial.epoch:
            raise StaleEpochError(trial.model, trial.epoch)
        if not stores.trials.begin(trial):
            running = stores.trials.running(trial.model)
            raise TrialRunningError(running or trial)
        stores.ledger.append(
            entry(
                Event.TRIAL_BEGUN,
                trial.model,
                trial.challenger,
                at=trial.began_at,
                actor=trial.by,
                reasons=reasons,
            )
        )


def _lasts(trial: Trial) -> str:
    def written(moment: datetime) -> str:
        return f"{moment:%Y-%m-%d %H:%M}"

    until = f"until {written(trial.until)}" if trial.until else "until somebody ends it"
    return f"from {written(trial.since)} {until}"
