"""From what a window shows to a verdict: every column has a finding, and none is a guess."""

from collections.abc import Mapping, Sequence

import numpy as np

from trimtab.records.reference import ColumnSummary, Reference
from trimtab.records.schema import ColumnType
from trimtab.records.verdicts import Finding, FindingKind, VerdictKind

from .summaries import ColumnCounts, reference_counts

NULL_BURST = 0.2
"""More rows without a value than this, above the reference's own share, is broken data."""
_HALF = 0.5
_UNLIKE_ITSELF = 0.9  # a limit this high: the training rows differ as much from one another
_VARIED = 3  # values or bins that a column must have had to be called frozen


def findings(
    reference: Reference,
    types: Mapping[str, ColumnType],
    counted: Mapping[str, ColumnCounts],
    distances: Mapping[str, float | None],
    *,
    rows: int,
    withheld: Mapping[str, str] = {},
) -> tuple[Finding, ...]:
    """Say of every column of the reference what the window shows.

    `types` are those of the inputs and the output; a column that is not in `counted` was not in
    the window. `withheld` says of columns why they are not captured: nobody can judge those.
    """
    limits = reference.limits_at(rows)
    found = []
    for summary in reference.columns:
        window = counted.get(summary.name)
        if limits is None:
            needed = reference.rows_needed
            note = f"{rows} rows are too few to judge; {needed} are needed"
            found.append(_finding(summary, window, FindingKind.NOT_JUDGED, note=note))
        elif summary.name in withheld:
            note = withheld[summary.name]
            found.append(_finding(summary, None, FindingKind.NOT_JUDGED, note=note))
        elif window is None:
            note = "the column is missing from the window"
            found.append(_finding(summary, None, FindingKind.BROKEN, note=note))
        else:
            limit = limits.by_column.get(summary.name)
            type_ = types[summary.name]
            found.append(_judged(summary, window, type_, distances.get(summary.name), limit))
    return tuple(found)


def kind_of(found: Sequence[Finding]) -> VerdictKind:
    """Sum the findings up: broken data is never called drift, and nothing judged is no verdict."""
    kinds = {finding.kind for finding in found}
    if FindingKind.BROKEN in kinds:
        return VerdictKind.BROKEN_DATA
    if FindingKind.DRIFTED in kinds:
        return VerdictKind.DRIFT
    return VerdictKind.STABLE if FindingKind.STABLE in kinds else VerdictKind.NOT_ENOUGH_ROWS


def _judged(
    summary: ColumnSummary,
    window: ColumnCounts,
    type_: ColumnType,
    distance: float | None,
    limit: float | None,
) -> Finding:
    broken = _what_is_broken(summary, window, type_, distance, limit)
    if broken:
        return _finding(summary, window, FindingKind.BROKEN, distance, limit, broken)
    if distance is None or limit is None:
        note = "there is nothing to compare" if distance is None else "there is no limit for it"
        return _finding(summary, window, FindingKind.NOT_JUDGED, distance, limit, note)
    if limit >= _UNLIKE_ITSELF:
        note = "every stretch of the training rows differs from the others as much: it cannot tell"
        return _finding(summary, window, FindingKind.NOT_JUDGED, distance, limit, note)
    kind = FindingKind.DRIFTED if distance > limit else FindingKind.STABLE
    strange = window.unreadable
    note = f"values that are no {type_}, and count as missing: {strange}" if strange else ""
    return _finding(summary, window, kind, distance, limit, note)


def _what_is_broken(
    summary: ColumnSummary,
    window: ColumnCounts,
    type_: ColumnType,
    distance: float | None,
    limit: float | None,
) -> str:
    """Name what is broken; empty when nothing is.

    All but unreadable values must also exceed the limit: a stretch without values, or with one
    value only, that the training rows had as well is how this column is.
    """
    if window.share(window.unreadable) > _HALF:
        return f"{window.share(window.unreadable):.0%} of its values are no {type_}"
    if distance is None or limit is None or distance <= limit:
        return ""
    missing = window.share(window.missing)
    usual = summary.missing / max(1, summary.rows)
    if missing == 1.0:
        return f"it has no values at all; in training {usual:.0%} were missing"
    if missing - usual > NULL_BURST:
        return f"{missing:.0%} of its values are missing; in training {usual:.0%} were"
    present = window.rows - window.missing
    if limit >= _UNLIKE_ITSELF:
        return ""
    if window.far > _HALF * present and type_ is not ColumnType.DATETIME:
        return f"most values are far outside {summary.low:g} to {summary.high:g}: another unit?"
    if window.unseen > _HALF * present and type_ is ColumnType.STRING:
        return "most values are categories that training has never seen: another spelling?"
    if window.is_constant and _varied(summary, window):
        return "it is frozen: all values are one value"
    return ""


def _varied(summary: ColumnSummary, window: ColumnCounts) -> bool:
    """Tell whether the reference had other values, and more often than this one."""
    counts = reference_counts(summary)[:-1]
    here = int(np.argmax(window.counts[:-1]))
    return bool(np.count_nonzero(counts) >= _VARIED and counts[here] < _HALF * counts.sum())


def _finding(
    summary: ColumnSummary,
    window: ColumnCounts | None,
    kind: FindingKind,
    distance: float | None = None,
    limit: float | None = None,
    note: str = "",
) -> Finding:
    return Finding(
        column=summary.name,
        kind=kind,
        distance=distance,
        limit=limit,
        missing=window.share(window.missing) if window else 1.0,
        unseen=window.share(window.unseen) if window else 0.0,
        note=note,
    )
