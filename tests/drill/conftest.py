"""A model's history: a row every 15 seconds, so that an hour is a window."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

SETTINGS = """
[models.orders]
task = "binary"
source = "orders.csv"
target = "returned"
time = "at"
key = "order"

[models.orders.train]
candidates = ["logistic"]
search.trials = 0
window = "8h"

[models.orders.monitor]
window = "1h"
false_alarms = "1 per month"

[models.orders.retrain]
cooldown = "3h"
budget = "20 per week"
min_new_rows = 200

[alerts]
urls = ["https://people.example/who-must-not-be-woken"]
"""


def orders(hours: int) -> pd.DataFrame:
    """Orders that are returned the oftener, the dearer they are."""
    chance, rows = np.random.default_rng(0), hours * 240
    price = chance.gamma(3, 10, rows).round(2)
    rating = chance.normal(3, 1, rows)
    rating[chance.random(rows) < 0.03] = np.nan
    country = chance.choice(["NL", "BE", "DE"], rows, p=[0.5, 0.3, 0.2])
    odds = 0.08 * (price - 30) + 1.5 * (country == "DE") - 0.4 * np.nan_to_num(rating - 3)
    return pd.DataFrame(
        {
            "order": [f"o{n}" for n in range(rows)],
            "at": pd.date_range("2030-01-07", periods=rows, freq="15s", tz="UTC"),
            "price": price,
            "rating": rating,
            "country": country,
            "items": chance.integers(1, 40, rows),
            "returned": chance.random(rows) < 1 / (1 + np.exp(-odds)),
        }
    )


@pytest.fixture(scope="session")
def history() -> pd.DataFrame:
    """Sixty windows of orders."""
    return orders(60)


@pytest.fixture
def project(tmp_path: Path, history: pd.DataFrame) -> Path:
    """A folder with a project that can be drilled."""
    history.to_csv(tmp_path / "orders.csv", index=False)
    (tmp_path / "trimtab.toml").write_text(SETTINGS)
    return tmp_path
