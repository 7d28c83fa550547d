"""From the sums of a window to a finding for every column: what moved, how sure, what it means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from trimtab.policy.distance import distance_of_counts, jensen_shannon
from trimtab.records.evidence import Evidence
from trimtab.records.reference import REGIONS, TOGETHER, ColumnSummary, Reference
from trimtab.records.schema import ColumnType
from trimtab.records.sums import ColumnSums, WindowSums
from trimtab.records.verdicts import Finding, FindingKind, VerdictKind

from .adding import repeated
from .broken import Sample, what_is_broken
from .measuring import Measured, clearest, measure

_REPEATED = 0.2
"""More rows than this, above what training windows had, that repeat another are broken data."""
_FEW = 30  # rows with a value, without which a column cannot be judged
_NAMED = 4  # columns of a note
REPEATED = "(rows)"
"""The name of the finding on rows that came more than once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a window shows."""

    kind: VerdictKind
    findings: tuple[Finding, ...]
    evidence: Evidence


def judge(
    reference: Reference,
    types: Mapping[str, ColumnType],
    sums: WindowSums,
    sample: Sample,
    *,
    before: Evidence | None = None,
    previous: WindowSums | None = None,
    sensitivity: Mapping[str, float] | None = None,
    withheld: Mapping[str, str] | None = None,
) -> Judged:
    """Judge a window.

    `types` are those of the inputs and the output; a column that is not in the sums was not in
    the window. `before` is the evidence of the version's earlier windows, `previous` are the sums
    of the last one. `sensitivity` lowers the part of the budget of columns whose alarms were
    false; `withheld` says of columns why they are not captured: nobody can judge those.
    """
    before, withheld = before or Evidence(), withheld or {}
    sums = _without_the_unlisted(reference, sums, withheld)
    if sums.rows < reference.rows_needed:
        return Judged(
            kind=VerdictKind.NOT_ENOUGH_ROWS,
            findings=tuple(_too_few(reference, name, sums) for name in _told_of(reference)),
            evidence=before,
        )
    measured, evidence = measure(reference, sums, before, sensitivity or {})
    found = [
        _column(reference, summary, types, sums, sample, measured, previous, withheld)
        for summary in reference.columns
    ]
    if not any(finding.kind is FindingKind.BROKEN for finding in found):
        found += _repeats(reference, sums)  # rows that lack a column look alike
    found += [*_together(measured), *_regions(reference, sums, measured)]
    found = [replace(f, sensitivity=(sensitivity or {}).get(f.column, 1.0)) for f in found]
    kind = kind_of(found)
    is_clean = kind is not VerdictKind.BROKEN_DATA
    return Judged(kind=kind, findings=tuple(found), evidence=evidence if is_clean else before)


def _without_the_unlisted(
    reference: Reference, sums: WindowSums, withheld: Mapping[str, str]
) -> WindowSums:
    """Leave out what is not captured, and of unseen values as many as training did not list.

    The reference of a column with very many categories lists the frequent ones only.
    """
    summaries = {s.name: s for s in reference.summaries if s.name not in withheld}
    if reference.regions is not None and not withheld.keys().isdisjoint(reference.regions.columns):
        del summaries[REGIONS]
    columns = {name: c for name, c in sums.columns.items() if name in summaries}
    for name, column in columns.items():
        summary = summaries[name]
        if not summary.is_numeric and summary.counts[-1]:
            expected = round(summary.counts[-1] / max(1, summary.rows) * column.rows)
            columns[name] = replace(column, unseen=max(0, column.unseen - expected))
    return replace(sums, columns=columns)


def kind_of(found: Sequence[Finding]) -> VerdictKind:
    """Sum the findings up: broken data is never called drift, and nothing judged is no verdict."""
    kinds = {finding.kind for finding in found}
    if FindingKind.BROKEN in kinds:
        return VerdictKind.BROKEN_DATA
    if FindingKind.DRIFTED in kinds:
        return VerdictKind.DRIFT
    return VerdictKind.STABLE if FindingKind.STABLE in kinds else VerdictKind.NOT_ENOUGH_ROWS


def _told_of(reference: Reference) -> list[str]:
    together = any(check.other for check in reference.checks)
    return [
        *(summary.name for summary in reference.columns),
        *([TOGETHER] if together else []),
        *([REGIONS] if reference.regions else []),
    ]


def _too_few(reference: Reference, name: str, sums: WindowSums) -> Finding:
    note = f"{sums.rows} rows are too few to judge; {reference.rows_needed} are needed"
    return _finding(reference, name, sums, FindingKind.NOT_JUDGED, note=note)


def _finding(
    reference: Reference,
    name: str,
    sums: WindowSums,
    kind: FindingKind = FindingKind.STABLE,
    *,
    note: str = "",
) -> Finding:
    column = sums.columns.get(name)
    return Finding(
        column=name,
        kind=kind,
        importance=reference.importance.get(name, 0.0),
        rows=column.rows - column.missing if column else 0,
        missing=column.share(column.missing) if column else float(name not in (TOGETHER, REGIONS)),
        unseen=column.share(column.unseen) if column else 0.0,
        note=note,
    )


def _column(
    reference: Reference,
    summary: ColumnSummary,
    types: Mapping[str, ColumnType],
    sums: WindowSums,
    sample: Sample,
    measured: Measured,
    previous: WindowSums | None,
    withheld: Mapping[str, str],
) -> Finding:
    name, column = summary.name, sums.columns.get(summary.name)
    if name in withheld:
        finding = _finding(reference, name, sums, FindingKind.NOT_JUDGED, note=withheld[name])
        return replace(finding, missing=1.0)
    if column is None:
        note = "the column is missing from the window"
        return _finding(reference, name, sums, FindingKind.BROKEN, note=note)
    at = [i for i, check in enumerate(measured.checks) if check.column == name and not check.other]
    distance = distance_of_counts(summary, np.array(column.counts))
    finding, moved = clearest(_finding(reference, name, sums), at, measured, distance)
    finding = replace(finding, distance=distance, since_previous=_since(previous, name, column))
    usual, type_ = measured.usual[name], types[name]
    note = what_is_broken(summary, column, type_, sample, moved=moved, usual=usual)
    if note:
        return replace(finding, kind=FindingKind.BROKEN, note=note)
    if moved:
        return replace(finding, kind=FindingKind.DRIFTED)
    return _unmoved(finding, column, type_, can_be_judged=bool(at))


def _unmoved(
    finding: Finding, column: ColumnSums, type_: ColumnType, *, can_be_judged: bool
) -> Finding:
    if finding.rows < _FEW:
        note = f"{finding.rows} rows with a value are too few to judge; {_FEW} are needed"
        return replace(finding, kind=FindingKind.NOT_JUDGED, note=note)
    if not can_be_judged:
        note = "a moment without the row's own time: a later one is no drift"
        return replace(finding, kind=FindingKind.NOT_JUDGED, note=note)
    if column.unreadable:
        note = f"values that are no {type_}, and count as missing: {column.unreadable}"
        return replace(finding, note=note)
    return finding


def _since(previous: WindowSums | None, name: str, column: ColumnSums) -> float | None:
    there = previous.columns.get(name) if previous is not None else None
    if there is None or len(there.counts) != len(column.counts):
        return None
    found = float(jensen_shannon(np.array(column.counts), np.array(there.counts)))
    return None if np.isnan(found) else found


def _together(measured: Measured) -> list[Finding]:
    """Say how columns move together; the pair that says most speaks for all."""
    at = [i for i, check in enumerate(measured.checks) if check.other]
    if not at:
        return []
    shown = {i: clearest(Finding(column=TOGETHER), [i], measured, 0.0) for i in at}
    most = max(at, key=lambda i: shown[i][0].exceeds)
    finding, moved = shown[most]
    finding = replace(finding, rows=int(measured.rows[most]))
    if not moved:
        return [finding]
    pair = measured.checks[most]
    note = f"{pair.column} and {pair.other}: {finding.words}"
    return [replace(finding, kind=FindingKind.DRIFTED, note=note)]


def _regions(reference: Reference, sums: WindowSums, measured: Measured) -> list[Finding]:
    """Say whether rows lie elsewhere among the regions, with the inputs that tell those apart."""
    column = sums.columns.get(REGIONS)
    if reference.regions is None or column is None:
        return []
    at = [i for i, check in enumerate(measured.checks) if check.column == REGIONS]
    distance = distance_of_counts(reference.regions.summary, np.array(column.counts))
    finding, moved = clearest(_finding(reference, REGIONS, sums), at, measured, distance)
    finding = replace(finding, distance=distance)
    if not moved:
        return [finding]
    told = ", ".join(reference.regions.columns[:_NAMED])
    note = f"rows lie elsewhere among regions of {told}: {finding.words}"
    return [replace(finding, kind=FindingKind.DRIFTED, note=note)]


def _repeats(reference: Reference, sums: WindowSums) -> list[Finding]:
    share = repeated(sums)
    if any(summary.name not in sums.columns for summary in reference.columns):
        return []
    if share <= reference.repeated + _REPEATED:
        return []
    note = (
        f"{share:.0%} of the rows repeat another row of the window; in training at most "
        f"{reference.repeated:.0%} did: duplicated traffic?"
    )
    return [Finding(column=REPEATED, kind=FindingKind.BROKEN, rows=sums.rows, note=note)]
