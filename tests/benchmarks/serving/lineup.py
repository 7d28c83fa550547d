"""Everybody who is measured, running side by side and known to answer alike."""

import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
from tests.benchmarks.environments import NotInstalledError

from .contenders import Contender
from .questions import Questions
from .results import Started
from .starting import Served, Start, started
from .subject import Subject

Say = Callable[[str], None]


class NotCapturedError(Exception):
    """Requests were answered and not captured: the figures leave out what they claim to hold."""

    def __init__(self, contender: str, answered: int, captured: int) -> None:
        super().__init__(f"{contender} answered {answered} requests and captured {captured}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineup:
    """The contenders of one model that run."""

    subject: Subject
    present: Sequence[tuple[Contender, Served]]
    starts: Sequence[Started]
    skipped: dict[str, str]
    """Who is not there, and why."""

    def check(self, questions: Sequence[Questions]) -> None:
        """Ask everybody the same. Raises WrongAnswerError."""
        for contender, served in self.present:
            for lots in questions:
                lots.check(contender, served)

    def check_captured(self) -> None:
        """Let nobody who should capture have left it out. Raises NotCapturedError."""
        for contender, served in self.present:
            if served.spool is not None:
                _check_captured(contender, served)


def _check_captured(contender: Contender, served: Served) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{served.port}/readyz", timeout=10) as answer:
        said = orjson.loads(answer.read())
    if not said["answered"] == said["captured"] > 0:
        raise NotCapturedError(contender.name, said["answered"], said["captured"])


@contextmanager
def lineup(
    subject: Subject, contenders: Sequence[Contender], folder: Path, say: Say
) -> Iterator[Lineup]:
    """Start the servers one after the other; end them all. Raises NotServedError."""
    model = subject.shape.model
    servers: dict[Start, Served] = {}
    starts: list[Started] = []
    skipped: dict[str, str] = {}
    with ExitStack() as running:
        for contender in contenders:
            if contender.start in servers:
                continue
            try:
                served = running.enter_context(contender.start(subject, folder / contender.name))
            except NotInstalledError as error:
                say(f"{model}: {contender.name} is left out: {error}")
                skipped[contender.name] = str(error)
                continue
            say(f"{model}: {contender.name} is ready after {served.start_seconds:.1f} s")
            servers[contender.start] = served
            starts.append(started(subject, contender.name, served))
        present = [(c, servers[c.start]) for c in contenders if c.start in servers]
        yield Lineup(subject=subject, present=present, starts=starts, skipped=skipped)
