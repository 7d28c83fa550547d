"""How often a bound is wrong that should be wrong in 5 (1) of 100 cases, by the number of blocks.

    .venv/bin/python tests/benchmarks/gate/coverage.py --worlds 2000

Beside `bounds_of_mean` stands what it replaced: the quantiles of plain block resamples.
"""

import argparse

import click
import numpy as np

from trimtab.policy.resampling import bounds_of_mean

KINDS = ("independent", "uneven days", "rare great losses", "heavy tails", "0.3", "0.6")


def plain(sums: np.ndarray, sizes: np.ndarray, confidence: float, draws: np.ndarray) -> float:
    """Bound the mean from below by the quantile of the resampled means."""
    center, count = sums.sum() / sizes.sum(), len(sums)
    drawn = (draws @ sums) / (draws @ sizes)
    low = np.quantile(drawn, 1 - confidence)
    return float(center + (low - center) * np.sqrt(count / (count - 1)))


def days(kind: str, count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Give the sums and sizes of days whose true mean gain is 0."""
    sizes = np.full(count, 50.0)
    luck = random.normal(size=count)
    match kind:
        case "uneven days":
            sizes = np.ceil(random.gamma(2.0, 25.0, count)) + 1
        case "rare great losses":
            luck = np.exp(0.125) - np.exp(0.5 * luck)
        case "heavy tails":
            luck = random.standard_t(3, count)
        case "0.3" | "0.6":
            likeness = float(kind)
            for day in range(1, count):
                luck[day] = likeness * luck[day - 1] + np.sqrt(1 - likeness**2) * luck[day]
    return (luck + random.normal(size=count) / np.sqrt(sizes)) * sizes, sizes


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=1000)
    worlds = parser.parse_args().worlds
    click.echo("| days | blocks | wrong at 95% | before | wrong at 99% | before |")
    click.echo("| --- | ---: | ---: | ---: | ---: | ---: |")
    for kind in KINDS:
        for count in (5, 10, 20, 50):
            draws = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), 2000)
            wrong = np.zeros(4)
            for seed in range(worlds):
                sums, sizes = days(kind, count, np.random.default_rng(seed))
                for at, confidence in enumerate((0.95, 0.99)):
                    now = bounds_of_mean(sums, sizes, confidence, seed=0)
                    wrong[2 * at] += now is not None and now[0] > 0
                    wrong[2 * at + 1] += plain(sums, sizes, confidence, draws * 1.0) > 0
            shown = " | ".join(f"{share:.1%}" for share in wrong / worlds)
            name = f"each like the last by {kind}" if kind[0] == "0" else kind
            click.echo(f"| {name} | {count} | {shown} |")


if __name__ == "__main__":
    main()
