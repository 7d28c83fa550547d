"""How often a bake takes back a champion that is as good as the one before.

Run `python tests/benchmarks/bake_errors.py`; a minute on one core. Losses of both versions differ
by chance alone: row by row, and by luck that all rows of some hours share.
"""

import sys
from datetime import UTC, datetime, timedelta

import numpy as np

from trimtab.policy.baking import LOOKS, BakeFacts, BakeRules, Paired, Traffic, look

BAKES = 400
DAY = 86_400.0
START = datetime(1970, 1, 1, tzinfo=UTC)
RULES = BakeRules(confidence=0.95, min_rows=100, max_slowdown=2.0)
NOBODY = Traffic(latencies={})
CASES = (
    (1_200, 0.0, 1.0),
    (1_200, 0.1, 1.0),
    (20_000, 0.0, 1.0),
    (20_000, 0.1, 1 / 6),
    (20_000, 0.1, 1.0),
    (20_000, 0.1, 2.0),
    (20_000, 0.1, 3.0),
    (20_000, 0.05, 2.0),
)
"""Rows of the bake, spread of the luck (that of the rows is 0.3), and how many hours it lasts."""


def losses(rows: int, luck: float, hours: float, seed: int) -> Paired:
    """Draw the losses of two versions that are equally good."""
    random = np.random.default_rng(seed)
    seconds = np.sort(random.uniform(0, DAY, rows))
    stretch = (seconds // (3600 * hours)).astype(int)
    shared = random.normal(0, luck, stretch.max() + 1)[stretch]
    before = random.exponential(0.4, rows)
    return Paired(
        seconds=seconds, champion=before + random.normal(0, 0.3, rows) + shared, before=before
    )


def is_taken_back(whole: Paired) -> bool:
    """Play one bake, look by look."""
    for number, share in enumerate(LOOKS):
        part = whole.seconds < share * DAY
        seen = Paired(
            seconds=whole.seconds[part], champion=whole.champion[part], before=whole.before[part]
        )
        facts = BakeFacts(
            metric="loss",
            since=START,
            measured=seen,
            estimated=None,
            traffic=NOBODY,
            traffic_before=NOBODY,
        )
        through = START + share * timedelta(days=1)
        if look(facts, RULES, number, at=through, through=through).worse:
            return True
    return False


def main() -> None:
    """Print a line for each case."""
    sys.stdout.write("rows     luck  hours   taken back (of 1.7% that quality may)\n")
    for rows, luck, hours in CASES:
        found = sum(is_taken_back(losses(rows, luck, hours, seed)) for seed in range(BAKES))
        sys.stdout.write(f"{rows:>6}  {luck:>6}  {hours:>5.2g}   {found / BAKES:.2%}\n")


if __name__ == "__main__":
    main()
