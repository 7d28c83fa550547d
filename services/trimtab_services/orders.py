"""What a supervisor and an endpoint's process say to each other, one datagram each.

The socket between them is also the process's lifeline: once the supervisor is gone, whatever
ended it, the kernel closes its end, and the process ends too.
"""

import select
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from trimtab.records.documents import from_json, to_json

from .canary import Tried
from .pointer import Pointer

_LONGEST = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a process must do."""

    do: Literal["serve", "try", "accept", "leave", "note"]
    """Load and prove a version; take in a challenger beside it, or let go of one; let callers in;
    let nobody in any more and end when all have left; say what keeps another version from
    answering."""
    pointer: Pointer | None = None
    """What to serve."""
    canary: Tried | None = None
    """What to try; None to try nothing."""
    note: str = ""
    """What to say under `/readyz`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReport:
    """What an endpoint's process said of one version."""

    epoch: int
    device: str | None
    note: str
    refused: str | None
    """Why the version does not answer; None when it does."""
    accepts: bool = False
    """Whether callers are let in; a spare is ready and lets nobody in."""
    leaves: bool = False
    """Whether it was told by somebody to end, and lets nobody in any more."""
    canary: str | None = None
    """The trial whose challenger this is about, rather than the version that answers."""


class Line:
    """A process's end of the socket."""

    def __init__(self, end: socket.socket) -> None:
        self.is_cut = False
        """Whether the supervisor is known to be gone."""
        self._end = end

    def fileno(self) -> int:
        """Give what becomes readable when there is an order."""
        return self._end.fileno()

    def next(self) -> Order | None:
        """Read the next order, or wait for it; None once the supervisor is gone."""
        try:
            data = self._end.recv(_LONGEST)
        except ConnectionError:
            return None
        return from_json(Order, data) if data else None

    def say(self, report: HostReport) -> None:
        """Tell something. Raises OSError when nobody listens any more."""
        self._end.send(to_json(report))

    def when_cut(self, do: Callable[[], None]) -> None:
        """Call something, in a thread of its own, once the supervisor is gone."""

        def watch() -> None:
            hung_up = select.poll()
            hung_up.register(self._end, 0)
            hung_up.poll()
            self.is_cut = True
            do()

        threading.Thread(target=watch, name="lifeline", daemon=True).start()
