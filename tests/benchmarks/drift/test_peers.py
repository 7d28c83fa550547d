"""Peers say here what they say by their own means."""

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

from .evidently_judge import drifted_columns
from .scipy_judge import p_value


def frame(rows: int, shift: float, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "still": rng.normal(size=rows),
            "moved": rng.normal(loc=shift, size=rows),
            "few": rng.choice([1.0, 2.0, 3.0], rows, p=[0.5 - shift / 8, 0.3, 0.2 + shift / 8]),
            "kind": rng.choice(["a", "b"], rows, p=[0.5 + shift / 8, 0.5 - shift / 8]),
        }
    )


def test_evidently_says_what_its_preset_says() -> None:
    for rows, seed in ((800, 1), (3000, 2)):  # its methods change at 1,000 rows
        reference, window = frame(rows, 0.0, seed), frame(300, 0.8, seed + 10)
        definition = DataDefinition(
            numerical_columns=["still", "moved", "few"], categorical_columns=["kind"]
        )
        snapshot = Report([DataDriftPreset()]).run(
            Dataset.from_pandas(window, data_definition=definition),
            Dataset.from_pandas(reference, data_definition=definition),
        )
        counted = snapshot.dict()["metrics"][0]["value"]["count"]

        found = drifted_columns(reference, window)
        assert len(found) == counted
        assert "moved" in found


def test_the_textbook_rejects_what_moved_and_keeps_its_level() -> None:
    reference, window = frame(5000, 0.0, 3), frame(500, 0.8, 4)

    assert p_value(reference["moved"], window["moved"]) < 1e-10
    assert p_value(reference["kind"], window["kind"]) < 0.05
    by_chance = [p_value(reference["still"], frame(200, 0.0, seed)["still"]) for seed in range(300)]
    assert 0.02 < np.mean([p < 0.05 for p in by_chance]) < 0.09
