"""False alarms: windows of neighbours in which, by construction, nothing has changed."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .data import DataSet
from .opinions import Contender, Kind, Opinion
from .protocol import shuffled_blocks
from .rows import Use
from .subjects import Subject, Traffic, seconds_of, trained, undisturbed

_MOST_SHUFFLES = 60
_FROM_A_SHUFFLE = 40
"""Windows at most, so that no single shuffle speaks for a data set."""

Shuffles = list[list[Opinion]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarms:
    """How often one contender alarmed on one data set."""

    contender: str
    data: str
    use: Use
    window_rows: int
    budget: float | None
    """None where the contender has none to set."""
    windows: int
    alarms: int
    broken: int
    """... of which it said that the data is broken."""
    unjudged: int
    """Windows that it had no opinion of; rates leave them out."""
    pairs: int
    """Neighbouring windows ..."""
    both: int
    """... that both alarmed."""
    shuffles: int
    worst_shuffle: float
    """The largest share of a shuffle's windows that alarmed."""
    blamed: dict[str, int]
    """How often each column was blamed."""

    @property
    def judged(self) -> int:
        """Windows that it had an opinion of."""
        return self.windows - self.unjudged


def false_alarms(
    sets: Sequence[DataSet],
    contenders: Sequence[Contender],
    *,
    window_rows: int,
    budgets: Sequence[float],
    windows: int,
    seed: int,
) -> Iterator[Alarms]:
    """Count false alarms until each data set has given so many windows.

    Everybody judges the same windows. A data set too short for windows of this size gives nothing.
    """
    for data in sets:
        said: dict[tuple[Contender, float | None], Shuffles] = {}
        judged = 0
        for shuffle in range(_MOST_SHUFFLES):
            most = min(_FROM_A_SHUFFLE, windows - judged)
            cut = cut_windows(data, window_rows, most, (seed, shuffle)) if most > 0 else None
            if cut is None:
                break
            subject, stream = cut
            judged += len(stream)
            for contender in contenders:
                for budget in budgets if contender.has_budget else [None]:
                    judge = contender.prepare(subject, budget or budgets[0])
                    said.setdefault((contender, budget), []).append(judge([stream])[0])
        for (contender, budget), shuffles in said.items():
            yield _summed(contender.name, data, window_rows, budget, shuffles)


def cut_windows(
    data: DataSet, window_rows: int, most: int, seed: tuple[int, int]
) -> tuple[Subject, list[Traffic]] | None:
    """Shuffle, train on one half, and cut the other; None where there are too few rows."""
    rows = data.rows()
    if rows.times is None:
        raise ValueError(f"{rows.name} has no times")
    rng = np.random.default_rng(seed)
    seconds = seconds_of(rows.times)
    halves = shuffled_blocks(seconds, window_rows, has_weeks=rows.has_weeks, rng=rng)
    if halves is None:
        return None
    subject = trained(rows, halves.reference, window_rows, rng)
    return subject, list(undisturbed(rows, halves, subject, most))


def _summed(
    contender: str, data: DataSet, window_rows: int, budget: float | None, shuffles: Shuffles
) -> Alarms:
    every = [opinion for shuffle in shuffles for opinion in shuffle]
    pairs = [both for shuffle in shuffles for both in pairwise(shuffle)]
    rates = [np.mean([opinion.kind.is_alarm for opinion in shuffle]) for shuffle in shuffles]
    return Alarms(
        contender=contender,
        data=data.name,
        use=data.use,
        window_rows=window_rows,
        budget=budget,
        windows=len(every),
        alarms=sum(opinion.kind.is_alarm for opinion in every),
        broken=sum(opinion.kind is Kind.BROKEN for opinion in every),
        unjudged=sum(opinion.kind is Kind.UNJUDGED for opinion in every),
        pairs=len(pairs),
        both=sum(one.kind.is_alarm and other.kind.is_alarm for one, other in pairs),
        shuffles=len(shuffles),
        worst_shuffle=float(max(rates)),
        blamed=dict(Counter(c for o in every if o.kind.is_alarm for c in o.columns)),
    )
