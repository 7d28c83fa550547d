"""Putting Evidently's page beside the version, for the windows that someone will look at."""

import logging
import tempfile
from pathlib import Path

from trimtab.errors import TrimtabError
from trimtab.ports.reports import Reports
from trimtab.records.verdicts import VerdictKind
from trimtab.records.versions import ModelVersion

from .evaluate import Judgement

log = logging.getLogger(__name__)

_SHOWN = (VerdictKind.DRIFT, VerdictKind.BROKEN_DATA)


def publish_report(reports: Reports, version: ModelVersion, judgement: Judgement) -> str | None:
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
        if not judgement.comparison.write_report(page):
            return None
        try:
            return reports.publish(version, name, page)
        except (TrimtabError, OSError) as error:
            log.warning("The report of %s was not logged: %s", verdict.window, error)
            return None
