"""The tables. A record's fields are columns of the same names; a few columns are ours alone."""

from datetime import datetime

from sqlalchemy import BigInteger, Float, Index, Integer, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from trimtab.records.incidents import Incident, Observation
from trimtab.records.keys import KeyScope
from trimtab.records.previews import Preview
from trimtab.records.requests import Obstacle
from trimtab.records.row_counts import Arrival
from trimtab.records.sums import WindowSums
from trimtab.records.tallies import Evidence
from trimtab.records.verdicts import Verdict

from .columns import Document, Moment

_REASONS = tuple[str, ...]
_NAME = String(100)


class Table(DeclarativeBase):
    """All tables of the platform."""

    type_annotation_map = {datetime: Moment, str: Text, int: BigInteger}  # noqa: RUF012 (theirs)


class PromotionRow(Table):
    """One move of a champion; the key is the compare-and-set."""

    __tablename__ = "promotions"

    model: Mapped[str] = mapped_column(_NAME, primary_key=True)
    epoch: Mapped[int] = mapped_column(Integer, primary_key=True)
    version: Mapped[str] = mapped_column(_NAME)
    previous: Mapped[str | None] = mapped_column(_NAME)
    manifest_sha256: Mapped[str] = mapped_column(String(64))
    actor: Mapped[str]
    reasons: Mapped[tuple[str, ...]] = mapped_column(Document(_REASONS))
    at: Mapped[datetime]


class LedgerRow(Table):
    """One entry; `previous` is unique, so the chain cannot fork."""

    __tablename__ = "ledger"

    seq: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    event: Mapped[str]
    model: Mapped[str] = mapped_column(_NAME, index=True)
    subject: Mapped[str]
    reasons: Mapped[tuple[str, ...]] = mapped_column(Document(_REASONS))
    previous: Mapped[str] = mapped_column(String(64), unique=True)
    digest: Mapped[str] = mapped_column(String(64))


class RequestRow(Table):
    """A retrain request with its lease; at most one open for a model."""

    __tablename__ = "retrain_requests"
    __table_args__ = (
        Index(
            "one_open_request_a_model",
            "model",
            unique=True,
            sqlite_where=text("state IN ('asked', 'running', 'waiting')"),
            postgresql_where=text("state IN ('asked', 'running', 'waiting')"),
        ),
    )

    id: Mapped[str] = mapped_column(_NAME, primary_key=True)
    filed: Mapped[int] = mapped_column(BigInteger, index=True)  # nanoseconds; the order of asking
    model: Mapped[str] = mapped_column(_NAME)
    trigger: Mapped[str] = mapped_column(_NAME)
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(_NAME, index=True)
    incident: Mapped[str | None] = mapped_column(_NAME)
    reasons: Mapped[tuple[str, ...]] = mapped_column(Document(_REASONS))
    version: Mapped[str | None] = mapped_column(_NAME)
    finished_at: Mapped[datetime | None]
    cause: Mapped[str]
    obstacles: Mapped[tuple[Obstacle, ...]] = mapped_column(Document(tuple[Obstacle, ...]))
    not_before: Mapped[datetime | None]
    new_rows: Mapped[int | None]
    preview: Mapped[Preview | None] = mapped_column(Document(Preview))
    override: Mapped[str | None]
    holder: Mapped[str | None]
    lease_until: Mapped[float | None] = mapped_column(Float)  # POSIX seconds, the system's clock


class RowCountRow(Table):
    """The newest count of labelled rows that a champion has not seen."""

    __tablename__ = "row_counts"

    model: Mapped[str] = mapped_column(_NAME, primary_key=True)
    epoch: Mapped[int] = mapped_column(Integer)
    counted_at: Mapped[datetime]
    new_rows: Mapped[int]
    arrival: Mapped[Arrival | None] = mapped_column(Document(Arrival))


class IncidentRow(Table):
    """An incident; at most one of a situation that is not over."""

    __tablename__ = "incidents"
    __table_args__ = (
        Index(
            "one_active_incident_a_situation",
            "model",
            "situation",
            unique=True,
            sqlite_where=text("state NOT IN ('resolved', 'marked_false')"),
            postgresql_where=text("state NOT IN ('resolved', 'marked_false')"),
        ),
    )

    id: Mapped[str] = mapped_column(_NAME, primary_key=True)
    model: Mapped[str] = mapped_column(_NAME)
    version: Mapped[str] = mapped_column(_NAME)
    situation: Mapped[str] = mapped_column(_NAME)
    opened_at: Mapped[datetime]
    evidence: Mapped[tuple[str, ...]] = mapped_column(Document(_REASONS))
    state: Mapped[str] = mapped_column(_NAME)
    severity: Mapped[str] = mapped_column(_NAME)
    windows: Mapped[tuple[Observation, ...]] = mapped_column(Document(tuple[Observation, ...]))
    showing: Mapped[int] = mapped_column(Integer)
    seen_through: Mapped[datetime | None]
    comebacks: Mapped[int] = mapped_column(Integer)
    handled_by: Mapped[str | None]
    snoozed_until: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    resolution: Mapped[str | None]


class FalseMarkRow(Table):
    """A column of an incident that was marked false."""

    __tablename__ = "false_marks"

    incident: Mapped[str] = mapped_column(_NAME, primary_key=True)
    column: Mapped[str] = mapped_column(Text, primary_key=True)
    model: Mapped[str] = mapped_column(_NAME, index=True)
    marked_by: Mapped[str]
    marked_at: Mapped[datetime]
    until: Mapped[datetime]
    why: Mapped[str]
    undone_by: Mapped[str | None]
    undone_at: Mapped[datetime | None]


class VerdictRow(Table):
    """A verdict whole, beside the columns it is looked up by."""

    __tablename__ = "verdicts"

    model: Mapped[str] = mapped_column(_NAME, primary_key=True)
    version: Mapped[str] = mapped_column(_NAME, primary_key=True)
    window_start: Mapped[datetime] = mapped_column(primary_key=True)
    window_end: Mapped[datetime] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(_NAME)
    verdict: Mapped[Verdict] = mapped_column(Document(Verdict))


class StretchRow(Table):
    """A stretch of a version's traffic, added up."""

    __tablename__ = "sums"
    __table_args__ = (Index("sums_through", "model", "stretch_end"),)

    model: Mapped[str] = mapped_column(_NAME, primary_key=True)
    version: Mapped[str] = mapped_column(_NAME, primary_key=True)
    stretch_start: Mapped[datetime] = mapped_column(primary_key=True)
    stretch_end: Mapped[datetime]
    refused: Mapped[int]
    sums: Mapped[WindowSums] = mapped_column(Document(WindowSums))


class TrialRow(Table):
    """A canary or a shadow; at most one running for a model."""

    __tablename__ = "trials"
    __table_args__ = (
        Index(
            "one_running_trial_a_model",
            "model",
            unique=True,
            sqlite_where=text("state = 'running'"),
            postgresql_where=text("state = 'running'"),
        ),
    )

    id: Mapped[str] = mapped_column(_NAME, primary_key=True)
    model: Mapped[str] = mapped_column(_NAME)
    kind: Mapped[str] = mapped_column(_NAME)
    champion: Mapped[str] = mapped_column(_NAME)
    epoch: Mapped[int] = mapped_column(Integer)
    challenger: Mapped[str] = mapped_column(_NAME)
    manifest_sha256: Mapped[str] = mapped_column(String(64))
    by: Mapped[str]
    why: Mapped[str]
    began_at: Mapped[datetime]
    since: Mapped[datetime]
    until: Mapped[datetime | None]
    share: Mapped[float | None] = mapped_column(Float)
    compared_through: Mapped[datetime]
    revision: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(_NAME)
    ended_at: Mapped[datetime | None]
    ended_because: Mapped[tuple[str, ...]] = mapped_column(Document(_REASONS))


class EvidenceRow(Table):
    """What a trial rests on: long, and so not beside what is looked at twice a second."""

    __tablename__ = "trial_evidence"

    trial: Mapped[str] = mapped_column(_NAME, primary_key=True)
    evidence: Mapped[Evidence] = mapped_column(Document(Evidence))


class AlertRow(Table):
    """An alert on its way out; times of the system's clock are POSIX seconds."""

    __tablename__ = "outbox"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    model: Mapped[str] = mapped_column(_NAME)
    title: Mapped[str]
    body: Mapped[str]
    at: Mapped[datetime]
    link: Mapped[str | None]
    command: Mapped[str | None]
    incident: Mapped[Incident | None] = mapped_column(Document(Incident))
    queued: Mapped[float] = mapped_column(Float)
    delivered: Mapped[float | None] = mapped_column(Float)


class DeliveryRow(Table):
    """How far an alert has come on its way to one address."""

    __tablename__ = "deliveries"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    address: Mapped[str] = mapped_column(Text, primary_key=True)
    next_attempt: Mapped[float] = mapped_column(Float)
    failures: Mapped[int] = mapped_column(Integer)
    is_unsure: Mapped[bool]
    taken: Mapped[float | None] = mapped_column(Float)
    error: Mapped[str | None]


class EndpointRow(Table):
    """What an endpoint last said."""

    __tablename__ = "endpoints"

    model: Mapped[str] = mapped_column(_NAME, primary_key=True)
    url: Mapped[str]
    version: Mapped[str | None] = mapped_column(_NAME)
    device: Mapped[str | None] = mapped_column(_NAME)
    answered: Mapped[int]
    captured: Mapped[int]
    dropped: Mapped[int]
    shipped_through: Mapped[datetime | None]
    seen_at: Mapped[datetime]
    note: Mapped[str]


class KeyRow(Table):
    """An API key, hashed."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(_NAME, primary_key=True)
    name: Mapped[str]
    model: Mapped[str | None] = mapped_column(_NAME)
    scopes: Mapped[tuple[KeyScope, ...]] = mapped_column(Document(tuple[KeyScope, ...]))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
