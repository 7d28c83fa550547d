"""The report of a window: made for those that someone will look at, and kept with the version."""

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trimtab.policy.evaluate import Judgement
from trimtab.policy.summaries import Readings
from trimtab.policy.watched import WatchedVersion
from trimtab.ports.reports import Reports
from trimtab.records.endpoints import EndpointStatus
from trimtab.records.verdicts import FindingKind, Verdict
from trimtab.records.versions import ModelVersion

from .page import Pictures, page_of
from .version_notes import FOLDER, note

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """A page, and what Evidently says for programs."""

    page: str
    json: str | None
    """None where there was nothing to draw."""

    def write(self, page: Path) -> None:
        """Write the page; what cannot be written as UTF-8 is spelled out."""
        page.write_text(self.page, encoding="utf-8", errors="backslashreplace")


def make_report(
    watched: WatchedVersion,
    verdict: Verdict,
    readings: Mapping[str, Readings],
    endpoint: EndpointStatus | None,
) -> Report:
    """Make the report of a window; `readings` are the columns of its rows, or of some of them."""
    from .drift import SHOWN_ROWS, draw  # Evidently takes seconds to import; most windows are well

    judged = [f for f in verdict.findings if f.kind is not FindingKind.NOT_JUDGED]
    snapshot = draw(watched, readings, verdict.worst_first) if readings and judged else None
    if snapshot is None:
        why = "the rows are no longer in the log" if judged else "nothing was judged"
        said = f"There are no pictures: {why}."
        return Report(page_of(verdict, watched.reference, endpoint, None, note=said), None)
    drawn = len(snapshot.metric_results)
    said = (
        f"The pictures show {drawn} of {len(watched.reference.columns)} columns, and up to "
        f"{SHOWN_ROWS:,} rows, evenly spaced, of the window (current) and as many of training "
        "(reference). All figures are of all rows."
    )
    try:
        pictures = Pictures.of(snapshot.get_html_str(as_iframe=False))
    except ValueError as error:
        log.warning("The pictures were left out: %s", error)
        pictures, said = None, f"The pictures were left out. {error}"
    page = page_of(verdict, watched.reference, endpoint, pictures, note=said)
    return Report(page, snapshot.json())


def publish_report(
    reports: Reports,
    version: ModelVersion,
    watched: WatchedVersion,
    judgement: Judgement,
    endpoint: EndpointStatus | None = None,
) -> str | None:
    """Put what was concluded on a window beside its version, where MLflow shows it.

    A window that is not well gets a report among the artifacts of the version's run; gives its
    path there. Whatever goes wrong costs the report, never the verdict.
    """
    verdict, path = judgement.verdict, None
    try:
        if not verdict.is_well:
            report = make_report(watched, verdict, judgement.readings, endpoint)
            path = _publish(reports, version, verdict, report)
        note(reports, version, verdict, path)
    except Exception as error:  # MLflow's client alone raises a dozen kinds
        log.warning("What MLflow shows of %s is not whole: %s", verdict.window, error)
    return path


def _publish(reports: Reports, version: ModelVersion, verdict: Verdict, report: Report) -> str:
    name = f"{FOLDER}/{verdict.window.start:%Y-%m-%dT%H%M}_{verdict.kind}"
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch) / "report.html"
        report.write(page)
        path = reports.publish(version, f"{name}.html", page)
        if report.json is not None:
            (Path(scratch) / "report.json").write_text(report.json)
            reports.publish(version, f"{name}.json", Path(scratch) / "report.json")
    return path
