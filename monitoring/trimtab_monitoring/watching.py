"""Watching a model: which window is next, whether it is closed, and who answered in it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from trimtab.adapters.mlflow_links import run_page, version_page
from trimtab.errors import ManifestError, UnknownVersionError
from trimtab.policy.evaluate import Asked, Beside, judge_sums
from trimtab.policy.hindsight import MEMORY, has_news, merged, with_hindsight, worth_measuring
from trimtab.policy.sensitivity import sensitivity
from trimtab.ports import Clock, Database, InferenceLog
from trimtab.ports.reports import Reports
from trimtab.records.endpoints import EndpointStatus
from trimtab.records.evidence import Evidence
from trimtab.records.sums import Stretch, WindowSums
from trimtab.records.verdicts import Verdict
from trimtab.records.windows import Window
from trimtab.settings import ModelSettings

from .adding_up import AddingUp
from .consequences import conclude, settle
from .report import publish_report
from .versions import Versions

log = logging.getLogger(__name__)

_LEFT = 0.95  # with fewer of its rows still in the log, an old window's measure stands


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """The next window that nobody has judged."""

    window: Window
    champion: str
    promoted: tuple[str, ...]
    """All versions that were ever champion: only they can have answered."""
    horizon: datetime
    """Rows of an earlier event time are in the log, but for those that come late."""
    is_closed: bool
    """No row of the window is waited for any more."""

    @property
    def versions(self) -> list[str]:
        """The versions that can have answered, the champion first."""
        return list(dict.fromkeys([self.champion, *self.promoted]))


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

        Until then what has come of it is added up. A judgement is made outside of any transaction
        and written in one: a process that dies before that has judged nothing, and judges the same
        window again.
        """
        ahead = self.ahead()
        if ahead is None:
            return []
        if not ahead.is_closed:
            self.adding_up.go_on(ahead.window, ahead.versions, ahead.horizon)
            return []
        asked, again = self._asked(ahead), self._look_again(ahead.champion)
        verdicts = [self._judge(whole, again) for whole in asked]
        link = self._page(verdicts[0])
        with self.database.transaction() as stores:
            now = self.clock.now()
            for whole in asked:
                stores.sums.put(whole)
            conclude(stores, self.settings, verdicts, again, now=now, link=link)
        return verdicts

    def sensitivity(self) -> dict[str, float]:
        """Give the factors of columns that were marked false, for the limits of the judge."""
        with self.database.transaction() as stores:
            marks = stores.false_marks.of(self.model)
        return sensitivity(marks, self.clock.now())

    @property
    def adding_up(self) -> AddingUp:
        """What was asked and answered, in sums."""
        return AddingUp(
            model=self.model,
            capture=self.settings.capture,
            database=self.database,
            inference_log=self.inference_log,
            versions=self.versions,
        )

    def ahead(self) -> Ahead | None:
        """Find the next window; it is closed once no row of it can still come in time."""
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
        past = now - self.settings.monitor.lateness
        shipped = status.shipped_through or window.start if status else past
        horizon = min(past, shipped)
        return Ahead(
            window=window,
            champion=promotions[0].version,
            promoted=tuple(promotion.version for promotion in promotions),
            horizon=horizon,
            is_closed=horizon >= window.end,
        )

    def _asked(self, ahead: Ahead) -> list[Stretch]:
        """Give what was added up of every version that was asked, the champion first.

        When none was, the champion's is nothing.
        """
        found = []
        for version in ahead.versions:
            try:
                whole = self.adding_up.whole(version, ahead.window)
                if whole is not None:
                    self.versions.get(self.model, version)
                    found.append(whole)
            except (UnknownVersionError, ManifestError) as error:  # the champion still counts
                if version == ahead.champion:
                    raise
                log.warning("Not judged in %s: %s", ahead.window, error)
        nothing = Stretch(
            model=self.model, version=ahead.champion, window=ahead.window, sums=WindowSums()
        )
        return found or [nothing]

    def _judge(self, whole: Stretch, again: Sequence[Verdict]) -> Verdict:
        version, window = whole.version, whole.window
        known, watched = self.versions.get(self.model, version)
        last = self._last(version, window)
        judgement = judge_sums(
            self.model,
            watched,
            window,
            Asked(
                sums=whole.sums,
                refused=whole.refused,
                quality=self.adding_up.quality(version, window) if whole.sums.rows else None,
            ),
            Beside(
                before=last.evidence if last else Evidence(),
                previous=self.adding_up.before(version, last.window) if last else None,
                sensitivity=self.sensitivity(),
                withheld=self.adding_up.withheld,
            ),
            sample=partial(self.adding_up.sample, version, window),
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

    def _last(self, version: str, window: Window) -> Verdict | None:
        """Give the verdict on the version's window before this one."""
        with self.database.transaction() as stores:
            recent = stores.verdicts.recent(self.model, version, limit=2)
        return next((v for v in recent if v.window.end <= window.start), None)

    def _look_again(self, champion: str) -> list[Verdict]:
        """Look again at the champion's earlier windows: labels may have come, and late rows."""
        known = list(self._known(champion))
        changed = []
        for age in worth_measuring(len(known), self.settings.monitor.n):
            verdict = self._seen_again(known[age], known)
            if verdict.late != known[age].late or has_news(known[age], verdict):
                known[age] = verdict
                changed.append(verdict)
        return changed

    def _seen_again(self, verdict: Verdict, known: Sequence[Verdict]) -> Verdict:
        """See one window by what the log and the labels hold of it now."""
        version, window = verdict.version, verdict.window
        answered = self.adding_up.rows(version, window) - verdict.refused
        verdict = replace(verdict, late=max(verdict.late, answered - verdict.rows))
        if verdict.quality is None or answered < max(1, _LEFT * verdict.rows):
            return verdict
        _, watched = self.versions.get(self.model, version)
        quality = self.adding_up.quality(version, window, before=verdict.quality)
        return with_hindsight(replace(verdict, quality=quality), known, watched.reference.estimator)

    def _known(self, version: str) -> Sequence[Verdict]:
        with self.database.transaction() as stores:
            return stores.verdicts.recent(self.model, version, limit=MEMORY)

    def _page(self, verdict: Verdict) -> str | None:
        """Tell where people read of a window: its report, else the run that made the version."""
        if self.mlflow_url is None:
            return None
        known, _ = self.versions.get(self.model, verdict.version)
        if verdict.report is not None:
            try:
                return self.reports.link(known, verdict.report)
            except Exception as error:  # MLflow's client alone raises a dozen kinds
                log.warning("The alert links to the run, not to the report: %s", error)
        return run_page(self.mlflow_url, known)

    def _version_page(self, version: str) -> str | None:
        return version_page(self.mlflow_url, self.model, version) if self.mlflow_url else None
