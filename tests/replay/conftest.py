"""A small world whose truth turns round: what was likely before is unlikely afterwards."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from trimtab.settings import Settings, load
from trimtab_pipelines.replay.history import History, make_history

START = datetime(2013, 1, 7, tzinfo=UTC)  # a Monday
DAYS, A_DAY = 56, 48
SINCE, TURN = START + timedelta(days=21), START + timedelta(days=30)

TOML = """
[models.late]
task = "binary"
source = "rows.csv"
time = "at"
target = "late"
label_time = "known"

[models.late.train]
candidates = ["logistic"]
search.trials = 0
window = "10d"
max_gap = 9

[models.late.gate]
window = "2d"
min_rows = 60

[models.late.monitor]
window = "1d"
min_rows = 30
k = 1
n = 1

[models.late.retrain]
on = ["drift", "quality"]
cooldown = "5d"
budget = "4 per month"
min_new_rows = 60
preview = false
"""

Past = Callable[..., History]


def world(*, lag: timedelta = timedelta(hours=3), seed: int = 0) -> pd.DataFrame:
    """Rows half an hour apart; `x` tells the label, moves when the world turns, and turns round."""
    random = np.random.default_rng(seed)
    at = pd.Series([START + timedelta(days=n / A_DAY) for n in range(DAYS * A_DAY)])
    after = (at >= TURN).to_numpy()
    x = random.normal(size=len(at)) + 2.5 * after
    odds = np.where(after, -2 * (x - 2.5), 2 * x)
    late = random.random(len(at)) < 1 / (1 + np.exp(-odds))
    return pd.DataFrame(
        {"at": at, "x": x, "z": random.normal(size=len(at)), "late": late, "known": at + lag}
    )


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("project")
    (folder / "trimtab.toml").write_text(TOML)
    world().to_csv(folder / "rows.csv", index=False)
    return load(folder)


@pytest.fixture(scope="session")
def past(project: Settings) -> Past:
    """Gives a past of rows, from the day on which the replay begins."""

    def make(rows: pd.DataFrame | None = None, until: datetime | None = None) -> History:
        return make_history(
            project,
            "late",
            world() if rows is None else rows,
            project.model("late"),
            source="rows.csv",
            since=SINCE,
            until=until,
        )

    return make
