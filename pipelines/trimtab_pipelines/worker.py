"""The pipelines worker: asks for what is missing, runs what was asked, keeps the aliases true."""

import logging
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from uuid import uuid4

from trimtab.adapters.opening import open_clock, open_database, open_registry
from trimtab.errors import LeaseLostError, RegistryUnreachableError, UnknownVersionError
from trimtab.ports import Clock, Database, ModelRegistry, Stores
from trimtab.records.requests import RequestState, RetrainRequest
from trimtab.settings import Settings, load

from .adoption_jobs import AdoptionJobs
from .aliases import AliasKeeper
from .challengers import ChallengerKeeper
from .ending import MOST_ATTEMPTS, end_request
from .events import Event, entry
from .firsts import FirstVersions
from .jobs import LATER, Jobs
from .logs import log_to_stderr
from .trial_jobs import TrialJobs
from .triggers import Triggers
from .waiting import give_up_waiting

log = logging.getLogger(__name__)

POLL = 0.5
LEASE = timedelta(seconds=30)
_RENEW = 10.0
_LOOK_AT_ALIASES = 3.0
_MOST_FAULTS = 20
"""So many faulty rounds in a row end the worker; its supervisor starts it anew."""


@dataclass(slots=True)
class Job:
    """A process in work, and the request it pursues; a sweep pursues none."""

    process: ForkServerProcess
    request: RetrainRequest | None
    renew_at: float


@dataclass(slots=True)
class Worker:
    """A reconciler: each `step` looks at what should be and closes a difference."""

    settings: Settings
    database: Database
    clock: Clock
    aliases: AliasKeeper
    challengers: ChallengerKeeper
    firsts: FirstVersions
    holder: str
    jobs: Jobs
    trials: TrialJobs
    adoptions: AdoptionJobs
    triggers: Triggers
    job: Job | None = None
    _sweep_is_due: bool = True
    _registry_is_up: bool = True
    _look_at: float = 0.0
    _complaints: dict[str, str] = field(default_factory=dict)

    @property
    def models(self) -> list[str]:
        """The models it looks after."""
        return list(self.settings.project.models)

    def run(self) -> None:
        """Work until the process is told to end."""
        faults = 0
        try:
            while faults < _MOST_FAULTS:
                try:
                    self.step()
                    faults = 0
                except Exception:
                    faults += 1
                    log.exception("a round failed, %d in a row", faults)
                time.sleep(POLL)
        finally:
            self.drop()
            self.trials.drop()
            self.adoptions.drop()
            self.triggers.drop()
        sys.exit("too many rounds failed in a row")

    def step(self) -> None:
        """Close what can be closed now, without waiting for anything."""
        if self.job is not None and not self.job.process.is_alive():
            self._conclude(self.job)
        if time.monotonic() >= self._look_at:
            self._keep_aliases()
            self._give_up_waiting()
        if self.job is not None:
            self._renew(self.job)
        elif self._registry_is_up and self.jobs.is_ready:
            self._take_up()
        self.trials.step()
        self.adoptions.step()
        self.triggers.step()

    def drop(self) -> None:
        """End the job's process; its request may be claimed again at once."""
        if self.job is None:
            return
        job, self.job = self.job, None
        job.process.kill()
        job.process.join(5)
        if job.request is not None:
            with suppress(LeaseLostError), self.database.transaction() as stores:
                stores.requests.renew(job.request.id, self.holder, timedelta(0))

    def _take_up(self) -> None:
        if self._sweep_is_due:
            self._sweep()
            return
        self.firsts.ask(self.models)
        with self.database.transaction() as stores:
            request = stores.requests.claim(self.models, self.holder, LEASE)
        if request is not None:
            log.info("request %s for %s (%s)", request.id, request.model, request.trigger)
            process = self.jobs.start(self.settings.folder, request, self.holder)
            self.job = Job(process, request, time.monotonic() + _RENEW)

    def _sweep(self) -> None:
        """Look for runs that a dead training left, where anything was trained before."""
        self._sweep_is_due = False
        with self.database.transaction() as stores:
            is_fresh = not any(stores.requests.recent(model, limit=1) for model in self.models)
        if not is_fresh:
            self.job = Job(self.jobs.start_sweep(self.settings.folder), None, 0.0)

    def _renew(self, job: Job) -> None:
        if job.request is None or time.monotonic() < job.renew_at:
            return
        job.renew_at = time.monotonic() + _RENEW
        try:
            with self.database.transaction() as stores:
                stores.requests.renew(job.request.id, self.holder, LEASE)
        except LeaseLostError as error:
            if job.process.is_alive():  # else it has just ended the request itself
                log.warning("%s", error)
                self.drop()

    def _conclude(self, job: Job) -> None:
        """See how a process ended; one that died is begun again, a few times."""
        code, self.job, self._look_at = job.process.exitcode, None, 0.0
        if code in (0, LATER) or job.request is None:
            return
        self._sweep_is_due = True
        why = f"the training's process died ({_cause(code)})"
        log.error("request %s: %s", job.request.id, why)
        with suppress(LeaseLostError), self.database.transaction() as stores:
            if code is not None and code < 0 and _deaths(stores, job.request) + 1 < MOST_ATTEMPTS:
                self._give_back(stores, job.request, why)
                return
            end_request(
                stores,
                job.request,
                self.holder,
                state=RequestState.FAILED,
                reasons=[why],
                at=self.clock.now(),
                give_up_after=self.settings.model(job.request.model).retrain.give_up_after,
            )

    def _give_back(self, stores: Stores, request: RetrainRequest, why: str) -> None:
        """Let a killed training be claimed again at once: it says nothing about the data."""
        stores.requests.renew(request.id, self.holder, timedelta(0))
        now = self.clock.now()
        stores.ledger.append(entry(Event.DIED, request.model, request.id, at=now, reasons=[why]))

    def _keep_aliases(self) -> None:
        for model in self.models:
            try:
                self.adoptions.want(model, self.aliases.keep(model))
                self.challengers.keep(model)
                self._complaints.pop(model, None)
                self._registry_is_up = True
            except RegistryUnreachableError as error:
                self._complain(model, str(error))
                self._registry_is_up = False
                break
            except UnknownVersionError as error:
                self._complain(model, f"{error} The champion cannot be pointed at in MLflow.")
        self._look_at = time.monotonic() + _LOOK_AT_ALIASES

    def _give_up_waiting(self) -> None:
        with self.database.transaction() as stores:
            for model in self.models:
                within = self.settings.model(model).promotion.approval_within
                ended = give_up_waiting(stores, model, now=self.clock.now(), within=within)
                if ended is not None:
                    log.warning("%s: version %s was not approved in time", model, ended.version)

    def _complain(self, model: str, what: str) -> None:
        """Log a complaint once, not at every look."""
        if self._complaints.get(model) != what:
            self._complaints[model] = what
            log.warning("%s: %s", model, what)


def open_worker(settings: Settings, registry: ModelRegistry | None = None) -> Worker:
    """Open what a worker needs."""
    jobs = Jobs()  # first of all: its imports take longest
    database, clock = open_database(settings), open_clock(settings)
    models, registry = list(settings.project.models), registry or open_registry(settings)
    return Worker(
        settings=settings,
        database=database,
        clock=clock,
        challengers=ChallengerKeeper(registry, database),
        aliases=AliasKeeper(
            registry,
            database,
            clock,
            adopts=lambda model: settings.model(model).promotion.hand_moves == "adopt",
        ),
        firsts=FirstVersions(database, clock),
        holder=f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}",
        jobs=jobs,
        trials=TrialJobs(settings.folder, database, jobs, models),
        adoptions=AdoptionJobs(settings.folder, database, registry, clock, jobs),
        triggers=Triggers(settings, database, clock, jobs),
    )


def main() -> None:
    """Run as `python -m trimtab_pipelines.worker FOLDER` until SIGTERM."""
    log_to_stderr()
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    open_worker(load(Path(sys.argv[1]))).run()


def _end(*_: object) -> None:
    """Leave through `finally`, also out of a call that waits for a server; once."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(0)


def _deaths(stores: Stores, request: RetrainRequest) -> int:
    """Count them in the ledger, which outlives this worker too."""
    return sum(
        known.event == Event.DIED and known.subject == request.id
        for known in stores.ledger.entries(request.model, limit=500)
    )


def _cause(code: int | None) -> str:
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"


if __name__ == "__main__":
    main()
