"""Watching a model: which window is next, whether it is closed, and who answered in it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from trimtab.errors import ManifestError, UnknownVersionError
from trimtab.policy.redaction import withheld
from trimtab.ports import Clock, Database, InferenceLog
from trimtab.ports.reports import Reports
from trimtab.records.endpoints import EndpointStatus
from trimtab.records.evidence import Evidence
from trimtab.records.labels import Label
from trimtab.records.logged import LoggedRows
from trimtab.records.verdicts import Quality, Verdict
from trimtab.records.windows import Window
from trimtab.settings import ModelSettings

from .consequences import conclude, settle
from .evaluate import Beside, judge_window
from .quality import keys_of, measure
from .report import publish_report
from .versions import Versions

log = logging.getLogger(__name__)

_COMPLETE = 0.95  # a few rows never get a label; a window with more is not measured again


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A closed window that nobody has judged."""

    window: Window
    champion: str
    promoted: tuple[str, ...]
    """All versions that were ever champion: only they can have answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One model under watch. It remembers nothing: all it knows is in the stores."""

    model: str
    settings: ModelSettings
    clock: Clock
    database: Database
    inference_log: InferenceLog
    versions: Versions
    reports: Reports

    def step(self) -> list[Verdict]:
        """Judge the next window if it is closed; gives its verdicts, none when it is not.

        The work is done outside of any transaction and written in one: a process that dies
        before that has judged nothing, and judges the same window again.
        """
        due = self.due()
        if due is None:
            return []
        verdicts, again = self._judge_all(due), self._measure_again(due.champion)
        with self.database.transaction() as stores:
            conclude(stores, self.settings, verdicts, again, now=self.clock.now())
        return verdicts

    def due(self) -> Due | None:
        """Find the next window, once it is closed: no row of it can still come."""
        now = self.clock.now()
        with self.database.transaction() as stores:
            settle(stores, self.model, now=now)
            newest = next(iter(stores.verdicts.recent(self.model, limit=1)), None)
            status = stores.endpoints.get(self.model)
            promotions = stores.promotions.history(self.model)
        start = newest.window.end if newest else self.inference_log.first_time(self.model)
        if start is None or not promotions:
            return None
        if newest is None:  # the callers' times are only claims; nobody answered before this
            start = max(start, promotions[-1].at)
        window = Window.around(start, self.settings.monitor.window)
        is_past = now >= window.end + self.settings.monitor.lateness
        shipped = status.shipped_through if status else window.end
        if not is_past or shipped is None or shipped < window.end:
            return None
        promoted = tuple(dict.fromkeys(promotion.version for promotion in promotions))
        return Due(window=window, champion=promotions[0].version, promoted=promoted)

    def _judge_all(self, due: Due) -> list[Verdict]:
        """Judge every version that was asked, the champion first; it alone when none was."""
        versions = dict.fromkeys([due.champion, *due.promoted])
        read = {version: self._read(version, due.window) for version in versions}
        asked = [version for version in versions if read[version] is not None]
        verdicts = []
        for version in asked or [due.champion]:
            try:
                verdicts.append(self._judge(version, due.window, read[version]))
            except (UnknownVersionError, ManifestError) as error:  # the champion still counts
                if version == due.champion:
                    raise
                log.warning("Not judged in %s: %s", due.window, error)
        return verdicts

    def _judge(self, version: str, window: Window, logged: LoggedRows | None) -> Verdict:
        known, watched = self.versions.get(self.model, version)
        judgement = judge_window(
            self.model,
            watched,
            window,
            logged,
            Beside(
                labels=self._labels(logged),
                before=self._evidence(version, window),
                withheld=withheld(self.settings.capture.drop, self.settings.capture.hash),
            ),
            now=self.clock.now(),
        )
        path = publish_report(self.reports, known, watched, judgement, self._endpoint())
        return replace(judgement.verdict, report=path)

    def _endpoint(self) -> EndpointStatus | None:
        with self.database.transaction() as stores:
            return stores.endpoints.get(self.model)

    def _evidence(self, version: str, window: Window) -> Evidence:
        """Give what the version's windows before this one have shown together."""
        with self.database.transaction() as stores:
            recent = stores.verdicts.recent(self.model, version, limit=2)
        earlier = (v.evidence for v in recent if v.window.end <= window.start)
        return next(earlier, Evidence())

    def _measure_again(self, champion: str) -> list[Verdict]:
        """Measure the champion's last windows anew where labels may have come since."""
        with self.database.transaction() as stores:
            recent = stores.verdicts.recent(self.model, champion, limit=self.settings.monitor.n)
        changed = []
        for verdict in recent:
            if verdict.quality is None or verdict.quality.completeness >= _COMPLETE:
                continue
            logged = self._read(champion, verdict.window)
            quality = self._measure(champion, logged) if logged else verdict.quality
            if quality != verdict.quality:
                changed.append(replace(verdict, quality=quality))
        return changed

    def _measure(self, version: str, logged: LoggedRows) -> Quality | None:
        _, watched = self.versions.get(self.model, version)
        labels = self._labels(logged)
        return measure(watched.contract, watched.reference, logged.rows, labels)

    def _read(self, version: str, window: Window) -> LoggedRows | None:
        return self.inference_log.read(self.model, version, window.start, window.end)

    def _labels(self, logged: LoggedRows | None) -> Mapping[str, Label]:
        if logged is None or logged.rows.empty:
            return {}
        with self.database.transaction() as stores:
            return stores.labels.get(self.model, keys_of(logged.rows).tolist())
