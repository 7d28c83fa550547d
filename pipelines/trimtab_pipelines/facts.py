"""Gathering what is known when a new version is asked for."""

import pandas as pd

from trimtab.policy.reigns import last_advance, withdrawn
from trimtab.policy.retrain import RetrainFacts, RetrainRules, losses_in_row, trainings_of
from trimtab.ports import Clock, Database
from trimtab.records.incidents import Situation
from trimtab.records.requests import RetrainRequest, Trigger
from trimtab.records.versions import ModelVersion
from trimtab.settings import ModelSettings, RetrainSettings

TRAINED_ROWS_TAG = "trimtab.trained_rows"
"""How many rows, the oldest, a version was trained on: the split where there is no time column."""


_FAR_BACK = 500  # requests, those that were declined included; a budget looks back over months


def rules_of(settings: RetrainSettings) -> RetrainRules:
    """Put the user's settings as rules."""
    return RetrainRules(
        triggers=frozenset(trigger for trigger in Trigger if settings.allows(trigger)),
        cooldown=settings.cooldown,
        budget=settings.budget,
        min_new_rows=settings.min_new_rows,
        give_up_after=settings.give_up_after,
    )


def gather(
    database: Database, clock: Clock, request: RetrainRequest, new_rows: int | None
) -> RetrainFacts:
    """Read what the stores know about a request's model."""
    with database.transaction() as stores:
        recent = stores.requests.recent(request.model, limit=_FAR_BACK)
        history = stores.promotions.history(request.model)
        active = stores.incidents.active(request.model)
    requests = [other for other in recent if other.id != request.id]
    return RetrainFacts(
        trigger=request.trigger,
        now=clock.now(),
        new_rows=new_rows,
        trainings=trainings_of(requests),
        losses_in_row=losses_in_row(requests, last_advance(history), withdrawn(history)),
        in_flight=sum(r.state.is_open for r in requests),
        broken_data=tuple(
            line
            for incident in active
            if incident.situation is Situation.BROKEN_DATA
            for line in incident.evidence or (f"incident {incident.id}",)
        ),
    )


def unseen(settings: ModelSettings, rows: pd.DataFrame, *versions: ModelVersion) -> pd.DataFrame:
    """Give the rows that none of the versions was trained on; rows are in time order."""
    if not versions:
        return rows
    if settings.time is None:
        return rows.iloc[max(int(v.tags.get(TRAINED_ROWS_TAG, 0)) for v in versions) :]
    until = max(version.trained_until for version in versions)
    return rows[pd.to_datetime(rows[settings.time], utc=True) >= until]
