"""How often the gate promotes what is no better, and what is: in made worlds, by the hundred.

    .venv/bin/python tests/benchmarks/gate/made.py --worlds 1000

Each world is the life of one champion. Challengers come one after the other and are judged on the
rows that are new by then, with looks counted: on the same rows again and again, and on windows
that move on by a week.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import click
import numpy as np
from scipy import stats

from trimtab.policy.gate import compare
from trimtab.policy.looks import asked_of
from trimtab.records.looks import Look

CONFIDENCE = 0.95
DAYS, ROWS, SLICES = 60, 40, 8
"""Days in a stream, rows of a day, slices of the rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a champion meets, day after day."""

    random: np.random.Generator
    likeness: float
    """Of a day's luck with that of the day before, 0 to 1."""
    day_luck: float = 0.05
    """How much a day favours one of two models, as a standard deviation of its mean gain."""
    row_luck: float = 0.3

    def gains(self, days: int, gain: float) -> np.ndarray:
        """Give what a challenger gains on each row: its true gain, and luck by day and by row."""
        luck = self.random.normal(size=days)
        for day in range(1, days):
            old, new = self.likeness, np.sqrt(1 - self.likeness**2)
            luck[day] = old * luck[day - 1] + new * luck[day]
        rows = self.random.normal(scale=self.row_luck, size=days * ROWS)
        return np.asarray(gain + self.day_luck * np.repeat(luck, ROWS) + rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """When a champion's challengers come, and on which days they are judged."""

    name: str
    windows: tuple[tuple[int, int], ...]
    """First day and the one after the last, of each challenger's rows."""

    @property
    def fresh(self) -> float:
        """How many whole windows of rows there are in all."""
        days = {day for first, last in self.windows for day in range(first, last)}
        return len(days) / (self.windows[0][1] - self.windows[0][0])


LIVES = (
    Life(name="one challenger", windows=((0, 30),)),
    Life(name="10 on the same rows", windows=((0, 30),) * 10),
    Life(name="5 weekly, 30 days each", windows=tuple((w, w + 30) for w in range(0, 29, 7))),
    Life(name="10 on the same 12 days", windows=((0, 12),) * 10),
)


def promotions(life: Life, world: World, gain: float, *, is_counted: bool = True) -> Iterator[bool]:
    """Judge every challenger of a life; each has its own luck, its rows the days' in common."""
    looks: list[Look] = []
    for number, (first, last) in enumerate(life.windows, start=1):
        gains = world.gains(DAYS, gain)[first * ROWS : last * ROWS]
        places = np.repeat(np.arange(first, last, dtype=float), ROWS)
        asked = asked_of(CONFIDENCE, places, looks if is_counted else [])
        looks.append(_look(number, places, asked.confidence))
        if not _might_pass(gains, places):
            yield False
            continue
        of_slice = world.random.integers(0, SLICES, len(gains))
        result = compare(
            np.ones(len(gains)) + gains,
            np.ones(len(gains)),
            blocks=places,
            slices={f"slice={n}": of_slice == n for n in range(SLICES)},
            metric="log_loss",
            confidence=CONFIDENCE,
            min_rows=20,
            seed=0,
            asked=asked if is_counted else None,
        )
        yield result.passed


def _might_pass(gains: np.ndarray, days: np.ndarray) -> bool:
    """Tell what cannot pass whatever the looks, so that it need not be worked out.

    No bound is nearer to the mean than that of normal and independent days.
    """
    _, day = np.unique(days, return_inverse=True)
    means = np.bincount(day, weights=gains) / np.bincount(day)
    return bool(means.mean() > stats.norm.ppf(CONFIDENCE) * means.std(ddof=1) / len(means) ** 0.5)


def _look(number: int, places: np.ndarray, confidence: float) -> Look:
    return Look(
        model="m",
        number=number,
        at=datetime(2013, 1, 1, tzinfo=UTC),
        challenger=str(number),
        challenger_sha256="",
        champion="1",
        start=float(places[0]),
        end=float(places[-1]),
        rows=len(places),
        digest=str(number),
        confidence=confidence,
        passed=False,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=400)
    count = parser.parse_args().worlds
    click.echo(
        f"{count} lives each; promotions of equals per {1 - CONFIDENCE:.0%} of error and window"
    )
    click.echo("| likeness of days | challengers | counted looks | looks not counted | at most |")
    click.echo("| --- | --- | ---: | ---: | ---: |")
    for likeness in (0.0, 0.3, 0.6):
        for life in LIVES:
            worlds = [_world(seed, likeness) for seed in range(count)]
            shares = [
                np.mean([sum(promotions(life, w, 0.0, is_counted=c)) for w in worlds]) / life.fresh
                for c in (True, False)
            ]
            most = stats.binom.ppf(0.999, count, 1 - CONFIDENCE) / count
            shown = " | ".join(f"{share:.1%}" for share in (*shares, most))
            click.echo(f"| {likeness} | {life.name} | {shown} |")
    click.echo("\n| true gain, in standard errors | first look | third look at the same rows |")
    click.echo("| ---: | ---: | ---: |")
    error = np.sqrt(0.05**2 / 30 + 0.3**2 / (30 * ROWS))
    third = Life(name="third", windows=((0, 30),) * 3)
    for errors in (1, 2, 3, 4, 5):
        lives = [list(promotions(third, _world(s, 0.0), errors * error)) for s in range(count)]
        first, last = (np.mean([life[n] for life in lives]) for n in (0, 2))
        click.echo(f"| {errors} ({errors * error:.3f}) | {first:.0%} | {last:.0%} |")


def _world(seed: int, likeness: float) -> World:
    return World(random=np.random.default_rng(seed), likeness=likeness)


if __name__ == "__main__":
    main()
