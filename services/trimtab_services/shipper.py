"""Shipping: captured requests move from the spool into the inference log, each exactly once.

Rows and progress are committed together: a part of the log bears the segment and the offsets it
came from in its name, and becomes visible by one rename. A shipper that starts reads from these
names how far its forerunner came.
"""

import fcntl
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from trimtab.adapters.durable_files import make_folder
from trimtab.errors import TrimtabError
from trimtab.ports import InferenceLog
from trimtab.records.contracts import Contract
from trimtab.records.places import Place, ends

from .log_tables import UnfitRequestError, log_table
from .quarantine import Quarantine
from .runs import Run, runs
from .segment_file import SUFFIX, UNFINISHED
from .segment_reading import SegmentReader
from .totals import RetiredSegments, load_retired, save_retired

if TYPE_CHECKING:
    import pyarrow as pa

_log = logging.getLogger(__name__)
_TOTALS = "totals.json"
_ABANDONED_SECONDS = 60.0


class SpoolTakenError(TrimtabError):
    """Another shipper works on a spool; two would ship requests twice."""

    def __init__(self, spool: Path) -> None:
        super().__init__(f"Another process ships the requests of {spool} already.")
        self.spool = spool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipReport:
    """What one pass did, and what became of all requests since the spool was made."""

    rows: int
    """Added to the inference log by this pass."""
    pending_bytes: int
    """In the spool when the pass began, and not in the log now that it is over."""
    answered: int
    captured: int
    dropped: int
    """`answered` is `captured` and `dropped` together, unless bytes were damaged."""
    damaged: int
    """Frames that could not be read back."""
    quarantined: int
    """Captured requests that fit no known contract; they lie in the spool's `quarantine`."""


class Shipper:
    """The one shipper of a spool; it may be killed at any moment and started again."""

    def __init__(
        self,
        spool: Path,
        model: str,
        log: InferenceLog,
        contract_of: Callable[[str], Contract],
        *,
        patience_seconds: float = 60.0,
        shipped: Callable[["pa.Table"], None] = lambda rows: None,
    ) -> None:
        """Take a spool; `shipped` hears of rows once they are in the log.

        Raises SpoolTakenError and OSError.

        `contract_of` gives the contract of a version, or raises; its requests then wait for so
        long before they are put into quarantine.
        """
        make_folder(spool)
        self._lock = _take(spool)
        self._done: dict[str, int] = {}
        """How far each segment was worked off by forerunners."""
        self._was_disturbed = False
        self._spool = spool
        self._model = model
        self._log = log
        self._contract_of = contract_of
        self._patience = patience_seconds
        self._shipped = shipped
        self._contracts: dict[str, Contract] = {}
        self._unknown_since: dict[str, float] = {}
        self._readers: dict[str, SegmentReader] = {}
        try:
            self._retired = load_retired(spool / _TOTALS)
            if self._retired.removing:  # the forerunner was killed between counting and removing
                (spool / self._retired.removing).unlink(missing_ok=True)
            self._resume()
        except BaseException:
            self._lock.close()
            raise

    def close(self) -> None:
        """Leave the spool to another shipper."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
        self._lock.close()

    def ship(self) -> ShipReport:
        """Move what is there. What cannot be moved now, for want of disk say, stays and pends."""
        if self._was_disturbed:
            self._resume()
        self._discover()
        self._rows = 0
        pending = 0
        for reader in list(self._readers.values()):
            goal = reader.size
            try:
                self._advance(reader)
            except OSError as error:
                self._was_disturbed = True
                _log.error("Requests of %s wait: %s", reader.path, error)
            pending += max(0, goal - reader.offset)
        return self._report(pending)

    def _report(self, pending: int) -> ShipReport:
        live = [reader.totals for reader in self._readers.values()]
        totals = reduce(add, live, self._retired.totals)
        return ShipReport(
            rows=self._rows,
            pending_bytes=pending,
            answered=totals.answered,
            captured=totals.captured,
            dropped=totals.dropped,
            damaged=totals.damaged,
            quarantined=self._quarantine.requests,
        )

    def _resume(self) -> None:
        """Read how far every segment was worked off.

        After an error too: a part can be in the log although adding it seemed to fail.
        """
        self._quarantine = Quarantine(self._spool / "quarantine")
        self._done = ends([*self._log.parts(self._model), *self._quarantine.names()])
        self._was_disturbed = False

    def _discover(self) -> None:
        for path in sorted(self._spool.iterdir()):
            if path.suffix == SUFFIX and path.name not in self._readers:
                self._readers[path.name] = SegmentReader(path)
            elif path.suffix == UNFINISHED and _age(path) > _ABANDONED_SECONDS:
                path.unlink(missing_ok=True)

    def _advance(self, reader: SegmentReader) -> None:
        is_finished = reader.is_finished()  # asked first: what it wrote last is read below
        goal = reader.size
        while reader.offset < goal and (frames := reader.next_frames()):
            done = self._done.get(reader.name, 0)
            for run in runs(frame for frame in frames if frame.end > done):
                if not self._ship(reader, run):
                    return
            reader.settle(frames[-1].end)
        if is_finished:
            self._retire(reader)

    def _ship(self, reader: SegmentReader, run: Run) -> bool:
        """Bring a run to where it belongs; False when it must wait."""
        if run.version is None:
            return self._set_aside(reader, run, "they are no captured requests")
        contract = self._contract(run.version)
        if contract is None:
            if time.monotonic() - self._unknown_since[run.version] < self._patience:
                return False
            return self._set_aside(reader, run, f"version {run.version} is unknown")
        try:
            table = log_table(contract, run.requests)
        except UnfitRequestError as error:
            if len(run.items) == 1:
                return self._set_aside(reader, run, str(error))
            return all(self._ship(reader, half) for half in run.halves())  # to find the culprit
        self._log.append(self._model, run.version, str(_place(reader, run)), table)
        self._shipped(table)
        self._rows += table.num_rows
        reader.settle(run.end)
        return True

    def _contract(self, version: str) -> Contract | None:
        if version not in self._contracts:
            try:
                self._contracts[version] = self._contract_of(version)
            except (TrimtabError, LookupError, OSError, ValueError) as error:
                if version not in self._unknown_since:
                    self._unknown_since[version] = time.monotonic()
                    _log.warning("Requests to version %s wait for its contract: %s", version, error)
        return self._contracts.get(version)

    def _set_aside(self, reader: SegmentReader, run: Run, why: str) -> bool:
        payloads = [item.frame.payload for item in run.items]
        path = self._quarantine.put(_place(reader, run), payloads)
        reader.settle(run.end)
        _log.error("%d requests cannot be logged, see %s: %s", len(payloads), path, why)
        return True

    def _retire(self, reader: SegmentReader) -> None:
        """Count a finished segment and remove it; killed in between, the next start removes it."""
        reader.settle_tail()
        totals = self._retired.totals + reader.totals
        retired = RetiredSegments(totals=totals, removing=reader.path.name)
        save_retired(self._spool / _TOTALS, retired)
        reader.path.unlink()
        self._retired = retired
        del self._readers[reader.path.name]
        reader.close()


def _place(reader: SegmentReader, run: Run) -> Place:
    return Place(reader.name, run.start, run.end)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _take(spool: Path) -> BinaryIO:
    lock = (spool / "shipper.lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise SpoolTakenError(spool) from None
    return lock
