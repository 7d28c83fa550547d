"""Runs: requests of one segment that go into the inference log together."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .captured import CapturedRequest, decode
from .frames import Frame, FrameKind

MOST_REQUESTS = 5_000
MOST_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Item:
    """A request, and the frame it was read from."""

    frame: Frame
    request: CapturedRequest | None
    """None when the frame is whole and yet holds no captured request."""

    @property
    def version(self) -> str | None:
        """The version that answered."""
        return self.request.version if self.request else None


@dataclass(frozen=True, slots=True)
class Run:
    """Requests that follow each other in a segment and were answered by one version."""

    items: tuple[Item, ...]

    @property
    def version(self) -> str | None:
        """The version that answered; None when the requests cannot be read."""
        return self.items[0].version

    @property
    def requests(self) -> list[CapturedRequest]:
        """The requests that can be read."""
        return [item.request for item in self.items if item.request]

    @property
    def start(self) -> int:
        """Where the first frame begins."""
        return self.items[0].frame.start

    @property
    def end(self) -> int:
        """Where the last frame ends."""
        return self.items[-1].frame.end

    def halves(self) -> tuple["Run", "Run"]:
        """Part a run of two requests or more in the middle."""
        middle = len(self.items) // 2
        return Run(self.items[:middle]), Run(self.items[middle:])


def runs(frames: Iterable[Frame]) -> Iterator[Run]:
    """Group the requests among frames, in their order, into runs of a bounded size."""
    gathered: list[Item] = []
    rows = 0
    for frame in frames:
        if frame.kind is not FrameKind.REQUEST:
            continue
        item = Item(frame, _request(frame))
        is_full = len(gathered) == MOST_REQUESTS or rows >= MOST_ROWS
        if gathered and (is_full or item.version != gathered[0].version):
            yield Run(tuple(gathered))
            gathered, rows = [], 0
        gathered.append(item)
        rows += len(item.request.rows) if item.request else 1
    if gathered:
        yield Run(tuple(gathered))


def _request(frame: Frame) -> CapturedRequest | None:
    try:
        return decode(frame.payload)
    except ValueError:
        return None
