"""What a trial has shown, in words: for the ledger and for a version's page in MLflow."""

from trimtab.policy.bake_words import standing
from trimtab.records.agreement import Agreement, Served, Shift, TrialResult
from trimtab.records.bakes import BakeLook
from trimtab.records.tallies import Evidence
from trimtab.records.trials import Trial, TrialKind


def title(trial: Trial) -> str:
    """Name a trial: what is tried beside what, and how."""
    if trial.kind is TrialKind.BAKE:
        return f"{trial.model}: bake of champion {trial.champion} beside version {trial.challenger}"
    how = f"canary with {trial.share * 100:g}% of the requests" if trial.share else "shadow"
    return f"{trial.model}: version {trial.challenger} beside champion {trial.champion}, {how}"


def summary(trial: Trial, evidence: Evidence | None) -> list[str]:
    """Give the few figures that a ledger row holds."""
    if evidence is None:
        return ["nothing was compared"]
    result = evidence.result
    lines = [f"{result.overall.agreed:.2%} of {result.overall.rows:,} rows agreed"]
    if not result.overall.rows:
        lines = ["no rows were answered by both"]
    lines += [_moved(shift) for shift in result.overall.shifts[:1]]
    if result.unanswered:
        lines.append(f"{result.unanswered:,} rows without an answer of version {trial.challenger}")
    if trial.kind is TrialKind.CANARY:
        lines += [
            f"it answered {served.requests:,} requests and failed {served.failed:,}"
            for served in result.served
            if served.version == trial.challenger
        ]
    if result.quality is not None and trial.kind is not TrialKind.BAKE:  # a bake says it itself
        lines.append(result.quality.reasons[0])
    return lines


def as_markdown(trial: Trial, evidence: Evidence) -> str:
    """Write it for the description of a version."""
    result = evidence.result
    heading = f"### Trial: {title(trial)}"
    lines = [
        heading,
        "",
        f"{trial.since:%Y-%m-%d %H:%M} to {result.through:%Y-%m-%d %H:%M}. "
        f"Bounds at {result.confidence:.0%} confidence each.",
        "",
        "| where | rows | agreed | distance | mean score | difference |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(f"| {' | '.join(figures(found))} |" for found in (result.overall, *result.slices)),
        "",
        *(f"- {line}" for line in remarks(trial, result)),
        *(f"- look {look.number + 1}: {'; '.join(figures_of(look))}" for look in evidence.looks),
    ]
    return "\n".join(lines)


def figures(found: Agreement) -> tuple[str, ...]:
    """Give one line of the table: where, rows, agreement, distance, mean scores, difference."""
    shift = found.shifts[0] if found.shifts else None
    return (
        found.name,
        f"{found.rows:,}",
        f"{found.agreed:.2%}" if found.rows else "",
        f"{found.distance:.4f}" if found.rows else "",
        f"{shift.champion:.4f} -> {shift.challenger:.4f}" if shift else "",
        _difference(shift) if shift else "",
    )


def remarks(trial: Trial, result: TrialResult) -> list[str]:
    """Say all else that is worth knowing, line by line."""
    lines = [_moved(shift) for shift in result.overall.shifts[1:]]
    lines += [
        f"{change.rows:,} rows went from {change.champion} to {change.challenger}"
        for change in result.changes
    ]
    lines += [_served(served) for served in result.served]
    lines += [
        f"version {t.version} takes {t.p50_ms:.2f} ms for one row, {t.p99_ms:.2f} ms at p99 "
        f"({t.rows} rows, beside the other)"
        for t in result.timings
    ]
    if result.groups is not None:
        groups = result.groups
        chance = "" if groups.by_chance is None else f", by chance about {groups.by_chance:.4f}"
        lines.append(
            f"callers apart: distance {groups.distance:.4f}{chance}; {_moved(groups.shifts[0])}"
        )
    if result.tolerance is not None:
        lines.append(f"numbers agree when they differ by at most {result.tolerance:.4g}")
    if result.quality is not None and trial.kind is TrialKind.BAKE:
        lines.append(f"on labelled rows: {standing(trial, result.quality)}")
    elif result.quality is not None:
        lines += [f"on labelled rows: {reason}" for reason in result.quality.reasons]
    elif result.overall.rows:
        lines.append(f"no labels yet: trimtab label {trial.model} FILE")
    return [*lines, *result.remarks]


def figures_of(look: BakeLook) -> list[str]:
    """Say what a look at a bake found, question by question."""
    lines = []
    for found in look.figures:
        beside = f"{found.question}: {found.champion:.4g} beside {found.before:.4g}"
        worse = "proven worse" if found.is_worse else "not proven worse"
        lines.append(f"{beside} on {found.rows:,} rows, {worse} ({look.confidence:.2%})")
    return [*lines, *look.remarks]


def _served(served: Served) -> str:
    latency = (
        f", {served.p50_ms:.2f} ms at p50 and {served.p99_ms:.2f} ms at p99"
        if served.p50_ms is not None and served.p99_ms is not None
        else ""
    )
    return (
        f"version {served.version} answered {served.requests:,} requests, failed "
        f"{served.failed:,}{latency}"
    )


def _moved(shift: Shift) -> str:
    return (
        f"mean of {shift.score}: {shift.champion:.4f} -> {shift.challenger:.4f} "
        f"({_difference(shift)})"
    )


def _difference(shift: Shift) -> str:
    difference = f"{shift.challenger - shift.champion:+.4f}"
    if shift.low is None or shift.high is None:
        return difference
    return f"{difference}, {shift.low:+.4f} to {shift.high:+.4f}"
