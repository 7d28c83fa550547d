"""Counting what a champion has not seen: young rows wait until their labels are complete."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trimtab.records.quality import LabelLag
from trimtab.records.versions import ModelVersion
from trimtab.settings import ModelSettings
from trimtab_pipelines.collect import known_rows
from trimtab_pipelines.counting import Counted, count_rows

START = datetime(2013, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=100)
DAY = timedelta(days=1)
CHAMPION = ModelVersion(
    model="m", version="1", run_id="r", trained_until=START + 80 * DAY, manifest_sha256="0"
)


def settings(**other: Any) -> ModelSettings:
    values = {"task": "binary", "source": "rows.csv", "target": "y", "time": "at", **other}
    return ModelSettings.model_validate(values)


def rows(mean_lag: float = 4.0) -> pd.DataFrame:
    """100 rows a day; what happened is known some days later, true ones first."""
    random = np.random.default_rng(0)
    y = random.random(10_000) < 0.5
    days = np.sort(random.uniform(0, 100, 10_000))
    lag = random.exponential(np.where(y, mean_lag / 2, mean_lag))
    return pd.DataFrame(
        {
            "at": pd.Timestamp(START) + pd.to_timedelta(days, unit="D"),
            "came": pd.Timestamp(START) + pd.to_timedelta(days + lag, unit="D"),
            "x": random.normal(size=10_000),
            "y": y,
        }
    )


def counted(model: ModelSettings, known: pd.DataFrame, lag: LabelLag | None = None) -> Counted:
    return count_rows(model, "m", known, champion=CHAMPION, epoch=3, lag=lag, now=NOW)


def test_rows_whose_labels_are_still_coming_are_neither_counted_nor_used() -> None:
    model = settings(label_time="came")
    everything = rows()
    known = known_rows(everything, model, NOW)
    found = counted(model, known)
    arrival = found.count.arrival
    assert arrival is not None
    unseen = everything[everything["at"] >= CHAMPION.trained_until]
    young = known["at"] > NOW - arrival.after

    assert found.count.epoch == 3
    assert len(found.rows) == len(known) - young.sum()
    assert found.rows["at"].max() <= NOW - arrival.after
    assert found.count.new_rows == (found.rows["at"] >= CHAMPION.trained_until).sum()
    assert arrival.expected == pytest.approx(len(unseen), rel=0.05)
    assert arrival.labelled == (known["at"] >= CHAMPION.trained_until).sum()


def test_the_labels_that_come_first_do_not_bias_what_is_used() -> None:
    model = settings(label_time="came")
    known = known_rows(rows(), model, NOW)
    newest = known["at"] > NOW - 2 * DAY
    found = counted(model, known)

    assert known[newest]["y"].mean() > 0.57, "true ones are known earlier"
    last = found.rows[found.rows["at"] > found.rows["at"].max() - 2 * DAY]
    assert last["y"].mean() == pytest.approx(0.5, abs=0.08)


def test_completeness_0_uses_every_labelled_row() -> None:
    model = settings(label_time="came", retrain={"completeness": 0})
    known = known_rows(rows(), model, NOW)
    found = counted(model, known)

    assert found.count.arrival is None
    assert found.count.new_rows == (known["at"] >= CHAMPION.trained_until).sum()
    assert len(found.rows) == len(known)


def test_the_monitors_lag_counts_where_the_source_shows_it() -> None:
    model = settings()
    lag = LabelLag(median=3 * DAY, most=9 * DAY)
    everything = rows()
    lagging = everything[everything["came"] <= pd.Timestamp(NOW)]

    assert counted(model, everything, lag).count.arrival is None, "the source has them all"
    found = counted(model, lagging, lag)
    assert found.count.arrival is not None
    assert found.count.arrival.after >= 9 * DAY
    assert len(found.rows) < len(lagging)


def test_without_time_or_known_lag_all_rows_count() -> None:
    known = rows()

    assert counted(settings(), known).count.arrival is None
    assert len(counted(settings(label_time="came"), known.head(99)).rows) == 99
