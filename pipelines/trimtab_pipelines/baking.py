"""A bake looked at and ended: the new champion stays, or the one before is champion again."""

from dataclasses import replace
from datetime import datetime

from trimtab.policy import baking
from trimtab.policy.baking import BakeRules
from trimtab.ports import InferenceLog, Stores
from trimtab.records.bakes import BakeLook
from trimtab.records.incidents import Alert
from trimtab.records.promotions import Move
from trimtab.records.tallies import Evidence
from trimtab.records.trials import Trial
from trimtab.records.versions import ModelVersion

from .bake_facts import gather_facts
from .bench import Bench
from .events import Event
from .pairs import Pair
from .promotion import promote
from .trial_ends import end_trial
from .trial_words import figures_of

ACTOR = "bake"
"""Who goes back by itself."""


def with_look(
    bench: Bench, log: InferenceLog, trial: Trial, pair: Pair, evidence: Evidence
) -> Evidence:
    """Take the look that is due, if any, and keep it with the others."""
    if trial.until is None:
        return evidence
    taken = [look.number for look in evidence.looks]
    number = baking.due(trial.since, trial.until, trial.compared_through, taken)
    if number is None:
        return evidence
    settings = bench.settings.model(trial.model)
    rules = BakeRules(
        confidence=settings.promotion.confidence,
        min_rows=settings.gate.min_rows,
        max_slowdown=settings.promotion.max_slowdown,
    )
    facts = gather_facts(bench, log, trial, pair, evidence.tally, number)
    now, through = bench.clock.now(), trial.compared_through
    look = baking.look(facts, rules, number, at=now, through=through)
    return replace(evidence, looks=(*evidence.looks, look))


def conclude_bake(
    stores: Stores, trial: Trial, evidence: Evidence, before: ModelVersion, *, at: datetime
) -> Trial | None:
    """End a bake, in the caller's transaction, when a look says so or its time is over.

    None while it goes on. Raises StaleTrialError and StaleEpochError, after which nothing may be
    committed.
    """
    look = evidence.looks[-1] if evidence.looks else None
    if look is not None and look.worse:
        return _take_back(stores, trial, evidence, look, before, at)
    if trial.until is None or trial.compared_through < trial.until:
        return None
    shown = figures_of(look) if look else ["nothing was compared"]
    because = [f"version {trial.champion} stays", *shown]
    return end_trial(
        stores, trial, because, at=at, actor=ACTOR, evidence=evidence, event=Event.BAKE_PASSED
    )


def _take_back(
    stores: Stores,
    trial: Trial,
    evidence: Evidence,
    look: BakeLook,
    before: ModelVersion,
    at: datetime,
) -> Trial:
    worse = ", ".join(figure.question for figure in look.worse)
    because = [f"version {trial.champion} is worse than version {trial.challenger}: {worse}"]
    because += figures_of(look)
    ended = end_trial(
        stores, trial, because, at=at, actor=ACTOR, evidence=evidence, event=Event.BAKE_FAILED
    )
    current = stores.promotions.current(trial.model)
    reason = f"rolled back from version {trial.champion} by its bake"
    promote(
        stores,
        before,
        against=current,
        actor=ACTOR,
        reasons=[reason, *because],
        at=at,
        how=Move.BAKE,
    )
    stores.outbox.put(_alert(trial, because, at))
    return ended


def _alert(trial: Trial, because: list[str], at: datetime) -> Alert:
    model = trial.model
    command = f"trimtab history {model}"
    lines = [
        *(f"- {reason}" for reason in because),
        "",
        f"Version {trial.challenger} answers again. Version {trial.champion} does not come back by "
        f"itself; with trimtab promote {model} {trial.champion} --force a person may put it back.",
    ]
    return Alert(
        key=f"bake failed:{trial.id}",
        model=model,
        title=f"{model}: version {trial.champion} did not prove itself and was rolled back",
        body="\n".join(lines),
        at=at,
        command=command,
    )
