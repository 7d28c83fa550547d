"""One model's endpoint: what should answer, what does, and the closing of the difference."""

import logging
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from trimtab.records.promotions import Promotion
from trimtab.settings import Settings

from .backoff import Backoff
from .bento import is_built
from .building import Build
from .bundle import can_follow, installed_code, source_of
from .children import Host, HostReport
from .nursery import Nursery
from .pointer import Pointer, read_pointer, write_pointer

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Something for the ledger."""

    event: str
    version: str
    reasons: tuple[str, ...]


class Keeper:
    """Keeps one endpoint on the version that the promotion in force names.

    Everything is looked at again in each step, so it may be killed at any moment. A version that
    cannot be built or loaded never answers: the one before it does, and the other is tried again.
    """

    def __init__(
        self, settings: Settings, model: str, listening: socket.socket, nursery: Nursery
    ) -> None:
        home = settings.home
        self.model = model
        self.device: str | None = None
        self.note = ""
        """What keeps the wanted version from answering."""
        self._settings = settings
        self._listening = listening
        self._nursery = nursery
        self._file = home.serving(model)
        self._served_file = self._file.with_suffix(".served.json")
        self._wanted: Promotion | None = None
        self._directed: Pointer | None = None
        """What the processes were told to serve, until it turns out that they cannot."""
        self._served = read_pointer(self._served_file)
        self._host: Host | None = None
        self._successor: Host | None = None
        self._leaving: list[Host] = []
        self._build: Build | None = None
        self._trouble = Backoff()
        self._fallback = Backoff()
        """For what was served last, when it does not start again."""
        self._happened: list[Happened] = []

    @property
    def version(self) -> str | None:
        """The version that answers; None while none does."""
        is_up = self._host is not None and self._host.has_served
        return self._served.version if self._served and is_up else None

    def want(self, promotion: Promotion | None) -> None:
        """Take note of the promotion in force."""
        if promotion != self._wanted:
            self._wanted, self._trouble, self.note = promotion, Backoff(), ""
        if promotion is None:
            self.note = f"there is no champion yet; train one: trimtab train {self.model}"

    def happened(self) -> Sequence[Happened]:
        """Hand over what happened since the last call."""
        happened, self._happened = self._happened, []
        return happened

    def step(self) -> None:
        """Close what can be closed of the difference, without waiting for anything."""
        for host in filter(None, (self._host, self._successor)):
            for report in host.reports():
                self._hear(host, report)
        self._bury()
        self._finish_build()
        wanted = self._wanted
        if wanted is not None and not self._is_directed(wanted) and self._trouble.is_due:
            try:
                self._pursue(wanted)
            except Exception as error:  # whatever it is, the version is tried again later
                self._fail(wanted.version, str(error) or type(error).__name__)
        if self._host is None and self._successor is None and self._fallback.is_due:
            self._fall_back()

    def end(self) -> None:
        """Ask all processes to finish what is under way."""
        if self._build is not None:
            self._build.end()
        for host in self._hosts():
            host.end()

    def wait(self, deadline: float) -> None:
        """Wait for their end; those that are late are ended by force."""
        for host in self._hosts():
            host.wait(deadline - time.monotonic())
        self._listening.close()

    def _pursue(self, wanted: Promotion) -> None:
        bento = self._settings.home.bento(self.model, wanted.version)
        if not is_built(bento, wanted.manifest_sha256):
            self._build = self._build or self._start_build(wanted)
            return
        if self._host is None and self._nursery.is_warming:
            return  # a start from scratch at the same time would delay both
        pointer = Pointer(
            epoch=self._next_epoch(),
            version=wanted.version,
            manifest_sha256=wanted.manifest_sha256,
            bento=bento,
        )
        if self._host is None:
            self._host = self._start(pointer)
        elif can_follow(source_of(bento), source_of(self._host.pointer.bento)):
            write_pointer(self._file, pointer)
        else:
            if self._successor is not None:
                self._dismiss(self._successor)
                self._successor = None
            self._successor = self._start(pointer)
        self._directed = pointer  # only now: what could not be started is tried again

    def _fall_back(self) -> None:
        """Serve what was served last while the wanted version is not there."""
        last = self._served
        if (
            last is None
            or self._nursery.is_warming
            or not is_built(last.bento, last.manifest_sha256)
        ):
            return
        pointer = replace(last, epoch=self._next_epoch())
        try:
            self._host = self._start(pointer)
        except Exception:
            self._fallback.failed()
            raise

    def _hear(self, host: Host, report: HostReport) -> None:
        known = [p for p in (self._directed, host.pointer) if p and p.epoch == report.epoch]
        if not known:
            return  # about something that is wanted no more
        pointer = known[0]
        if report.refused is not None:
            self._fail(pointer.version, report.refused)
            return
        if self._served is None or self._served.version != pointer.version:
            self._note("version served", pointer.version, report.note)
        self._served, self.device, self._fallback = pointer, report.device, Backoff()
        write_pointer(self._served_file, pointer)
        if pointer == self._directed:
            self._trouble, self.note = Backoff(), ""
        if host is self._successor:
            if self._host is not None:
                self._dismiss(self._host)
            self._host, self._successor = host, None

    def _bury(self) -> None:
        """Let go of processes that have ended."""
        for host in [host for host in self._hosts() if not host.is_running]:
            for report in host.reports():  # its last words
                self._hear(host, report)
            host.forget()
            if host in self._leaving:
                self._leaving.remove(host)
                continue
            self._host = None if host is self._host else self._host
            self._successor = None if host is self._successor else self._successor
            if host.has_served:
                logger.warning("the endpoint of %s died and is started again", self.model)
                self._directed = None
                continue
            if self._served is not None and host.pointer.version == self._served.version:
                self._fallback.failed()
            if host.pointer == self._directed:
                self._fail(host.pointer.version, "its process ended before it could answer")

    def _finish_build(self) -> None:
        if self._build is None or not self._build.has_ended:
            return
        build, self._build = self._build, None
        if build.failure is not None:
            self._fail(build.promotion.version, build.failure)

    def _fail(self, version: str, why: str) -> None:
        """Note what is wrong with a version; it is tried again, later each time."""
        note = f"version {version} is not served: {why}"
        if note != self.note:
            logger.error("%s: %s", self.model, note)
            self._note("version not served", version, why)
        self.note, self._directed = note, None
        self._trouble.failed()

    def _note(self, event: str, version: str, reason: str) -> None:
        self._happened.append(Happened(event=event, version=version, reasons=(reason,)))

    def _start(self, pointer: Pointer) -> Host:
        return Host.start(self._settings, self.model, pointer, self._listening, self._nursery)

    def _start_build(self, wanted: Promotion) -> Build:
        is_warm = self._nursery.fits(installed_code())
        prover = self._nursery.another_channel() if is_warm else None
        return Build.start(self._settings, wanted, prover)

    def _dismiss(self, host: Host) -> None:
        host.end()
        self._leaving.append(host)

    def _is_directed(self, wanted: Promotion) -> bool:
        directed = self._directed
        return directed is not None and (directed.version, directed.manifest_sha256) == (
            wanted.version,
            wanted.manifest_sha256,
        )

    def _next_epoch(self) -> int:
        pointer = read_pointer(self._file)
        return pointer.epoch + 1 if pointer else 1

    def _hosts(self) -> list[Host]:
        return [*filter(None, (self._host, self._successor)), *self._leaving]
