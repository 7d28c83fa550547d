"""What the stores of the temporary platform say of a drill, window by window."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from trimtab.policy.drilling import EXPECTATIONS, DrillRules, Standing, has_given_up
from trimtab.policy.situations import situations
from trimtab.ports import Database, Stores
from trimtab.records.drills import Asked, Moment, Observed, Reaction
from trimtab.records.incidents import Incident
from trimtab.records.requests import RetrainRequest
from trimtab_pipelines.live_traffic.traffic import Tally

from .injecting import Injection

_FAR_BACK = 500
_DELIVERED = "alert delivered"


@dataclass(slots=True, kw_only=True)
class Watcher:
    """Looks at the stores after each window since the change began, and remembers."""

    database: Database
    model: str
    begins: datetime
    """When the change began."""
    window: timedelta
    rules: DrillRules
    sent: Moment = field(default=Moment(windows=0, rows=0))
    _opened: dict[str, Moment] = field(default_factory=dict)
    """By incident, how far the traffic was when it was seen first."""
    _known: set[object] = field(default_factory=set)
    _newest: int = 0

    def look(self, rows: int) -> Standing:
        """Take in what a window, of so many rows, has led to."""
        self.sent = Moment(windows=self.sent.windows + 1, rows=self.sent.rows + rows)
        with self.database.transaction() as stores:
            incidents, requests = self._incidents(stores), self._requests(stores)
        for incident in incidents:
            self._opened.setdefault(incident.id, self.sent)
        known: set[object] = {(i.id, i.state.is_over, i.comebacks) for i in incidents}
        known |= {(r.id, r.state) for r in requests}
        if known - self._known:
            self._newest = self.sent.windows
        self._known |= known
        return Standing(
            windows=self.sent.windows,
            active=sum(not incident.state.is_over for incident in incidents),
            newest=self._newest,
            at_work=any(request.state.is_open for request in requests),
            asks_person=has_given_up([_asked(request) for request in requests], self.rules),
        )

    def alerts(self) -> int:
        """Count the alerts that were written since, those on their way included."""
        with self.database.transaction() as stores:
            told = stores.ledger.entries(self.model, limit=100 * _FAR_BACK)
            waiting = max((s.waiting for s in stores.outbox.standing(self.model)), default=0)
        delivered = sum(e.event == _DELIVERED and e.at >= self.begins for e in told)
        return delivered + waiting

    def observed(
        self, injection: Injection, tally: Tally, *, received: int, unsettled: str
    ) -> Observed:
        """Put together what was seen; the tally is what the clients saw."""
        failures = tally.failed.most_common(1)
        with self.database.transaction() as stores:
            incidents, requests = self._incidents(stores), self._requests(stores)
        asked = tuple(_asked(request) for request in requests)
        return Observed(
            change=injection.change,
            done=injection.words,
            sent=self.sent,
            noticed=self._noticed(injection),
            reactions=tuple(self._reaction(incident) for incident in incidents),
            asked=asked,
            asks_person=has_given_up(asked, self.rules),
            alerts=self.alerts(),
            received=received,
            unsettled=unsettled,
            failed_requests=sum(tally.failed.values()),
            failure=failures[0][0] if failures else "",
        )

    def _incidents(self, stores: Stores) -> list[Incident]:
        found = stores.incidents.recent(self.model, limit=_FAR_BACK)
        return sorted(
            (i for i in found if i.opened_at >= self.begins), key=lambda i: (i.opened_at, i.id)
        )

    def _requests(self, stores: Stores) -> list[RetrainRequest]:
        """List the requests that incidents led to; a schedule or a person is no reaction."""
        found = stores.requests.recent(self.model, limit=_FAR_BACK)
        mine = (r for r in found if r.incident is not None and r.asked_at >= self.begins)
        return sorted(mine, key=lambda request: request.asked_at)

    def _reaction(self, incident: Incident) -> Reaction:
        return Reaction(
            situation=incident.situation,
            opened=self._opened.get(incident.id, self.sent),
            is_over=incident.state.is_over,
            evidence=incident.evidence,
            resolution=incident.resolution,
        )

    def _noticed(self, injection: Injection) -> Moment | None:
        expected = EXPECTATIONS[injection.change].opens
        with self.database.transaction() as stores:
            verdicts = stores.verdicts.recent(self.model, limit=_FAR_BACK)
        showing = [
            verdict
            for verdict in verdicts
            if verdict.window.start >= self.begins and situations(verdict) & expected
        ]
        if not showing:
            return None
        first = min(showing, key=lambda verdict: verdict.window)
        until = first.window.end
        rows = {v.window: max(v.rows, 0) for v in verdicts if self.begins <= v.window.start < until}
        windows = round((until - self.begins) / self.window)
        return Moment(windows=windows, rows=sum(rows.values()))


def _asked(request: RetrainRequest) -> Asked:
    return Asked(
        trigger=request.trigger,
        state=request.state,
        asked_at=request.asked_at,
        reasons=request.reasons,
    )
