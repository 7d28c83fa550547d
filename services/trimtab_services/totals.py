"""What became of every request since a spool was made, over restarts and removed segments."""

import logging
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from trimtab.adapters.durable_files import write_durably
from trimtab.records.documents import from_json, to_json

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counts of requests; they add up."""

    answered: int = 0
    """Handed over for capture, as the writers counted them."""
    captured: int = 0
    """Read back, whole, from the segments."""
    dropped: int = 0
    """Given up by the writers: a full disk, a used-up budget."""
    damaged: int = 0
    """Frames that could not be read back: flipped bits, or the half one of a killed writer."""

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            answered=self.answered + other.answered,
            captured=self.captured + other.captured,
            dropped=self.dropped + other.dropped,
            damaged=self.damaged + other.damaged,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RetiredSegments:
    """Kept in the spool as `totals.json`."""

    totals: Totals = Totals()
    """Of all segments that were removed, `removing` included."""
    removing: str | None = None
    """The segment that is removed right after this was written."""


def load_retired(path: Path) -> RetiredSegments:
    """Read the totals; those of a new spool are zero, and so are damaged ones.

    They are counts for people: what is in the log does not depend on them.
    """
    try:
        return from_json(RetiredSegments, path.read_bytes())
    except FileNotFoundError:
        return RetiredSegments()
    except ValidationError:
        aside = path.with_suffix(".damaged")
        path.replace(aside)
        _log.warning("%s was damaged and is now %s; the totals begin at zero again", path, aside)
        return RetiredSegments()


def save_retired(path: Path, retired: RetiredSegments) -> None:
    """Write the totals, whole or not at all."""
    write_durably(path, to_json(retired))
