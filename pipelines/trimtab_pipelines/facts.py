"""Gathering what is known when a new version is asked for."""

from dataclasses import replace
from datetime import datetime

import pandas as pd

from trimtab.policy.asking import facts_of
from trimtab.policy.known import read_known
from trimtab.policy.retrain import RetrainFacts
from trimtab.ports import Database
from trimtab.records.requests import RetrainRequest
from trimtab.records.versions import ModelVersion
from trimtab.settings import ModelSettings

WINDOW_TAG = "trimtab.window"
"""The training window that a version was made from."""
TRAINED_ROWS_TAG = "trimtab.trained_rows"
"""How many rows, the oldest, a version was trained on: the split where there is no time column."""


def gather(
    database: Database, settings: ModelSettings, request: RetrainRequest, now: datetime
) -> RetrainFacts:
    """Read what the stores know about a request's model; rows are counted elsewhere."""
    with database.transaction() as stores:
        known = read_known(stores, request.model, n=settings.monitor.n, now=now)
    return facts_of(replace(known, count=None), request.trigger, request)


def unseen(settings: ModelSettings, rows: pd.DataFrame, *versions: ModelVersion) -> pd.DataFrame:
    """Give the rows that none of the versions was trained on; rows are in time order."""
    if not versions:
        return rows
    if settings.time is None:
        return rows.iloc[max(int(v.tags.get(TRAINED_ROWS_TAG, 0)) for v in versions) :]
    until = max(version.trained_until for version in versions)
    return rows[pd.to_datetime(rows[settings.time], utc=True) >= until]
