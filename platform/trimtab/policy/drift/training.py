"""The reference of a version, out of the rows it was trained on."""

from collections.abc import Mapping, Set
from dataclasses import replace
from datetime import timedelta

import numpy as np

from trimtab.policy.summaries import Floats, Numbers, Readings, reference_counts, size, summarise
from trimtab.records.reference import (
    OUTPUT,
    OUTPUTS,
    REGIONS,
    ColumnSummary,
    Reference,
    Regions,
    Season,
)

from .adding import hashes
from .asking import ask, together
from .figures import scoring_of
from .regions import grow, place
from .seasons import PARTS, find, parts
from .stretches import Trained, TrainedColumn, by_rows


def train_reference(
    readings: Mapping[str, Readings],
    seconds: Floats | None,
    *,
    importance: dict[str, float],
    window: timedelta,
    rate: float,
    min_rows: int,
    calendars: Set[str] = frozenset(),
    losses: Floats | None = None,
    hidden: Set[str] = frozenset(),
) -> Reference:
    """Summarise the columns, find their season and calibrate the checks.

    `readings` are the inputs and the output of the training rows in their order in time; `rate`
    is that of false alarms in one window. `calendars` are moments that cannot be read as ages.
    `losses` are those of the rows, by models that had not seen them, NaN where they are not known:
    regions of the inputs are told apart by them, without the columns that are `hidden` from the
    monitor.
    """
    columns = [replace(c, is_calendar=c.summary.name in calendars) for c in _columns(readings)]
    rows = len(columns[0].codes)
    regions = _regions(columns, losses, {*calendars, *hidden}) if losses is not None else None
    if regions is not None:
        codes = {column.summary.name: column.codes for column in columns}
        where = place(regions.splits, codes, rows).astype(np.int16)
        columns.append(TrainedColumn(summary=regions.summary, codes=where, values=None))
    scores = _scores(columns)
    season, following = find(seconds, scores, window.total_seconds())
    single = [column.summary for column in columns if column.summary.name != REGIONS]
    chosen = set(together(single, importance))
    trained = Trained(
        columns=[
            _in_season(c, season, seconds) if c.summary.name in following else c for c in columns
        ],
        seasons=parts(season, seconds, rows),
        season_count=PARTS[season],
        scores={name: of for name, of in scores.items() if name in chosen},
    )
    checks, calibrations = ask(
        trained, seconds, importance, window=window, rate=rate, min_rows=min_rows
    )
    summaries = {column.summary.name: column.summary for column in trained.columns}
    told = summaries.pop(REGIONS, None)
    return Reference(
        rows=rows,
        columns=tuple(summaries.values()),
        checks=checks,
        calibrations=calibrations,
        rows_needed=min_rows,
        window=window,
        false_alarms=rate,
        season=season,
        ages=seconds is not None,
        repeated=_repeated(readings, rows, min_rows),
        importance=importance,
        regions=replace(regions, summary=told) if regions and told else None,
    )


def _regions(columns: list[TrainedColumn], losses: Floats, left_out: Set[str]) -> Regions | None:
    left_out = {*left_out, *OUTPUTS}
    inputs = [column for column in columns if column.summary.name not in left_out]
    return grow({c.summary.name: (c.codes, c.summary) for c in inputs}, losses)


def _columns(readings: Mapping[str, Readings]) -> list[TrainedColumn]:
    output = readings[OUTPUT]
    found = []
    for name, column in readings.items():
        coded = summarise(name, column)
        summary = coded.summary
        if not isinstance(column, Numbers) and isinstance(output, Numbers):
            summary = replace(summary, output_means=_means(coded.codes, output.values, summary))
        values = column.values if isinstance(column, Numbers) else None
        found.append(TrainedColumn(summary=summary, codes=coded.codes, values=values))
    return found


def _means(codes: "np.ndarray", output: Floats, summary: ColumnSummary) -> tuple[float | None, ...]:
    known = np.isfinite(output)
    bins = size(summary)
    rows = np.bincount(codes[known], minlength=bins)[:-1]
    sums = np.bincount(codes[known], weights=output[known], minlength=bins)[:-1]
    return tuple(float(s / n) if n else None for s, n in zip(sums, rows, strict=True))


def _scores(columns: list[TrainedColumn]) -> dict[str, Floats]:
    scored = {c.summary.name: (scoring_of(c.summary), c) for c in columns if not c.is_calendar}
    return {
        name: scoring.rank[column.codes]
        for name, (scoring, column) in scored.items()
        if scoring.rank.size
    }


def _in_season(column: TrainedColumn, season: Season, seconds: Floats | None) -> TrainedColumn:
    bins = len(reference_counts(column.summary))
    cells = parts(season, seconds, len(column.codes)) * bins + column.codes
    table = np.bincount(cells, minlength=PARTS[season] * bins).reshape(PARTS[season], bins)
    by_season = tuple(map(tuple, table.tolist()))
    return replace(column, summary=replace(column.summary, by_season=by_season))


def _repeated(readings: Mapping[str, Readings], rows: int, min_rows: int) -> float:
    """Find the largest share of rows that repeat another, of windows of the training rows."""
    found, worst = hashes(readings, rows), 0.0
    for _, blocks in by_rows(rows, min_rows):
        used = blocks >= 0
        pairs = np.unique(np.stack([blocks[used].astype(np.uint64), found[used]]), axis=1)
        distinct = np.bincount(pairs[0].astype(np.int64))
        total = np.bincount(blocks[used])
        worst = max(worst, float(np.max(1 - distinct / np.maximum(total, 1))))
    return worst
