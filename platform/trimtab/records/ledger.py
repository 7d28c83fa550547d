"""The ledger: who did what, when and why, in an order that cannot be changed unseen."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

import orjson

GENESIS = "0" * 64
"""What the first row names as the hash before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One thing that happened."""

    at: datetime
    actor: str
    """A person's name or a worker's: `pipelines`, `services`, `monitoring`."""
    event: str
    """Noun and past participle: `version promoted`, `incident opened`."""
    model: str
    subject: str
    """What it happened to: a version, a window, an incident, a request."""
    reasons: tuple[str, ...] = ()

    def digest(self, previous: str) -> str:
        """Chain this entry to the one before it (SHA-256, hexadecimal)."""
        facts = [
            previous,
            self.at.isoformat(),
            self.actor,
            self.event,
            self.model,
            self.subject,
            list(self.reasons),
        ]
        return hashlib.sha256(orjson.dumps(facts)).hexdigest()
