"""What is found: changes of known size in independent rows, at once and little by little."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .changes import CHANGES, Drawn, Pool, plain, pool, shifted
from .data import DataSet
from .learner import taken
from .opinions import Contender, Kind, Opinion, Stream
from .protocol import shuffled_rows
from .rows import Rows, Use
from .subjects import Subject, Traffic, moments, trained

_A_WINDOW = 0.02
"""Standard deviations that a slow drift adds each window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """How often one contender noticed one change on one data set."""

    contender: str
    data: str
    use: Use
    window_rows: int
    change: str
    windows: int
    alarms: int
    right: int
    """Windows that were called what they are."""
    broken: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """How long a drift by 0.02 standard deviations a window went unnoticed."""

    contender: str
    data: str
    use: Use
    window_rows: int
    delays: tuple[int | None, ...]
    """Of each stream, windows until the first alarm; None where it never came."""
    alarmed_anyway: tuple[int | None, ...]
    """The same of streams in which nothing drifts."""


def found(
    sets: Sequence[DataSet],
    contenders: Sequence[Contender],
    *,
    window_rows: int,
    budget: float,
    references: int,
    windows: int,
    seed: int,
) -> Iterator[Found]:
    """Show everybody the same changed windows: so many of each of some references."""
    for data in sets:
        said: dict[tuple[str, str], list[Opinion]] = {}
        for reference in range(references):
            rng = np.random.default_rng((seed, reference))
            subject, source = _drawing(data.rows(), window_rows, rng)
            if source is None:
                continue
            shown = _changed(subject, source, windows, rng)
            for contender in contenders:
                judge = contender.prepare(subject, budget)
                opinions = judge([[window] for _, window in shown])
                for (words, _), (opinion,) in zip(shown, opinions, strict=True):
                    said.setdefault((contender.name, words), []).append(opinion)
        for (name, words), opinions_ in said.items():
            yield _counted(name, data, window_rows, words, opinions_)


def delays(
    sets: Sequence[DataSet],
    contenders: Sequence[Contender],
    *,
    window_rows: int,
    budget: float,
    streams: int,
    length: int,
    seed: int,
) -> Iterator[Delay]:
    """Let the most important number drift slowly, beside streams in which nothing drifts."""
    for data in sets:
        rng = np.random.default_rng((seed, 0))
        subject, source = _drawing(data.rows(), window_rows, rng)
        if source is None:
            continue
        moving = [_stream(subject, source, length, _A_WINDOW, rng) for _ in range(streams)]
        still = [_stream(subject, source, length, 0.0, rng) for _ in range(streams)]
        for contender in contenders:
            said = contender.prepare(subject, budget)([*moving, *still])
            first = [_first_alarm(stream) for stream in said]
            yield Delay(
                contender=contender.name,
                data=data.name,
                use=data.use,
                window_rows=window_rows,
                delays=tuple(first[:streams]),
                alarmed_anyway=tuple(first[streams:]),
            )


def _drawing(rows: Rows, window_rows: int, rng: np.random.Generator) -> tuple[Subject, Pool | None]:
    halves = shuffled_rows(len(rows.inputs), rng)
    subject = trained(rows, halves.reference, window_rows, rng)
    return subject, pool(subject, taken(rows, halves.watched.order))


def _changed(
    subject: Subject, source: Pool, windows: int, rng: np.random.Generator
) -> list[tuple[str, Traffic]]:
    shown = []
    for change in CHANGES:
        for _ in range(windows):
            drawn = change.draw(source, subject.window_rows, rng)
            if drawn is not None:
                shown.append((change.words, _traffic(subject, drawn, 0)))
    return shown


def _stream(
    subject: Subject, source: Pool, length: int, step: float, rng: np.random.Generator
) -> Stream:
    windows = []
    for n in range(length):
        draw = shifted("most", step * n) if step else plain
        drawn = draw(source, subject.window_rows, rng)
        assert drawn is not None
        windows.append(_traffic(subject, drawn, n))
    return windows


def _traffic(subject: Subject, drawn: Drawn, number: int) -> Traffic:
    inputs, target = drawn
    start = subject.times.iloc[-1].timestamp() + 1
    rows = subject.window_rows
    seconds = np.arange(rows, dtype=np.float64) + (start + number * rows)
    return subject.asked(inputs, target, moments(seconds))


def _first_alarm(stream: Sequence[Opinion]) -> int | None:
    return next((n for n, opinion in enumerate(stream, 1) if opinion.kind.is_alarm), None)


def _counted(
    contender: str, data: DataSet, window_rows: int, words: str, opinions: Sequence[Opinion]
) -> Found:
    right = next(change.right for change in CHANGES if change.words == words)
    return Found(
        contender=contender,
        data=data.name,
        use=data.use,
        window_rows=window_rows,
        change=words,
        windows=len(opinions),
        alarms=sum(opinion.kind.is_alarm for opinion in opinions),
        right=sum(opinion.kind in right for opinion in opinions),
        broken=sum(opinion.kind is Kind.BROKEN for opinion in opinions),
    )
