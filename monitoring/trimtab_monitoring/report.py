"""Putting Evidently's page beside the version, for the windows that someone will look at."""

import logging
import tempfile
from pathlib import Path

from trimtab.errors import TrimtabError
from trimtab.ports.reports import Reports
from trimtab.records.verdicts import VerdictKind
from trimtab.records.versions import ModelVersion

from .evaluate import Judgement
from .version_files import WatchedVersion

log = logging.getLogger(__name__)

_SHOWN = (VerdictKind.DRIFT, VerdictKind.BROKEN_DATA)


def publish_report(
    reports: Reports, version: ModelVersion, watched: WatchedVersion, judgement: Judgement
) -> str | None:
    """Log the page of a window that is not well to the version's run; gives its path there.

    A registry that does not answer costs the page, never the verdict.
    """
    verdict = judgement.verdict
    is_worse = verdict.quality is not None and verdict.quality.is_worse
    if verdict.kind not in _SHOWN and not is_worse:
        return None
    name = f"monitoring/{verdict.window.start:%Y-%m-%dT%H%M}_{verdict.kind}.html"
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch) / "report.html"
        if not _write(page, watched, judgement):
            return None
        try:
            return reports.publish(version, name, page)
        except (TrimtabError, OSError) as error:
            log.warning("The report of %s was not logged: %s", verdict.window, error)
            return None


def _write(page: Path, watched: WatchedVersion, judgement: Judgement) -> bool:
    """Write the page; False when there is nothing to show."""
    from .drift import draw  # Evidently takes seconds to import; most windows are well

    snapshot = draw(watched, judgement.readings, judgement.verdict.findings)
    if snapshot is None:
        return False
    snapshot.save_html(str(page))
    return True
