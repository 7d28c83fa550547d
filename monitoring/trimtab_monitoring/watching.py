"""Watching a model: which window is next, whether it is closed, and who answered in it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from trimtab.adapters.mlflow_links import run_page, version_page
from trimtab.errors import ManifestError, UnknownVersionError
from trimtab.policy.labelling import labels_of_rows, named
from trimtab.policy.redaction import withheld
from trimtab.policy.sensitivity import sensitivity
from trimtab.ports import Clock, Database, InferenceLog
from trimtab.ports.reports import Reports
from trimtab.records.endpoints import EndpointStatus
from trimtab.records.evidence import Evidence
from trimtab.records.labels import Label
from trimtab.records.logged import LoggedRows
from trimtab.records.verdicts import Verdict
from trimtab.records.windows import Window
from trimtab.settings import ModelSettings

from .consequences import conclude, settle
from .evaluate import Beside, judge_window
from .hindsight import MEMORY, has_news, merged, with_hindsight, worth_measuring
from .quality import keys_of, measure
from .report import publish_report
from .versions import Versions

log = logging.getLogger(__name__)

_LEFT = 0.95  # with fewer of its rows still in the log, an old window's measure stands


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
    mlflow_url: str | None = None
    """Where people open MLflow's pages; None for alerts without a link."""

    def step(self) -> list[Verdict]:
        """Judge the next window if it is closed; gives its verdicts, none when it is not.

        The work is done outside of any transaction and written in one: a process that dies
        before that has judged nothing, and judges the same window again.
        """
        due = self.due()
        if due is None:
            return []
        again = self._measure_again(due.champion)
        verdicts = self._judge_all(due, again)
        link = self._run_page(verdicts[0].version)
        with self.database.transaction() as stores:
            now = self.clock.now()
            conclude(stores, self.settings, verdicts, again, now=now, link=link)
        return verdicts

    def sensitivity(self) -> dict[str, float]:
        """Give the factors of columns that were marked false, for the limits of the judge."""
        with self.database.transaction() as stores:
            marks = stores.false_marks.of(self.model)
        return sensitivity(marks, self.clock.now())

    def due(self) -> Due | None:
        """Find the next window, once it is closed: no row of it can still come."""
        now = self.clock.now()
        with self.database.transaction() as stores:
            champion = stores.promotions.current(self.model)
            page = self._version_page(champion.version) if champion else None
            settle(stores, self.model, self.settings.monitor, now=now, link=page)
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

    def _judge_all(self, due: Due, again: Sequence[Verdict]) -> list[Verdict]:
        """Judge every version that was asked, the champion first; it alone when none was."""
        versions = dict.fromkeys([due.champion, *due.promoted])
        read = {version: self._read(version, due.window) for version in versions}
        asked = [version for version in versions if read[version] is not None]
        verdicts = []
        for version in asked or [due.champion]:
            try:
                verdicts.append(self._judge(version, due.window, read[version], again))
            except (UnknownVersionError, ManifestError) as error:  # the champion still counts
                if version == due.champion:
                    raise
                log.warning("Not judged in %s: %s", due.window, error)
        return verdicts

    def _judge(
        self, version: str, window: Window, logged: LoggedRows | None, again: Sequence[Verdict]
    ) -> Verdict:
        known, watched = self.versions.get(self.model, version)
        judgement = judge_window(
            self.model,
            watched,
            window,
            logged,
            Beside(
                labels=self._labels(logged),
                before=self._evidence(version, window),
                sensitivity=self.sensitivity(),
                withheld=self._withheld,
            ),
            now=self.clock.now(),
        )
        before = merged(self._known(version), again)
        verdict = with_hindsight(judgement.verdict, before, watched.reference.estimator)
        judgement = replace(judgement, verdict=verdict)
        path = publish_report(self.reports, known, watched, judgement, self._endpoint())
        return replace(verdict, report=path)

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
        """Measure the champion's earlier windows anew: labels may have come or been corrected."""
        known = list(self._known(champion))
        changed = []
        for age in worth_measuring(len(known), self.settings.monitor.n):
            verdict = self._measured_again(known[age], known)
            if has_news(known[age], verdict):
                known[age] = verdict
                changed.append(verdict)
        return changed

    def _measured_again(self, verdict: Verdict, known: Sequence[Verdict]) -> Verdict:
        """Measure one window by what the log and the labels hold of it now."""
        logged = self._read(verdict.version, verdict.window)
        if verdict.quality is None or logged is None or len(logged.rows) < _LEFT * verdict.rows:
            return verdict
        _, watched = self.versions.get(self.model, verdict.version)
        quality = measure(
            watched.contract,
            watched.reference,
            logged.rows,
            logged.inputs,
            self._labels(logged),
            withheld=self._withheld,
        )
        fresh = replace(verdict, quality=quality)
        return with_hindsight(fresh, known, watched.reference.estimator)

    @property
    def _withheld(self) -> Mapping[str, str]:
        return withheld(self.settings.capture.drop, self.settings.capture.hash)

    def _known(self, version: str) -> Sequence[Verdict]:
        with self.database.transaction() as stores:
            return stores.verdicts.recent(self.model, version, limit=MEMORY)

    def _run_page(self, version: str) -> str | None:
        known, _ = self.versions.get(self.model, version)
        return run_page(self.mlflow_url, known) if self.mlflow_url else None

    def _version_page(self, version: str) -> str | None:
        return version_page(self.mlflow_url, self.model, version) if self.mlflow_url else None

    def _read(self, version: str, window: Window) -> LoggedRows | None:
        return self.inference_log.read(self.model, version, window.start, window.end)

    def _labels(self, logged: LoggedRows | None) -> Mapping[str, Label]:
        if logged is None or logged.rows.empty:
            return {}
        keys, ids = keys_of(logged.rows).tolist(), logged.rows["prediction_id"].tolist()
        with self.database.transaction() as stores:
            found = stores.labels.get(self.model, named(keys, ids))
        of_rows = zip(keys, labels_of_rows(keys, ids, found), strict=True)
        return {key: label for key, label in of_rows if label is not None}
