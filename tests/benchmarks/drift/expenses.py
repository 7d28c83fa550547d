"""What it brings and what it costs, as tables for a page."""

from collections.abc import Sequence
from itertools import groupby
from statistics import median

import numpy as np
from tests.benchmarks.tables import Table

from .accuracy import Accuracy
from .cost import Cost
from .pays import Paid

_NOTHING = 0.01
"""Where a model that is trained every window is no better than that, there is nothing to gain."""


def gains(every: Sequence[Paid]) -> Table:
    """Tell what retraining on alarms gained, and what evenly spaced retraining did."""
    names = list(dict.fromkeys(_policy(paid) for paid in every))
    table = Table(
        title="Gain of retraining on alarms: never is 0, every window is 1 (number of trainings) "
        "[as many evenly spaced]",
        head=("data", "use", "windows", "rows", "every window betters the loss by", *names),
    )
    for data in dict.fromkeys(paid.data for paid in every):
        own = {_policy(paid): paid for paid in every if paid.data == data}
        one = next(iter(own.values()))
        table.rows.append(
            (
                data,
                one.use.value,
                str(one.windows),
                f"{one.window_rows:,}",
                f"{one.always:.1%}",
                *(_gain(own[name]) for name in names),
            )
        )
    return table


def _policy(paid: Paid) -> str:
    return paid.contender if paid.budget is None else f"{paid.contender} {paid.budget:.0%}"


def _gain(paid: Paid) -> str:
    if paid.always < _NOTHING:
        return f"nothing to gain ({paid.retrained})"
    return f"{paid.gain:.2f} ({paid.retrained}) [{paid.evenly:.2f}]"


def binning(every: Sequence[Accuracy]) -> Table:
    """Tell how far statistics from counts are from those of the rows."""
    head = ("statistic", "shift", "columns", "exact, median", "difference, median")
    table = Table(
        title="Statistics from the summaries beside the exact ones, 1,000 independent rows",
        head=(*head, "difference, 99%", "largest"),
    )
    for shift, group in groupby(sorted(every, key=lambda a: a.shift), lambda a: a.shift):
        own = list(group)
        exact = {
            "Kolmogorov-Smirnov": [(a.ks, a.ks_exact) for a in own],
            "Anderson-Darling": [(a.ad, a.ad_exact) for a in own],
            "quantiles, in ranks": [(a.quantiles, 0.0) for a in own],
        }
        for words, pairs in exact.items():
            apart = [abs(one - other) for one, other in pairs]
            table.rows.append(
                (
                    words,
                    f"{shift:g} sd",
                    str(len(own)),
                    f"{median(other for _, other in pairs):.4f}",
                    f"{median(apart):.4f}",
                    f"{np.quantile(apart, 0.99):.4f}",
                    f"{max(apart):.4f}",
                )
            )
    return table


def spending(every: Sequence[Cost]) -> Table:
    """Tell what each step costs."""
    sizes = list(dict.fromkeys((cost.rows, cost.columns) for cost in every))
    table = Table(
        title="CPU seconds, and MB above the data",
        head=("step", *(f"{rows:,} x {columns}" for rows, columns in sizes)),
    )
    steps = list(dict.fromkeys((cost.contender, cost.step) for cost in every))
    for contender, step in steps:
        found = {
            (c.rows, c.columns): c for c in every if (c.contender, c.step) == (contender, step)
        }
        cells = [_spent(found[size]) if size in found else "" for size in sizes]
        table.rows.append((f"{contender}: {step}", *cells))
    return table


def _spent(cost: Cost) -> str:
    if cost.cpu_seconds is None or cost.peak_mb is None:
        return f"- ({cost.why})"
    digits = 4 if cost.cpu_seconds < 0.01 else 2
    return f"{cost.cpu_seconds:.{digits}f} s, {cost.peak_mb:.0f} MB"
