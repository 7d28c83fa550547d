"""Deliveries: one alert on its way to one address, as it is kept from attempt to attempt."""

from dataclasses import dataclass
from datetime import datetime

from .incidents import Alert

LOG = "log"
"""The address that every alert goes to: the log of the process that delivers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An alert that somebody has taken upon himself to send, recorded before it is sent."""

    alert: Alert
    address: str
    """The label of the address; never the address itself, which may hold a token."""
    is_unsure: bool
    """An earlier attempt ended without an answer, so the address may have the alert already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How deliveries to one address stand."""

    address: str
    waiting: int
    """Alerts that it does not have yet."""
    since: datetime | None
    """When the oldest of them was queued, by the system's clock."""
    failures: int
    """Failed attempts, all that there ever were."""
    error: str | None
    """What the newest failed attempt of those that wait met with."""
