"""What an endpoint last said of itself."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStatus:
    """One row a model, kept by the process that supervises the endpoint."""

    model: str
    url: str
    version: str | None
    """The version that answers; None until one is ready."""
    device: str | None
    """Where it computes: `cpu`, `cuda` or `cuda:1`."""
    answered: int
    """Requests answered, refusals included, since the capture spool was made."""
    captured: int
    dropped: int
    """Requests that were answered but could not be captured."""
    shipped_through: datetime | None
    """Every captured request of an earlier time is in the inference log."""
    seen_at: datetime
    """By the system's clock, also in a replay: it tells whether the endpoint is up."""
    note: str = ""
    """What keeps the endpoint from serving the champion, if anything does."""
