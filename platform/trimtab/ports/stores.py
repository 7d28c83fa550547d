"""The platform's own stores; what is written in one transaction holds together or not at all."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from trimtab.records.deliveries import LOG, Attempt, Standing
from trimtab.records.endpoints import EndpointStatus
from trimtab.records.incidents import Alert, FalseMark, Incident
from trimtab.records.keys import ApiKey
from trimtab.records.ledger import LedgerEntry
from trimtab.records.promotions import Promotion
from trimtab.records.requests import RetrainRequest
from trimtab.records.row_counts import RowCount
from trimtab.records.sums import Stretch
from trimtab.records.tallies import Evidence
from trimtab.records.trials import Trial
from trimtab.records.verdicts import Verdict
from trimtab.records.windows import Window

from .labels import LabelFiles, Labels, LabelSearch


class Ledger(Protocol):
    """Append-only and hash-chained."""

    def append(self, entry: LedgerEntry) -> None:
        """Write one entry behind the last."""
        ...

    def entries(self, model: str | None = None, *, limit: int = 100) -> Sequence[LedgerEntry]:
        """List the newest entries, newest first."""
        ...

    def verify(self) -> int:
        """Check the whole chain and count its rows. Raises LedgerBrokenError."""
        ...


class Promotions(Protocol):
    """The moves of every champion."""

    def current(self, model: str) -> Promotion | None:
        """Give the move in force."""
        ...

    def record(self, promotion: Promotion) -> None:
        """Move the champion. Raises StaleEpochError unless the epoch is the current one plus 1."""
        ...

    def history(self, model: str) -> Sequence[Promotion]:
        """List all moves, newest first."""
        ...


class RetrainRequests(Protocol):
    """The asks for new versions; at most one open for a model."""

    def ask(self, request: RetrainRequest) -> bool:
        """File a request; False, and nothing filed, when one is open for the model."""
        ...

    def claim(self, models: Sequence[str], holder: str, ttl: timedelta) -> RetrainRequest | None:
        """Take the oldest asked request, or a running one whose lease ran out; one caller wins.

        Leases go by the system's clock, never by a replay's, and are extended by `renew`.
        """
        ...

    def renew(self, request_id: str, holder: str, ttl: timedelta) -> None:
        """Extend a lease. Raises LeaseLostError when it is somebody else's by now."""
        ...

    def finish(self, request: RetrainRequest, holder: str | None) -> None:
        """Write how a request ended (or that it is WAITING).

        `holder` None is for a person, who needs no lease. Raises LeaseLostError when the holder
        no longer holds it.
        """
        ...

    def recent(self, model: str, *, limit: int = 50) -> Sequence[RetrainRequest]:
        """List requests, newest first, open ones included."""
        ...


class RowCounts(Protocol):
    """How many labelled rows each model's champion has not seen; the newest count counts."""

    def put(self, count: RowCount) -> None:
        """Write a count in place of the one before."""
        ...

    def get(self, model: str) -> RowCount | None:
        """Read it; None where nobody has counted yet."""
        ...


class Incidents(Protocol):
    """Situations with a life."""

    def get(self, incident_id: str) -> Incident:
        """Give an incident. Raises UnknownIncidentError."""
        ...

    def active(self, model: str) -> Sequence[Incident]:
        """List the incidents of a model that are not over."""
        ...

    def save(self, incident: Incident) -> None:
        """Write an incident, new or changed."""
        ...

    def recent(self, model: str, *, limit: int = 50) -> Sequence[Incident]:
        """List incidents, newest first."""
        ...


class FalseMarks(Protocol):
    """The columns of incidents that were marked false."""

    def save(self, mark: FalseMark) -> None:
        """Write a mark, new or changed; an incident has one a column."""
        ...

    def of(self, model: str) -> Sequence[FalseMark]:
        """List the marks of a model, newest first, those that no longer count included."""
        ...


class Verdicts(Protocol):
    """One verdict a model, version and window."""

    def add(self, verdict: Verdict) -> None:
        """Write a verdict; judging a window again replaces it."""
        ...

    def recent(
        self, model: str, version: str | None = None, *, limit: int = 100
    ) -> Sequence[Verdict]:
        """List verdicts, newest window first."""
        ...

    def at(self, model: str, moment: datetime) -> Sequence[Verdict]:
        """List the verdicts of the windows that hold a moment, the newest version first."""
        ...


class Sums(Protocol):
    """What versions were asked and answered, added up, stretch of time by stretch of time."""

    def put(self, stretch: Stretch) -> None:
        """Write a stretch in place of all of the version that overlap with it."""
        ...

    def within(self, model: str, version: str, window: Window) -> Sequence[Stretch]:
        """List the stretches of a version that lie within a window, in their order."""
        ...

    def through(self, model: str) -> datetime | None:
        """Tell where the newest stretch of any version ends; None when there is none."""
        ...

    def forget(self, model: str, before: datetime | None = None) -> int:
        """Remove the stretches that begin before a moment, or all of them; count them."""
        ...


class Trials(Protocol):
    """Canaries and shadows; at most one running for a model."""

    def begin(self, trial: Trial) -> bool:
        """Begin a trial; False, and nothing begun, when one is running for the model."""
        ...

    def running(self, model: str) -> Trial | None:
        """Give the trial that is running."""
        ...

    def save(self, trial: Trial, evidence: Evidence | None = None) -> None:
        """Write how far a running trial is, or its end, and what it rests on.

        Raises StaleTrialError unless its revision is the one in the store plus 1, and when it has
        ended: then nothing is written.
        """
        ...

    def evidence(self, trial_id: str) -> Evidence | None:
        """Give what a trial rests on; None until anything was compared."""
        ...

    def recent(self, model: str, *, limit: int = 20) -> Sequence[Trial]:
        """List trials, newest first, the running one included."""
        ...


class Outbox(Protocol):
    """Alerts on their way out; written with the decision that caused them.

    Addresses are named by their labels. Attempts go by the system's clock.
    """

    def put(self, alert: Alert) -> None:
        """Queue an alert; one key is queued once."""
        ...

    def due(self, address: str = LOG, *, limit: int = 20) -> Sequence[Alert]:
        """List alerts that an address lacks and whose next attempt is due, oldest first."""
        ...

    def claim(self, address: str, *, hold: timedelta, limit: int = 20) -> Sequence[Attempt]:
        """Take what is due for an address, for so long; nobody else gets it meanwhile.

        An attempt that is neither `taken` nor `missed` by then comes due again, as unsure.
        """
        ...

    def taken(self, key: str, address: str) -> None:
        """Note that an address has an alert; it never gets it again."""
        ...

    def missed(self, key: str, address: str, error: str, *, is_unsure: bool) -> None:
        """Note a failed attempt; the next one waits longer each time.

        `is_unsure` says that the address may have the alert nevertheless.
        """
        ...

    def complete(self, addresses: Sequence[str]) -> Sequence[Alert]:
        """Close the alerts that all of these addresses have; gives them, each once."""
        ...

    def standing(self, model: str | None = None) -> Sequence[Standing]:
        """Tell how each address stands that was ever tried, and the log."""
        ...


class Endpoints(Protocol):
    """What the endpoints last said of themselves."""

    def put(self, status: EndpointStatus) -> None:
        """Write the status of a model's endpoint."""
        ...

    def get(self, model: str) -> EndpointStatus | None:
        """Read it; None when the model was never served."""
        ...


class Keys(Protocol):
    """The API keys of all endpoints, without their secrets."""

    def add(self, key: ApiKey) -> None:
        """Write a new key."""
        ...

    def revoke(self, key_id: str, at: datetime) -> ApiKey:
        """Revoke a key, once: an earlier moment stays. Raises UnknownKeyError."""
        ...

    def all(self) -> Sequence[ApiKey]:
        """List every key there ever was, newest first."""
        ...

    def of(self, model: str) -> Sequence[ApiKey]:
        """List those that are for a model or for every model, newest first."""
        ...


class Stores(Protocol):
    """All stores, inside one transaction."""

    @property
    def ledger(self) -> Ledger:
        """What happened."""
        ...

    @property
    def promotions(self) -> Promotions:
        """Who is champion."""
        ...

    @property
    def requests(self) -> RetrainRequests:
        """Who asked for a new version."""
        ...

    @property
    def row_counts(self) -> RowCounts:
        """What there is to learn from."""
        ...

    @property
    def incidents(self) -> Incidents:
        """What is going on."""
        ...

    @property
    def false_marks(self) -> FalseMarks:
        """What was no incident."""
        ...

    @property
    def verdicts(self) -> Verdicts:
        """What was concluded."""
        ...

    @property
    def sums(self) -> Sums:
        """What was asked and answered, added up."""
        ...

    @property
    def labels(self) -> Labels:
        """What came true."""
        ...

    @property
    def label_search(self) -> LabelSearch:
        """Which labels have a prediction."""
        ...

    @property
    def label_files(self) -> LabelFiles:
        """Which files of labels are in the database already."""
        ...

    @property
    def outbox(self) -> Outbox:
        """What people must hear."""
        ...

    @property
    def endpoints(self) -> Endpoints:
        """What is being served."""
        ...

    @property
    def keys(self) -> Keys:
        """Who may call the endpoints."""
        ...

    @property
    def trials(self) -> Trials:
        """What is being tried."""
        ...


class Database(Protocol):
    """The platform's database."""

    def transaction(self) -> AbstractContextManager[Stores]:
        """Open a transaction: committed at the end, rolled back when an exception leaves it."""
        ...
