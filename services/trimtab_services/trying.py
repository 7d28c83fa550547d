"""A canary's challenger, brought into the processes of an endpoint and out of them again."""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from trimtab.records.trials import Trial
from trimtab.settings import Settings

from .backoff import Backoff
from .bento import is_built
from .building import Build
from .bundle import can_follow, source_of
from .canary import OtherEnvironmentError, Tried
from .children import Host
from .chronicle import Chronicle
from .orders import HostReport

logger = logging.getLogger(__name__)

LOAD_SECONDS = 120.0
"""A process that takes longer to load a challenger hangs."""


class Trying:
    """Keeps the challenger of a trial where it should be; the champion answers whatever happens.

    As any new version it is loaded by the spare first: one that crashes its process, hangs or is
    refused never comes near the process that answers, and is tried again later. So is one whose
    process died with it.
    """

    def __init__(self, settings: Settings, model: str, chronicle: Chronicle) -> None:
        self._settings = settings
        self._model = model
        self._chronicle = chronicle
        self._trial: Trial | None = None
        self._build: Build | None = None
        self._backoff = Backoff()
        self._told: dict[Host, float] = {}
        """The processes that were told of it, and when."""
        self._served = False

    def want(self, trial: Trial | None) -> None:
        """Take note of the canary that should run; None for none."""
        if (trial and trial.id) != (self._trial and self._trial.id):
            self._trial, self._backoff, self._served = trial, Backoff(), False
            self._chronicle.trial_note = ""

    def step(
        self,
        active: Host | None,
        spare: Host | None,
        *,
        is_answering: bool,
        has_spare: bool,
        start_build: Callable[[str, str], Build],
    ) -> None:
        """Close what can be closed of the difference, without waiting for anything.

        `has_spare` tells whether there is to be a spare, even when there is none just now.
        """
        hosts = [host for host in (active, spare) if host is not None]
        self._mourn(hosts)
        self._finish_build()
        tried = self._wanted()
        for host in hosts:
            if host.tries is not None and (tried is None or host.tries.trial != tried.trial):
                self._tell(host, None)
        if tried is None or active is None or not (is_answering and self._backoff.is_due):
            return
        chosen = _next(tried, active, spare if has_spare else active)
        if chosen is None:
            return
        try:
            if not is_built(tried.bento, tried.manifest_sha256):
                self._build = self._build or start_build(tried.version, tried.manifest_sha256)
            elif can_follow(source_of(tried.bento), chosen.source):
                self._tell(chosen, tried)
            else:
                self._fail(hosts, str(OtherEnvironmentError(tried.version)))
        except Exception as error:  # whatever it is, the champion comes first
            self._fail(hosts, str(error) or type(error).__name__)

    def hear(self, hosts: Sequence[Host], host: Host, report: HostReport, is_active: bool) -> None:
        """Take in what a process says of the challenger."""
        trial = self._trial
        if trial is None or report.canary != trial.id:
            return
        if report.refused is not None:
            self._told.pop(host, None)
            self._fail(hosts, report.refused)
        elif is_active and not self._served:
            self._served, self._backoff, self._chronicle.trial_note = True, Backoff(), ""
            share = f"{(trial.share or 0) * 100:g}% of the requests, trial {trial.id[:8]}"
            self._chronicle.tell("challenger served", trial.challenger, share)

    def end(self) -> None:
        """Stop what is under way."""
        if self._build is not None:
            self._build.end()

    def _tell(self, host: Host, tried: Tried | None) -> None:
        host.try_out(tried)
        if tried is None:
            self._told.pop(host, None)
        else:
            self._told[host] = time.monotonic()

    def _mourn(self, hosts: Sequence[Host]) -> None:
        """Look for processes that ended, or hang, with the challenger."""
        for host, since in list(self._told.items()):
            if not host.is_running:
                del self._told[host]
                self._fail(hosts, "a process ended in which it was loaded")
            elif host.tried is None and time.monotonic() - since > LOAD_SECONDS:
                del self._told[host]
                host.kill()
                self._fail(hosts, f"it did not load within {LOAD_SECONDS:.0f} s")

    def _fail(self, hosts: Sequence[Host], why: str) -> None:
        """Take it out everywhere, and note what is wrong; it is tried again, later each time."""
        trial = self._trial
        if trial is None:
            return
        for host in hosts:
            if host.tries is not None:
                self._tell(host, None)
        note = f"version {trial.challenger} does not answer as a canary: {why}"
        if note != self._chronicle.trial_note:
            logger.error("%s: %s", self._model, note)
            self._chronicle.tell("challenger not served", trial.challenger, why)
        self._chronicle.trial_note, self._served = note, False
        self._backoff.failed()

    def _finish_build(self) -> None:
        if self._build is None or not self._build.has_ended:
            return
        build, self._build = self._build, None
        trial = self._trial
        if build.failure is not None and trial is not None and build.version == trial.challenger:
            self._fail((), build.failure)

    def _wanted(self) -> Tried | None:
        trial = self._trial
        if trial is None or trial.share is None:
            return None
        bento: Path = self._settings.home.bento(self._model, trial.challenger)
        return Tried(
            trial=trial.id,
            beside=trial.champion,
            version=trial.challenger,
            manifest_sha256=trial.manifest_sha256,
            bento=bento,
            share=trial.share,
        )


def _next(tried: Tried, active: Host, first: Host | None) -> Host | None:
    """Find the process that has to take it in next; None when there is nothing to do just now."""
    if first is None:
        return None
    host = active if first.tried is not None else first
    is_champion = host.held is not None and host.held.version == tried.beside
    return host if is_champion and host.tries is None else None
