"""One model's endpoint: what should answer, what does, and the closing of the difference."""

import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from trimtab.records.promotions import Promotion
from trimtab.records.trials import Trial
from trimtab.settings import Settings

from .backoff import Backoff
from .bento import is_built
from .building import Build
from .bundle import can_follow, installed_code, source_of
from .children import Host
from .chronicle import Chronicle, Happened, Standing
from .nursery import Nursery
from .orders import HostReport
from .pointer import Pointer
from .stand_in import StandIn
from .trying import Trying

LOAD_SECONDS = 120.0
"""A process that takes longer to load a version hangs."""
PATIENCE_SECONDS = 2.0
"""So long callers wait in line when nobody answers; then they get a 503 and the reason."""


class Keeper:
    """Keeps one endpoint on the version that the promotion in force names.

    Everything is looked at again in each step, so it may be killed at any moment. At most three
    processes belong to it: the one that answers; a spare that has loaded the same version and
    takes over when that one dies; and, when a version needs another environment, a successor. A
    new version is first loaded by the spare, or by the successor: one that crashes its process,
    hangs or is refused never comes near the process that answers, and is tried again later.
    """

    def __init__(
        self, settings: Settings, model: str, listening: socket.socket, nursery: Nursery
    ) -> None:
        self.model = model
        self._settings = settings
        self._listening = listening
        self._nursery = nursery
        self._stand_in = StandIn(listening, model, self._why_absent)
        self._chronicle = Chronicle(model, settings.home.serving(model))
        self._wants_spare = settings.model(model).serve.spare
        self._wanted: Promotion | None = None
        self._directed: Pointer | None = None
        """What the processes were told to serve, until it turns out that they cannot."""
        self._epoch = self._chronicle.served.epoch if self._chronicle.served else 0
        self._active: Host | None = None
        self._spare: Host | None = None
        self._successor: Host | None = None
        self._leaving: list[Host] = []
        self._build: Build | None = None
        self._trouble = Backoff()
        self._spare_trouble = Backoff()
        """For what was served last, when no process can load it again."""
        self._absent_since = time.monotonic()
        self._is_ending = False
        self._trying = Trying(settings, model, self._chronicle)

    @property
    def standing(self) -> Standing:
        """Tell how the endpoint is; any thread may ask."""
        return self._chronicle.standing

    def want(self, promotion: Promotion | None, canary: Trial | None = None) -> None:
        """Take note of the promotion in force, and of the canary beside it."""
        self._trying.want(canary)
        if promotion != self._wanted:
            self._wanted, self._trouble, self._chronicle.note = promotion, Backoff(), ""
        if promotion is None:
            note = f"there is no champion yet; train one: trimtab train {self.model}"
            self._chronicle.note = note

    def happened(self) -> Sequence[Happened]:
        """Hand over what happened since the last call; any thread may ask."""
        return self._chronicle.take()

    def filenos(self) -> Sequence[int]:
        """Give what becomes readable when there is something to do before the next turn."""
        return [fd for host in self._hosts() if (fd := host.fileno()) >= 0]

    def step(self) -> None:
        """Close what can be closed of the difference, without waiting for anything."""
        for host in self._hosts():
            for report in host.reports():
                self._hear(host, report)
        self._bury()
        self._finish_build()
        self._try_out()  # first: a challenger that makes way leaves its memory to what comes
        wanted = self._wanted
        if wanted is not None and not self._is_directed(wanted) and self._trouble.is_due:
            try:
                self._pursue(wanted)
            except Exception as error:  # whatever it is, the version is tried again later
                self._fail(wanted.version, str(error) or type(error).__name__)
        try:
            self._complete()
        finally:
            self._cover()

    def end(self) -> None:
        """Ask all processes to finish what is under way; who calls from now on gets a 503."""
        self._is_ending = True
        if self._build is not None:
            self._build.end()
        self._trying.end()
        for host in self._processes():
            host.end()
        self._stand_in.begin()

    def wait(self, deadline: float) -> None:
        """Wait for their end; those that are late are ended by force."""
        for host in self._processes():
            host.wait(deadline - time.monotonic())
        self._stand_in.end()
        with suppress(OSError):  # for the stand-in's copy too, at once
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _pursue(self, wanted: Promotion) -> None:
        bento = self._settings.home.bento(self.model, wanted.version)
        if not is_built(bento, wanted.manifest_sha256):
            self._build = self._build or self._start_build(wanted.version, wanted.manifest_sha256)
            return
        pointer = Pointer(
            epoch=self._next_epoch(),
            version=wanted.version,
            manifest_sha256=wanted.manifest_sha256,
            bento=bento,
        )
        source, active, spare = source_of(bento), self._active, self._spare
        if active is not None and active.ordered is not None and _are_same(active.ordered, wanted):
            self._directed = active.ordered
        elif active is not None and not can_follow(source, active.source):
            if not self._nursery.is_warming:
                self._successor = self._replace(self._successor, pointer)
                self._directed = pointer
        elif spare is not None and can_follow(source, spare.source):
            self._direct(spare, pointer)
        elif active is not None and not self._wants_spare:
            self._direct(active, pointer)
        elif not self._nursery.is_warming:  # from scratch at the same time would delay both
            self._spare = self._replace(spare, pointer)
            self._directed = pointer  # only now: what could not be started is tried again

    def _direct(self, host: Host, pointer: Pointer) -> None:
        """Have a process take in a version, unless it is at it already."""
        ordered = host.ordered
        if ordered is None or not _are_same(ordered, pointer):
            host.serve(pointer)
            ordered = pointer
        self._directed = ordered
        if host is self._spare and host.held == ordered and self._active is not None:
            self._active.serve(ordered)

    def _complete(self) -> None:
        """See that a process is there to take over, or at least to answer with what was served."""
        active = self._active
        last = active.held if active is not None else self._chronicle.served
        if last is None or not self._spare_trouble.is_due:
            return
        if self._spare is not None:
            self._align(self._spare, last)
            return
        is_needed = active is None or (self._wants_spare and self._successor is None)
        if not is_needed or self._nursery.is_warming:
            return
        if not is_built(last.bento, last.manifest_sha256):
            return
        try:
            self._spare = self._start(replace(last, epoch=self._next_epoch()))
        except Exception:
            self._spare_trouble.failed()
            raise

    def _align(self, spare: Host, held: Pointer) -> None:
        """Bring a spare back to what answers, when it went ahead with what is not to be."""
        active = self._active
        is_settled = active is not None and active.ordered == held
        is_ahead = spare.ordered is not None and not _are_same(spare.ordered, held)
        is_pursued = self._directed is not None and not _are_same(self._directed, held)
        if is_settled and is_ahead and not is_pursued:
            spare.serve(replace(held, epoch=self._next_epoch()))

    def _try_out(self) -> None:
        """Bring a challenger beside the champion, where that is what answers."""
        self._trying.step(
            self._active,
            self._spare,
            is_answering=self._chronicle.standing.version is not None,
            has_spare=self._wants_spare,
            start_build=self._start_build,
        )

    def _cover(self) -> None:
        """Have callers told what is wrong: when nobody answers, once that has lasted."""
        if self._active is not None:
            self._absent_since = time.monotonic()
            self._active.note(self._chronicle.standing.note)
        elif time.monotonic() - self._absent_since > PATIENCE_SECONDS:
            self._stand_in.begin()

    def _hear(self, host: Host, report: HostReport) -> None:
        if report.canary is not None:
            self._trying.hear(self._hosts(), host, report, host is self._active)
            return
        pointer = host.told(report)
        if pointer is None:
            return
        if report.refused is not None:
            if pointer == self._directed:
                self._fail(pointer.version, report.refused)
            else:
                self._spare_trouble.failed()
        elif report.leaves:
            self._release(host)
        elif host is self._active:
            if report.accepts:
                self._note_served(pointer, report)
        elif host is self._successor and pointer == self._directed:
            self._take_over(host)
        elif host is self._successor:  # something else is wanted by now
            self._dismiss(host)
            self._successor = None
        elif host is self._spare:
            self._spare_trouble = Backoff()
            if self._active is None:
                self._promote(host)
            elif pointer == self._directed:
                self._active.serve(pointer)

    def _note_served(self, pointer: Pointer, report: HostReport) -> None:
        self._chronicle.answers(pointer, report)
        if self._wanted is not None and _are_same(pointer, self._wanted):
            self._directed, self._trouble, self._chronicle.note = pointer, Backoff(), ""

    def _promote(self, host: Host) -> None:
        """Let callers in to a process that is ready."""
        self._stand_in.end()
        host.accept()
        self._active = host
        self._spare = None if host is self._spare else self._spare
        self._successor = None if host is self._successor else self._successor

    def _take_over(self, successor: Host) -> None:
        """Put another environment in the place of the one that answers, and of its spare."""
        if self._active is not None:
            self._active.leave()
            self._leaving.append(self._active)
        if self._spare is not None and self._spare is not successor:
            self._dismiss(self._spare)
            self._spare = None
        self._promote(successor)

    def _bury(self) -> None:
        """Let go of processes that have ended or hang."""
        self._leaving = [host for host in self._leaving if not host.is_gone()]
        for host in self._hosts():
            if not host.is_running:
                self._lose(host, "its process ended before it could answer")
            elif host.waiting_seconds > LOAD_SECONDS:
                self._give_up(host, f"it did not load within {LOAD_SECONDS:.0f} s")

    def _give_up(self, host: Host, why: str) -> None:
        """End a process that hangs in a load; one that answers is not ended for that."""
        if host is not self._active:
            self._lose(host, why)
        elif self._spare is not None and self._spare.is_ready:
            self._take_over(self._spare)  # it has loaded what this one cannot
        elif (pointer := host.forget_order()) is not None:
            self._fail(pointer.version, why)

    def _lose(self, host: Host, why: str) -> None:
        """Note that a process is gone, and what this says of the version that it was at."""
        tried = host.ordered if host.ordered != host.held else None
        was_active, was_ready = host is self._active, host.is_ready
        host.kill()
        self._release(host)
        if was_active:
            self._chronicle.died()
        elif not was_ready and tried is not None and tried != self._directed:
            self._spare_trouble.failed()
        is_innocent = was_active and self._active is not None and self._active.held == tried
        if tried is not None and tried == self._directed and not is_innocent:
            self._fail(tried.version, why)
        if was_active:
            self._directed = None

    def _release(self, host: Host) -> None:
        """Count no more on a process; the spare takes the place of the one that answered."""
        if host in self._leaving:
            return
        self._leaving.append(host)
        self._spare = None if host is self._spare else self._spare
        self._successor = None if host is self._successor else self._successor
        if host is self._active:
            self._active = None
            self._chronicle.is_absent()
            if self._spare is not None and self._spare.is_ready:
                self._promote(self._spare)

    def _finish_build(self) -> None:
        if self._build is None or not self._build.has_ended:
            return
        build, self._build = self._build, None
        if build.failure is not None:
            self._fail(build.version, build.failure)

    def _fail(self, version: str, why: str) -> None:
        """Note what is wrong with a version; it is tried again, later each time."""
        self._chronicle.failed(version, why)
        self._directed = None
        self._trouble.failed()

    def _replace(self, host: Host | None, pointer: Pointer) -> Host:
        """Start a process in the place of one that is of no use any more."""
        started = self._start(pointer)
        if host is not None:
            self._dismiss(host)
        return started

    def _start(self, pointer: Pointer) -> Host:
        return Host.start(self._settings, self.model, pointer, self._listening, self._nursery)

    def _start_build(self, version: str, manifest_sha256: str) -> Build:
        is_warm = self._nursery.fits(installed_code())
        prover = self._nursery.another_channel() if is_warm else None
        return Build.start(self._settings, self.model, version, manifest_sha256, prover)

    def _dismiss(self, host: Host) -> None:
        host.end()
        self._leaving.append(host)

    def _why_absent(self) -> str:
        return "it is ending" if self._is_ending else self._chronicle.note or "it is starting"

    def _is_directed(self, wanted: Promotion) -> bool:
        return self._directed is not None and _are_same(self._directed, wanted)

    def _next_epoch(self) -> int:
        self._epoch += 1
        return self._epoch

    def _hosts(self) -> list[Host]:
        return list(filter(None, (self._active, self._spare, self._successor)))

    def _processes(self) -> list[Host]:
        return [*self._hosts(), *self._leaving]


def _are_same(one: Pointer, other: Pointer | Promotion) -> bool:
    return (one.version, one.manifest_sha256) == (other.version, other.manifest_sha256)
