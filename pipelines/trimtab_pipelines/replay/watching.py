"""The monitor on the past: windows, verdicts and incidents, by the rules of the real one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import pandas as pd

from trimtab.policy.evaluate import Beside, judge_frame
from trimtab.policy.hindsight import (
    MEMORY,
    has_news,
    with_hindsight,
    worth_measuring,
)
from trimtab.policy.incidents import FAR_BACK, News, Step, next_steps
from trimtab.policy.quality import estimate_of, known_of, measured_of
from trimtab.policy.redaction import withheld
from trimtab.policy.watched import frame_of
from trimtab.records.evidence import Evidence
from trimtab.records.incidents import Incident, Situation
from trimtab.records.labels import Label
from trimtab.records.promotions import Promotion
from trimtab.records.quality import Quality
from trimtab.records.sums import WindowSums
from trimtab.records.verdicts import Verdict
from trimtab.records.windows import Window

from .answering import Answering, Rows
from .history import History
from .workshop import Version


@dataclass(kw_only=True, eq=False)
class _Seen:
    """A window of the champion that was judged."""

    verdict: Verdict
    rows: Rows
    labelled: int
    """Labels that had come when its quality was measured last."""


@dataclass(kw_only=True, eq=False)
class Watching:
    """One policy's monitor. What it knows of a champion goes with the champion."""

    history: History
    answering: Answering
    alerts: int = 0
    opened: Counter[Situation] = field(default_factory=Counter)
    _seen: list[_Seen] = field(default_factory=list)
    """Of the champion in force, oldest first."""
    _incidents: dict[str, Incident] = field(default_factory=dict)
    _previous: WindowSums | None = None

    @property
    def active(self) -> list[Incident]:
        """The incidents that are not over, the newest first."""
        active = [i for i in self._incidents.values() if not i.state.is_over]
        return sorted(active, key=lambda incident: incident.opened_at, reverse=True)

    @property
    def recent(self) -> list[Verdict]:
        """The newest verdicts on the champion, newest first."""
        most = FAR_BACK * self.history.settings.monitor.n
        return [seen.verdict for seen in reversed(self._seen[-most:])]

    def close(
        self, window: Window, version: Version, champion: Promotion, rows: Rows, now: datetime
    ) -> None:
        """Judge what the champion answered in a window that is over, and what follows from it.

        Without any row of the champion's, as when it was promoted meanwhile, there is no verdict.
        """
        self._look_again(version, now)
        if len(rows):
            self._judge(window, version, rows, now)
        self._follow(champion, self.recent, now)

    def promoted(self, champion: Promotion, now: datetime) -> None:
        """End what the new champion has made past; its windows are judged anew."""
        self._seen, self._previous = [], None
        if self.active:
            self._follow(champion, [], now, known=self.active)

    def _judge(self, window: Window, version: Version, rows: Rows, now: datetime) -> None:
        asked = self.answering.ask(version, rows)
        contract = version.watched.contract
        logged = self.answering.logged(asked, contract)
        labels = self.answering.labels(asked.rows, contract, pd.Timestamp(now).value)
        before = [seen.verdict for seen in reversed(self._seen)]
        judgement = judge_frame(
            self.history.model,
            version.watched,
            window,
            frame_of(contract, logged.rows, logged.inputs),
            Beside(
                labels=labels,
                before=before[0].evidence if before else Evidence(),
                previous=self._previous,
                withheld=self._withheld,
            ),
            rows=logged.rows,
            refused=logged.refused,
            now=now,
        )
        verdict = with_hindsight(
            judgement.verdict, before[:MEMORY], version.watched.reference.estimator
        )
        self._previous = judgement.sums
        self._seen.append(_Seen(verdict=verdict, rows=asked.rows, labelled=len(labels)))

    def _look_again(self, version: Version, now: datetime) -> None:
        """Measure earlier windows again for which labels have come since."""
        newest_first = self._seen[::-1][:MEMORY]
        moment = pd.Timestamp(now).value
        for age in worth_measuring(len(newest_first), self.history.settings.monitor.n):
            seen = newest_first[age]
            came = int((self.history.known_at[seen.rows] <= moment).sum())
            if came == seen.labelled or seen.verdict.quality is None:
                continue
            seen.labelled = came
            known = [other.verdict for other in newest_first]
            quality = self._measured(version, seen, moment)
            again = replace(seen.verdict, quality=quality)
            again = with_hindsight(again, known, version.watched.reference.estimator)
            if has_news(seen.verdict, again):
                seen.verdict = again

    def _measured(self, version: Version, seen: _Seen, moment: int) -> Quality | None:
        asked = self.answering.ask(version, seen.rows)
        contract, reference = version.watched.contract, version.watched.reference
        logged = self.answering.logged(asked, contract)
        labels: Mapping[str, Label] = self.answering.labels(asked.rows, contract, moment)
        given = (contract, reference, logged.rows, logged.inputs, labels)
        measured = measured_of(reference, [known_of(*given, withheld=self._withheld)])
        if measured is None:
            return None
        return replace(measured, estimate=estimate_of(*given, withheld=self._withheld))

    @property
    def _withheld(self) -> Mapping[str, str]:
        capture = self.history.settings.capture
        return withheld(capture.drop, capture.hash)

    def _follow(
        self,
        champion: Promotion,
        verdicts: Sequence[Verdict],
        now: datetime,
        known: Sequence[Incident] | None = None,
    ) -> None:
        """Let incidents open, go on and end."""
        monitor = self.history.settings.monitor
        incidents = list(self._incidents.values()) if known is None else known
        for step in next_steps(verdicts, incidents, champion, k=monitor.k, n=monitor.n, now=now):
            self._take(step)

    def _take(self, step: Step) -> None:
        self._incidents[step.incident.id] = step.incident
        self.alerts += step.news is not None
        self.opened[step.incident.situation] += step.news in (News.OPENED, News.CAME_BACK)
