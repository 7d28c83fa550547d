"""The course of a request: decide, train, try out, and end it with its reasons."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

import pandas as pd

from trimtab.errors import (
    LeaseLostError,
    RegistryUnreachableError,
    StaleEpochError,
    TrimtabError,
)
from trimtab.policy.retrain import Decision, decide
from trimtab.ports import Stores
from trimtab.records.requests import RequestState, RetrainRequest
from trimtab.records.urls import without_userinfo
from trimtab.records.versions import Alias, ModelVersion
from trimtab.settings import rules_of

from .bench import Bench
from .contest import Contest, find_version, try_out
from .ending import MOST_ATTEMPTS, end_request
from .errors import DataRefusedError, NoCandidateError
from .events import Event, entry
from .facts import gather, unseen
from .promotion import promote

log = logging.getLogger(__name__)

Say = Callable[[str], None]

_MOST_CONTESTS = 3
"""How often a challenger is judged again because the champion moved meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a request ended."""

    request: RetrainRequest
    contest: Contest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pursuit:
    """One request in the hands of one holder, who has its lease."""

    bench: Bench
    request: RetrainRequest
    holder: str
    say: Say = log.info
    until: datetime | None = None
    """Rows of this time and later are not known; by default the present moment."""

    def run(self) -> Outcome:
        """Take the request to its end.

        Raises LeaseLostError when somebody else took it over, and RegistryUnreachableError, which
        leaves it as it is so that it can be taken up again. What else goes wrong ends it.
        """
        try:
            return self._run()
        except (RegistryUnreachableError, LeaseLostError):
            raise
        except NoCandidateError as error:
            return self._end(RequestState.REJECTED, [str(error)])
        except DataRefusedError as error:
            return self._decline([str(error)])
        except TrimtabError as error:
            return self.fail(str(error))
        except Exception as error:
            log.exception("request %s", self.request.id)
            return self.fail(f"unexpected {type(error).__name__}: {error}")

    def fail(self, why: str) -> Outcome:
        """End the request because something went wrong."""
        why = without_userinfo(why)
        self.say(f"failed: {why}")
        return self._end(RequestState.FAILED, [why])

    def _run(self) -> Outcome:
        self.say("deciding")
        decision = self._decide(None)
        if not decision.go:
            return self._decline(decision.reasons, is_given_up=decision.is_given_up)
        now = self.until or self.bench.clock.now()
        rows = self.bench.collect(self.bench.settings, self.request.model, now)
        decision = self._decide(len(self._new(rows)))
        if not decision.go:
            return self._decline(decision.reasons, is_given_up=decision.is_given_up)
        self._begin(decision)
        version = self.bench.train(
            self.bench.settings,
            self.request.model,
            until=now,
            request_id=self.request.id,
            rows=rows,
            progress=self.say,
        )
        # The version's run has ended; what still runs was left by processes that died. The lease
        # makes sure that none is anybody else's.
        self.bench.end_stale_runs(self.bench.settings, self.request.model, None)
        self._registered(version)
        return self._try_out(version, rows)

    def _decide(self, new_rows: int | None) -> Decision:
        settings = self.bench.settings.model(self.request.model)
        now = self.bench.clock.now()
        facts = gather(self.bench.database, settings, self.request, now)
        return decide(replace(facts, new_rows=new_rows), rules_of(settings.retrain))

    def _new(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Give the rows that the champion has not seen."""
        model = self.request.model
        with self.bench.database.transaction() as stores:
            champion = stores.promotions.current(model)
        seen = [find_version(self.bench.registry, model, champion.version)] if champion else []
        return unseen(self.bench.settings.model(model), rows, *seen)

    def _begin(self, decision: Decision) -> None:
        """Note the start. Raises TrimtabError when too many of them led nowhere."""
        with self.bench.database.transaction() as stores:
            begun = sum(
                known.event == Event.STARTED and known.subject == self.request.id
                for known in stores.ledger.entries(self.request.model, limit=500)
            )
            if begun < MOST_ATTEMPTS:
                self._note(stores, Event.STARTED, self.request.id, decision.reasons)
                return
        raise TrimtabError(f"{begun} trainings for this request died without an end")

    def _registered(self, version: ModelVersion) -> None:
        with self.bench.database.transaction() as stores:
            recent = stores.ledger.entries(self.request.model, limit=100)
            if not any((e.event, e.subject) == (Event.REGISTERED, version.version) for e in recent):
                trained = f"trained on what was known before {version.trained_until:%Y-%m-%d %H:%M}"
                self._note(stores, Event.REGISTERED, version.version, [trained])
        self.bench.registry.point(version.model, Alias.CHALLENGER, version.version)

    def _try_out(self, version: ModelVersion, rows: pd.DataFrame) -> Outcome:
        for _ in range(_MOST_CONTESTS):
            self.say(f"version {version.version} meets the champion")
            contest = try_out(self.bench, version, rows)
            try:
                return self._settle(contest)
            except StaleEpochError:
                self.say("the champion moved meanwhile; trying again")
        raise TrimtabError("the champion moved at every contest")

    def _settle(self, contest: Contest) -> Outcome:
        """Write the end; the move of the champion and the end of the request are one."""
        settings = self.bench.settings.model(self.request.model)
        if not contest.result.passed:
            state = RequestState.REJECTED
        elif settings.retrain.approval == "manual":
            state = RequestState.WAITING
        else:
            state = RequestState.PROMOTED
        outcome = self._end(state, contest.result.reasons, contest)
        number = contest.challenger.version
        self.say(f"version {number}: {state}")
        with suppress(RegistryUnreachableError):  # the worker's reconciliation follows later
            if state is RequestState.PROMOTED:
                self.bench.registry.point(self.request.model, Alias.CHAMPION, number)
            if state is not RequestState.WAITING:
                self.bench.registry.point(self.request.model, Alias.CHALLENGER, None)
        return outcome

    def _decline(self, reasons: Sequence[str], *, is_given_up: bool = False) -> Outcome:
        self.say(f"declined: {'; '.join(reasons)}")
        return self._end(RequestState.DECLINED, reasons, is_given_up=is_given_up)

    def _end(
        self,
        state: RequestState,
        reasons: Sequence[str],
        contest: Contest | None = None,
        *,
        is_given_up: bool = False,
    ) -> Outcome:
        """Write how it ended, in one transaction. Raises LeaseLostError, StaleEpochError."""
        now = self.bench.clock.now()
        with self.bench.database.transaction() as stores:
            ended = end_request(
                stores,
                self.request,
                self.holder,
                state=state,
                reasons=reasons,
                at=now,
                version=contest.challenger.version if contest else None,
                is_given_up=is_given_up,
            )
            if contest and state is RequestState.PROMOTED:
                promote(
                    stores,
                    contest.challenger,
                    against=contest.against,
                    actor="gate",
                    reasons=[f"asked for: {self.request.trigger}", *reasons],
                    at=now,
                )
        return Outcome(request=ended, contest=contest)

    def _note(self, stores: Stores, event: Event, subject: str, reasons: Sequence[str]) -> None:
        now = self.bench.clock.now()
        stores.ledger.append(entry(event, self.request.model, subject, at=now, reasons=reasons))
