"""The figures as tables for a page."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from statistics import fmean, median

from tests.benchmarks.tables import Table

from .changes import CHANGES
from .expenses import binning, gains, spending
from .power import Delay, Found
from .protocol import wilson
from .results import Results
from .rows import Use
from .undisturbed import Alarms


def tables(results: Results) -> Iterable[Table]:
    """Give all that a run found."""
    if results.alarms:
        yield _alarm_rates(results.alarms)
        yield _alarms_by_data(results.alarms)
    if results.found:
        yield from _power(results.found)
    if results.delays:
        yield _delays(results.delays)
    if results.paid:
        yield gains(results.paid)
    if results.accuracy:
        yield binning(results.accuracy)
    if results.costs:
        yield spending(results.costs)


def summary(results: Results) -> str:
    """Say under what the figures were taken, and who is who."""
    around = results.surroundings
    versions = ", ".join(f"{name} {number}" for name, number in around.versions.items())
    who = "\n".join(f"- {name}: {words}" for name, words in results.words.items())
    return f"{around.machine}; {versions}; seed {around.seed}.\n\n{who}"


def _alarm_rates(alarms: Sequence[Alarms]) -> Table:
    head = (
        "contender",
        "data",
        "rows",
        "budget",
        "sets",
        "windows",
        "pooled",
        "95%",
        "mean of sets",
    )
    table = Table(
        title="False alarms on undisturbed windows of neighbours",
        head=(*head, "worst set", "two in a row"),
    )

    def key(found: Alarms) -> tuple[str, str, int, float]:
        return found.contender, found.use.value, found.window_rows, found.budget or 0.0

    for _, group in groupby(sorted(alarms, key=key), key):
        own = [found for found in group if found.judged]
        if not own:
            continue
        hits, trials = sum(a.alarms for a in own), sum(a.judged for a in own)
        worst = max(own, key=lambda a: a.alarms / a.judged)
        pairs = max(1, sum(a.pairs for a in own))
        table.rows.append(
            (
                own[0].contender,
                own[0].use.value,
                f"{own[0].window_rows:,}",
                _budget(own[0]),
                str(len(own)),
                f"{trials:,}",
                f"{hits / trials:.1%}",
                _interval(hits, trials),
                f"{fmean(a.alarms / a.judged for a in own):.1%}",
                f"{worst.alarms / worst.judged:.1%} ({worst.data})",
                f"{sum(a.both for a in own) / pairs:.1%}",
            )
        )
    return table


def _alarms_by_data(alarms: Sequence[Alarms]) -> Table:
    head = ("data", "use", "contender", "rows", "budget", "windows", "alarms", "95%")
    table = Table(
        title="The same, by data set",
        head=(*head, "called broken", "not judged", "worst shuffle", "most blamed"),
    )
    for found in sorted(alarms, key=lambda a: (a.use is Use.HELD_OUT, a.data, a.contender)):
        blamed = sorted(found.blamed.items(), key=lambda item: -item[1])[:3]
        if found.use is Use.HELD_OUT:
            blamed = []  # who knows which column it was, is tempted to do something about it
        table.rows.append(
            (
                found.data,
                found.use.value,
                found.contender,
                f"{found.window_rows:,}",
                _budget(found),
                str(found.judged),
                f"{found.alarms / max(1, found.judged):.1%}",
                _interval(found.alarms, found.judged),
                str(found.broken),
                str(found.unjudged),
                f"{found.worst_shuffle:.0%}",
                ", ".join(f"{name} {times}" for name, times in blamed),
            )
        )
    return table


def _power(every: Sequence[Found]) -> Iterator[Table]:
    order = {change.words: n for n, change in enumerate(CHANGES)}
    head = ("change", "sets", "windows", "alarms", "95%")

    def key(found: Found) -> tuple[str, int]:
        return found.contender, found.window_rows

    for (contender, rows), group in groupby(sorted(every, key=key), key):
        table = Table(
            title=f"Changes found by {contender}, {rows:,} independent rows",
            head=(*head, "median set", "worst set", "called right", "called broken"),
        )
        own = sorted(group, key=lambda f: order[f.change])
        for change, some in groupby(own, key=lambda f: f.change):
            table.rows.append(_change(change, list(some)))
        yield table


def _change(change: str, found: Sequence[Found]) -> Sequence[str]:
    trials, hits = sum(f.windows for f in found), sum(f.alarms for f in found)
    worst = min(found, key=lambda f: f.alarms / f.windows)
    if change == "none":
        worst = max(found, key=lambda f: f.alarms / f.windows)
    return (
        change,
        str(len(found)),
        f"{trials:,}",
        f"{hits / trials:.1%}",
        _interval(hits, trials),
        f"{median(f.alarms / f.windows for f in found):.0%}",
        f"{worst.alarms / worst.windows:.0%} ({worst.data})",
        f"{sum(f.right for f in found) / trials:.0%}",
        f"{sum(f.broken for f in found) / trials:.0%}",
    )


def _delays(delays: Sequence[Delay]) -> Table:
    head = ("contender", "rows", "sets", "streams", "median", "median of the slowest set")
    table = Table(
        title="A drift by 0.02 standard deviations more each window: windows until the first alarm",
        head=(*head, "never", "alarmed in as many windows without drift"),
    )

    def key(delay: Delay) -> tuple[str, int]:
        return delay.contender, delay.window_rows

    for (contender, rows), group in groupby(sorted(delays, key=key), key):
        own = list(group)
        every = [d for delay in own for d in delay.delays]
        still = [d for delay in own for d in delay.alarmed_anyway]
        slowest = max(own, key=lambda delay: _middle(delay.delays))
        table.rows.append(
            (
                contender,
                f"{rows:,}",
                str(len(own)),
                str(len(every)),
                f"{_middle(every):g}",
                f"{_middle(slowest.delays):g} ({slowest.data})",
                f"{sum(d is None for d in every) / len(every):.0%}",
                f"{sum(d is not None for d in still) / len(still):.0%}",
            )
        )
    return table


def _middle(delays: Sequence[int | None]) -> float:
    return median(float("inf") if delay is None else delay for delay in delays)


def _budget(found: Alarms) -> str:
    return "" if found.budget is None else f"{found.budget:.0%}"


def _interval(hits: int, trials: int) -> str:
    low, high = wilson(hits, trials)
    return f"{low:.1%} to {high:.1%}"
