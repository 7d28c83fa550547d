"""What MLflow's pages say of a version in service: a block of its description, tags and curves."""

import math

from trimtab.policy.descriptions import plain
from trimtab.ports.reports import Reports
from trimtab.records.reference import OUTPUT
from trimtab.records.verdicts import Verdict
from trimtab.records.versions import ModelVersion

BLOCK = "monitoring"
FOLDER = "monitoring"
"""Where the reports lie among the artifacts of the version's run."""
_NAMED = 5


def note(reports: Reports, version: ModelVersion, verdict: Verdict, report: str | None) -> None:
    """Write down beside the version what was concluded on its newest window."""
    tags = {"trimtab.last_verdict": f"{verdict.kind} {verdict.window.start:%Y-%m-%dT%H:%M}"}
    if report:
        tags["trimtab.last_report"] = report
    reports.annotate(version, tags=tags)
    link = reports.link(version, report or FOLDER)
    reports.describe(version, BLOCK, _text(verdict, link, is_new=bool(report)))
    length = verdict.window.end - verdict.window.start
    step = (verdict.window.start - version.trained_until) // length
    reports.plot(version, figures_of(verdict), at=verdict.window.end, step=step)


def _text(verdict: Verdict, link: str, *, is_new: bool) -> str:
    told = [*verdict.broken, *verdict.drifted]
    lines = [f"- {plain(f.column)}: {plain(f.words)}" for f in told[:_NAMED]]
    more = [f"- and {len(told) - _NAMED} more"] if len(told) > _NAMED else []
    said = str(verdict.kind).replace("_", " ")
    return "\n".join(
        [
            "### Monitoring",
            "",
            f"{verdict.window} UTC: **{said}**, {verdict.rows:,} rows",
            "",
            *lines,
            *more,
            "",
            f"[{'Report of this window' if is_new else 'Reports of earlier windows'}]({link})",
        ]
    )


def figures_of(verdict: Verdict) -> dict[str, float]:
    """Give the points of a window on the version's curves; those that are known."""
    found = {
        "monitor/rows": verdict.rows,
        "monitor/refused": verdict.refused,
        "monitor/columns_drifted": len(verdict.drifted),
        "monitor/columns_broken": len(verdict.broken),
        "monitor/furthest_over_limit_log10": _furthest(verdict),
        "monitor/output_distance": next(
            (f.distance for f in verdict.findings if f.column == OUTPUT), None
        ),
    }
    if verdict.quality is not None:
        found[f"monitor/{verdict.quality.metric}"] = verdict.quality.value
        found[f"monitor/{verdict.quality.metric}_limit"] = verdict.quality.limit
        found["monitor/labels_share"] = verdict.quality.completeness
        if verdict.quality.estimate is not None:
            estimated = verdict.quality.estimate.value
            found[f"monitor/{verdict.quality.metric}_estimated"] = estimated
    return {k: float(v) for k, v in found.items() if v is not None and math.isfinite(v)}


def _furthest(verdict: Verdict) -> float | None:
    """Say how far the furthest check is over its limit, in powers of ten; above 0 is drift."""
    most = max((f.exceeds for f in verdict.findings), default=0.0)
    return math.log10(most) if most > 0 else None
