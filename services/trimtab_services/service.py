"""The endpoint of one model: reads a request, predicts, captures, answers - in that order."""

import logging
import os
import time
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from trimtab.adapters.clock import FileClock, SystemClock
from trimtab.ports import Clock
from trimtab.records.ids import CHANCE_BYTES, request_id
from trimtab.records.rows import Rows
from trimtab.records.trials import failure_detail

from .answering import AnswerWriter, require_whole
from .bundle import read_bundle, read_contract
from .captured import CapturedRequest, encode
from .environment import ServingEnvironment
from .gathering import Gathering
from .label_intake import LabelIntake
from .metrics import Metrics
from .reading import Asked
from .redacting import Redactor, redaction_of, redactor_for
from .refusals import BadRequestError
from .reply import Arrival, Reply
from .requirements import require_environment
from .segments import SegmentWriter
from .tables import Table, TableWriter
from .wire import Wire

if TYPE_CHECKING:
    from trimtab.adapters.predictor import Answers

    from .canary import Canary
    from .swap import Champion
    from .tracing import Tracer

logger = logging.getLogger(__name__)

_MANY = 256
"""Numbers of one request that are worth a table: numpy takes its time for a few, too."""
_FAILED = BadRequestError("The model could not answer; the endpoint's log has the reason.")
_UNANSWERABLE = BadRequestError("The model has no answer to numbers as large as these.")


class Endpoint:
    """Holds the version that answers; another one replaces it by a single assignment."""

    def __init__(self, source: Path, environment: ServingEnvironment) -> None:
        self.source = source
        self.bundle = read_bundle(source)
        self.contract = read_contract(source)
        self.wire = Wire(self.contract, environment.max_rows or self.bundle.max_rows)
        self.max_body = environment.max_body or self.bundle.max_body
        """Bytes of one request."""
        self.device = environment.device or self.bundle.device
        self.metrics = Metrics(self)
        self.labels: LabelIntake | None = None
        """What takes labels, where there is a spool to keep them in."""
        self.note = ""
        """Why the wanted version does not answer, if it does not."""
        self._clock: Clock = FileClock(environment.clock) if environment.clock else SystemClock()
        self._answers = AnswerWriter(self.contract)
        self._environment = environment
        self._redactor: Redactor | None = None
        self._tables = TableWriter(len(self.contract.schema.columns))
        self._gathering = Gathering(self.wire.max_rows)
        self.tracer: Tracer | None = None
        self._writer: SegmentWriter | None = None
        self._answered = 0
        self._champion: Champion | None = None
        self._canary: Canary | None = None
        self._tried = self._failed = 0
        """Requests that went to the challenger, and those that it could not answer."""

    @property
    def champion(self) -> "Champion":
        """The version that answers."""
        if self._champion is None:
            raise RuntimeError("the endpoint was asked before it was opened")
        return self._champion

    def open(self) -> None:
        """Load the version that the bento carries and start to capture; once.

        Raises what `load_champion` raises.
        """
        if self._champion is None:
            self.load()
            self.capture()

    def load(self, manifest_sha256: str | None = None) -> None:
        """Load the version that the bento carries; it may answer, and is not captured yet.

        The hash is what the bento itself says unless somebody knows better. Raises what
        `load_champion` raises.
        """
        from .swap import load_champion  # seconds of imports that a build can do without

        self.wire.warm()
        bundle = self.bundle
        require_environment(bundle.requirements)
        if self._environment.spool is not None:
            self._redactor = redactor_for(self._environment, bundle, self.contract)
        sha256 = manifest_sha256 or bundle.manifest_sha256
        self.swap(load_champion(self.source, bundle.version, sha256, self.device))

    def capture(self) -> None:
        """Begin to capture and to trace; a spare process does so only when its time has come."""
        spool = self._environment.spool
        if spool is None:
            logger.warning("TRIMTAB_SPOOL is not set: requests are answered and not captured")
        else:
            self._writer = SegmentWriter(spool)
            redaction = redaction_of(self._environment, self.bundle)
            self.labels = LabelIntake(
                spool / "labels", self.contract, redaction, self._now, self.wire.max_rows
            )
        if self._environment.exports_traces:
            from .tracing import Tracer  # the SDK is heavy, and most do without

            self.tracer = Tracer(self.contract.model)

    def swap(self, champion: "Champion") -> None:
        """Let another version answer from now on; requests under way finish with theirs."""
        self._champion, self.note = champion, ""
        if self._canary is not None and self._canary.tried.beside != champion.version:
            self._canary = None

    def try_out(self, canary: "Canary | None") -> None:
        """Let a challenger answer its share of the requests; None lets go of it.

        Raises ValueError when it is to be tried beside another version than the one that answers.
        """
        if canary is not None and canary.tried.beside != self.champion.version:
            raise ValueError(f"it is to be tried beside version {canary.tried.beside}")
        self._canary = canary

    def close(self) -> None:
        """Bring what was captured to disk."""
        if self._writer is not None:
            self._writer.close()
        if self.labels is not None:
            self.labels.close()
        if self.tracer is not None:
            self.tracer.close()

    def predict(self, body: bytes, arrival: Arrival) -> Reply:
        """Answer a request."""
        try:
            asked = self.wire.read(body)
        except BadRequestError as error:
            return self.refuse(400, error, arrival)
        champion, detail = self.champion, None
        if (canary := self._taken_by(asked)) is not None:
            try:
                challenger = canary.challenger
                return self._finish(asked, challenger, challenger.answer(asked.rows), arrival)
            except Exception as error:  # a canary costs nobody an answer
                detail = self._stand_in(canary, error)
        try:
            return self._finish(asked, champion, champion.answer(asked.rows), arrival, detail)
        except Exception as error:  # whatever the model does, the caller gets an answer
            return self._fail(champion, error, arrival)

    async def ask(self, body: bytes, arrival: Arrival) -> Reply:
        """Answer a request, together with others where that pays."""
        champion, canary = self.champion, self._canary
        if not (champion.batching or (canary is not None and canary.challenger.batching)):
            return self.predict(body, arrival)
        try:
            asked = self.wire.read(body)
        except BadRequestError as error:
            return self.refuse(400, error, arrival)
        detail = None
        if (canary := self._taken_by(asked)) is not None:
            try:
                answers = await self._gathered(canary.challenger, asked)
                return self._finish(asked, canary.challenger, answers, arrival)
            except Exception as error:  # a canary costs nobody an answer
                detail = self._stand_in(canary, error)
        try:
            answers = await self._gathered(champion, asked)
            return self._finish(asked, champion, answers, arrival, detail)
        except Exception as error:  # whatever the model does, the caller gets an answer
            return self._fail(champion, error, arrival)

    async def _gathered(self, version: "Champion", asked: Asked) -> "Answers":
        if version.batching:
            return await self._gathering.answer(version, asked.rows)
        return version.answer(asked.rows)

    def _taken_by(self, asked: Asked) -> "Canary | None":
        """Give the canary whose challenger answers this request, if there is one."""
        canary = self._canary
        if canary is None or not canary.takes(asked.keys or (), os.urandom(16).hex()):
            return None
        self._tried += 1
        return canary

    def _stand_in(self, canary: "Canary", error: Exception) -> str:
        """Count what the challenger could not answer; gives what is kept beside the answer."""
        self._failed += 1
        detail = failure_detail(canary.challenger.version, error)
        logger.error("%s; the champion answers", detail)
        return detail

    def refuse(self, status: int, error: BadRequestError, arrival: Arrival) -> Reply:
        """Turn a request away, and keep that it was asked."""
        request, champion = _new_id(), self.champion
        reply = Reply(status, error.body(), request.hex(), champion.version)
        self.metrics.refuse(status)
        self._keep(
            request,
            CapturedRequest(
                request_id=reply.request_id,
                version=champion.version,
                received=arrival.at,
                status=status,
                latency_us=arrival.microseconds,
                source=None,
                device=champion.device,
                detail=error.detail,
                time=self._now(),
            ),
        )
        return reply

    def readiness(self) -> Reply:
        """Say which version answers, for probes and for people; 503 while none does."""
        if self._champion is None:
            return Reply(503, orjson.dumps({"note": "no version is loaded and proven yet"}))
        device_note = self._champion.predictor.device_note
        facts = {**self.facts(), "device_note": device_note, **self.counts(), "note": self.note}
        return Reply(200, orjson.dumps(facts))

    def facts(self) -> Mapping[str, str]:
        """Name what answers."""
        champion = self.champion
        device = champion.device
        return {"model": self.contract.model, "version": champion.version, "device": device}

    def counts(self) -> Mapping[str, int]:
        """Count the requests that this process answered (refusals too), captured and lost."""
        writer = self._writer
        return {
            "answered": self._answered,
            "captured": writer.captured if writer else 0,
            "dropped": writer.dropped if writer else 0,
            "challenger_asked": self._tried,
            "challenger_failed": self._failed,
            "labels_kept": self.labels.taken if self.labels else 0,
        }

    def gauges(self) -> Mapping[str, float]:
        """Measure what goes up and down."""
        writer = self._writer
        is_wanted = self.device.startswith("cuda")
        return {
            "device_fallback": int(is_wanted and self.champion.device == "cpu"),
            "capture_spool_bytes": writer.spool_bytes if writer else 0,
            "capture_unsynced_bytes": writer.unsynced_bytes if writer else 0,
        }

    def _finish(
        self,
        asked: Asked,
        champion: "Champion",
        answers: "Answers",
        arrival: Arrival,
        detail: str | None = None,
    ) -> Reply:
        """Write the answer, capture both, and only then give it. Raises ValueError."""
        rows, request = len(asked.rows), _new_id()
        id, version = request.hex(), champion.version
        shares = None if answers.probabilities is None else answers.probabilities.tolist()
        require_whole(answers.predictions, shares, rows)
        body = self._answers.write(version, id, answers.predictions, shares)
        latency, table = arrival.microseconds, self._table(asked.rows)
        self._keep(
            request,
            CapturedRequest(
                request_id=id,
                version=version,
                received=arrival.at,
                status=200,
                latency_us=latency,
                source=asked.source,
                device=champion.device,
                detail=detail,
                time=self._now(),
                columns=asked.rows.names,
                inputs=() if table else asked.rows.values,
                predictions=answers.predictions,
                probabilities=shares,
                keys=asked.keys,
                times=asked.times,
                table=table,
            ),
        )
        self.metrics.answer(rows, latency / 1e6)
        return Reply(200, body, id, version, rows)

    def _table(self, rows: Rows) -> Table | None:
        """Give many numbers as what is smaller to write; values that are redacted stay values."""
        numbers = rows.numbers
        if numbers is None or numbers.size < _MANY or self._redactor is not None:
            return None
        return self._tables.write(numbers)

    def _fail(self, champion: "Champion", error: Exception, arrival: Arrival) -> Reply:
        """Log where it happened; an error's text may hold what the caller sent."""
        from trimtab.adapters.predictor import UnanswerableError  # it was loaded with the version

        if isinstance(error, UnanswerableError):
            return self.refuse(400, _UNANSWERABLE, arrival)
        kind, where = type(error).__name__, "".join(traceback.format_tb(error.__traceback__))
        logger.error("version %s failed to answer: %s\n%s", champion.version, kind, where)
        return self.refuse(500, _FAILED, arrival)

    def _now(self) -> datetime:
        try:
            return self._clock.now()
        except (OSError, ValueError):  # a replay whose clock is not set yet
            return datetime.now(UTC)

    def _keep(self, request: bytes, record: CapturedRequest) -> None:
        self._answered += 1
        if self._writer is not None:
            kept = record if self._redactor is None else self._redactor.apply(record)
            self._writer.append(request, encode(kept))


def _new_id() -> bytes:
    return request_id(time.time_ns(), os.urandom(CHANCE_BYTES))
