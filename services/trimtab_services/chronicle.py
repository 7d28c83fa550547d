"""What an endpoint serves, what keeps it from more, and what the ledger hears of both."""

import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .orders import HostReport
from .pointer import Pointer, read_pointer, write_pointer

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Something for the ledger."""

    event: str
    version: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an endpoint is."""

    version: str | None
    """The version that answers; None while none does."""
    device: str | None
    note: str
    """What keeps the wanted version, or a challenger, from answering."""


class Chronicle:
    """One thread writes it; any thread may ask how things stand and take what happened."""

    def __init__(self, model: str, file: Path) -> None:
        """Begin with what `file` remembers was served last."""
        self.served = read_pointer(file)
        """What answers, or answered last."""
        self.note = ""
        self.trial_note = ""
        """What keeps the challenger of a canary from answering."""
        self._model = model
        self._file = file
        self._device: str | None = None
        self._answers = False
        self._died_at: float | None = None
        self._happened: deque[Happened] = deque()

    @property
    def standing(self) -> Standing:
        """Tell how the endpoint is."""
        served = self.served if self._answers else None
        return Standing(
            version=served.version if served else None,
            device=self._device if served else None,
            note=self.note or self.trial_note,
        )

    def take(self) -> Sequence[Happened]:
        """Hand over what happened since the last call."""
        return [self._happened.popleft() for _ in range(len(self._happened))]

    def answers(self, pointer: Pointer, report: HostReport) -> None:
        """A version answers callers."""
        if self.served is None or self.served.version != pointer.version:
            self.tell("version served", pointer.version, report.note)
        if self._died_at is not None:
            seconds = time.monotonic() - self._died_at
            why = f"its process died; another one took over after {seconds:.2f} s"
            self.tell("endpoint recovered", pointer.version, why)
            self._died_at = None
        self.served, self._device, self._answers = pointer, report.device, True
        try:
            write_pointer(self._file, pointer)
        except OSError as error:  # a full disk: what answers now matters more than the next start
            logger.error("cannot note what %s serves: %s", self._model, error)

    def is_absent(self) -> None:
        """Nobody answers."""
        self._answers = False

    def died(self) -> None:
        """The process that answered has died."""
        logger.warning("the endpoint of %s died and is started again", self._model)
        self._died_at = self._died_at or time.monotonic()

    def failed(self, version: str, why: str) -> None:
        """A version cannot answer."""
        note = f"version {version} is not served: {why}"
        if note != self.note:
            logger.error("%s: %s", self._model, note)
            self.tell("version not served", version, why)
        self.note = note

    def tell(self, event: str, version: str, reason: str) -> None:
        """Something happened to a version that the ledger should know."""
        self._happened.append(Happened(event=event, version=version, reasons=(reason,)))
