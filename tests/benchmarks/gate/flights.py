"""How often the gate promotes what is no better: really trained models on a year of flights.

    .venv/bin/python tests/benchmarks/gate/flights.py --pairs 200

Models are fitted on bootstrap halves of the flights of January to May; each pair is judged on the
days of June to December. Which of the two is the challenger is drawn for each week: so neither is
better in truth, and luck within a day, within a week and within an airport is that of the data. A
true gain is then added to every row to see how often it is found.
"""

import argparse
import importlib.util
from itertools import combinations
from pathlib import Path

import click
import numpy as np
import pandas as pd
from scipy import stats
from xgboost import XGBClassifier

from trimtab.policy.gate import compare
from trimtab.policy.looks import asked_of
from trimtab.records.looks import Asked

FLIGHTS = Path(__file__).parents[3] / "examples" / "flights" / "flights.py"
INPUTS = ["hour", "weekday", "distance", "scheduled_minutes", "departures_that_hour", "temp"]
CONFIDENCE = 0.95
DAYS = 28


def rows() -> pd.DataFrame:
    """Give the flights, with the day of each from 0."""
    spec = importlib.util.spec_from_file_location("flights", FLIGHTS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    known: pd.DataFrame = module.load()
    day = known["scheduled_departure"].dt.floor("D")
    return known.assign(day=(day - day.min()).dt.days)


def losses(known: pd.DataFrame, models: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Fit so many models on halves; give the rows of the later days, and each model's losses."""
    past, later = known[known["day"] < 151], known[known["day"] >= 151]
    found = []
    for seed in range(models):
        half = past.sample(frac=0.5, replace=True, random_state=seed)
        model = XGBClassifier(n_estimators=40, max_depth=4, learning_rate=0.2, n_jobs=1)
        model.fit(half[INPUTS], half["late"].astype(int))
        said = np.clip(model.predict_proba(later[INPUTS])[:, 1], 1e-7, 1 - 1e-7)
        late = later["late"].to_numpy(dtype=bool)
        found.append(-np.log(np.where(late, said, 1 - said)))
    return later, np.array(found)


def judge(
    later: pd.DataFrame,
    pair: tuple[np.ndarray, np.ndarray],
    first: int,
    random: np.random.Generator | None,
    gain: float,
    asked: Asked | None = None,
) -> bool:
    """Judge a pair on four weeks; with `random`, it is drawn who is the challenger in each."""
    day = later["day"].to_numpy()
    use = (day >= first) & (day < first + DAYS)
    week = (day[use] - first) // 7
    swapped = np.zeros(8, bool) if random is None else random.random(8) < 0.5
    one, two = pair[0][use], pair[1][use]
    champion = np.where(swapped[week], two, one)
    challenger = np.where(swapped[week], one, two) - gain
    origin = later["origin"].to_numpy()[use]
    return compare(
        champion,
        challenger,
        blocks=day[use],
        slices={name: origin == name for name in ("EWR", "JFK", "LGA")},
        metric="log_loss",
        confidence=CONFIDENCE,
        min_rows=100,
        seed=0,
        asked=asked,
    ).passed


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=200)
    count = parser.parse_args().pairs
    models = int(np.ceil((1 + np.sqrt(1 + 8 * count)) / 2))
    later, table = losses(rows(), models)
    random = np.random.default_rng(0)
    pairs = list(combinations(range(models), 2))
    chosen = [pairs[n] for n in random.permutation(len(pairs))[:count]]
    sides = [(table[a], table[b]) for a, b in chosen]
    starts = random.integers(151, 365 - DAYS, count).tolist()
    first_look = asked_of(CONFIDENCE, np.arange(1.0), [])
    click.echo(
        f"{models} models, {count} pairs, {DAYS} days of about {len(later) / 214:.0f} flights"
    )
    for name, asked in (("without looks", None), ("as a first look", first_look)):
        equal = [judge(later, p, s, random, 0.0, asked) for p, s in zip(sides, starts, strict=True)]
        error = 1 - (asked.confidence if asked else CONFIDENCE)
        most = stats.binom.ppf(0.999, count, error) / count
        click.echo(
            f"equals promoted, {name}: {np.mean(equal):.1%} "
            f"(stated {error:.1%}, at most {most:.1%})"
        )
    really = [float((one - two).mean()) for one, two in sides]
    won = [judge(later, p, s, None, 0.0, first_look) for p, s in zip(sides, starts, strict=True)]
    wrong = sum(w and gain <= 0 for w, gain in zip(won, really, strict=True))
    click.echo(
        f"as they are: {np.mean(won):.1%} promoted; {wrong} of {count} worse over all seven months"
    )
    mean = float(table.mean())
    for gain in (0.0025, 0.005, 0.01, 0.02):
        found = [
            judge(later, p, s, random, gain * mean, first_look)
            for p, s in zip(sides, starts, strict=True)
        ]
        click.echo(f"a true gain of {gain:.2%} of the loss is found in {np.mean(found):.0%}")


if __name__ == "__main__":
    main()
