"""How trials end: the state, the ledger row and the figures, in one transaction."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from trimtab.ports import Stores
from trimtab.records.promotions import Promotion
from trimtab.records.tallies import Evidence
from trimtab.records.trials import Trial, TrialKind, TrialState

from .events import WORKER, Event, entry
from .trial_words import summary


def end_trial(
    stores: Stores,
    trial: Trial,
    because: Sequence[str],
    *,
    at: datetime,
    actor: str = WORKER,
    evidence: Evidence | None = None,
    event: Event | None = None,
) -> Trial:
    """End a running trial, in the caller's transaction, with what it has shown.

    `event` is for an end that means more than that it has ended. Raises StaleTrialError, after
    which nothing may be committed.
    """
    ended = replace(
        trial,
        state=TrialState.ENDED,
        ended_at=at,
        ended_because=tuple(because),
        revision=trial.revision + 1,
    )
    stores.trials.save(ended, evidence)
    shown = evidence or stores.trials.evidence(trial.id)
    beside = trial.challenger if trial.kind is TrialKind.BAKE else trial.champion
    reasons = [f"{trial.kind} beside version {beside}", *because, *summary(trial, shown)]
    usual = Event.BAKE_ENDED if trial.kind is TrialKind.BAKE else Event.TRIAL_ENDED
    stores.ledger.append(
        entry(event or usual, trial.model, trial.on_trial, at=at, actor=actor, reasons=reasons)
    )
    return ended


def end_overtaken(stores: Stores, promotion: Promotion) -> None:
    """End the trial that another champion has made pointless, in the transaction that moves it."""
    trial = stores.trials.running(promotion.model)
    if trial is None:
        return
    if trial.challenger == promotion.version:
        because = f"version {trial.challenger} became the champion"
    else:
        because = f"version {promotion.version} became the champion in place of {trial.champion}"
    end_trial(stores, trial, [because], at=promotion.at, actor=promotion.actor)
