"""The endpoint of one model: reads a request, predicts, captures, answers - in that order."""

import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from trimtab.adapters.clock import FileClock, SystemClock
from trimtab.ports import Clock

from .bundle import read_bundle, read_contract
from .captured import CapturedRequest, CapturedRow, encode
from .environment import ServingEnvironment
from .metrics import Metrics
from .segments import SegmentWriter
from .wire import Asked, BadRequestError, Wire, name_shares, require_finite

if TYPE_CHECKING:
    from trimtab.adapters.predictor import Answers

    from .swap import Champion

logger = logging.getLogger(__name__)

_FAILED = BadRequestError("The model could not answer; the endpoint's log has the reason.")


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back to the caller."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a request came in: by the wall clock, and by one that never jumps."""

    at: datetime
    ticks: int

    @classmethod
    def now(cls) -> "Arrival":
        """Note the present moment."""
        return cls(datetime.now(UTC), time.perf_counter_ns())

    @property
    def microseconds(self) -> int:
        """How long ago that was."""
        return (time.perf_counter_ns() - self.ticks) // 1000


class Endpoint:
    """Holds the version that answers; another one replaces it by a single assignment."""

    def __init__(self, source: Path, environment: ServingEnvironment) -> None:
        self.source = source
        self.bundle = read_bundle(source)
        self.contract = read_contract(source)
        self.wire = Wire(self.contract, environment.max_rows or self.bundle.max_rows)
        self.device = environment.device or self.bundle.device
        self.metrics = Metrics(self)
        self.note = ""
        """Why the wanted version does not answer, if it does not."""
        self._clock: Clock = FileClock(environment.clock) if environment.clock else SystemClock()
        self._spool = environment.spool
        self._writer: SegmentWriter | None = None
        self._answered = 0
        self._champion: Champion | None = None

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

        bundle = self.bundle
        sha256 = manifest_sha256 or bundle.manifest_sha256
        self.swap(load_champion(self.source, bundle.version, sha256, self.device))

    def capture(self) -> None:
        """Begin to capture; a spare process does so only when its time has come."""
        if self._spool is None:
            logger.warning("TRIMTAB_SPOOL is not set: requests are answered and not captured")
        else:
            self._writer = SegmentWriter(self._spool)

    def swap(self, champion: "Champion") -> None:
        """Let another version answer from now on; requests under way finish with theirs."""
        self._champion, self.note = champion, ""

    def close(self) -> None:
        """Bring what was captured to disk."""
        if self._writer is not None:
            self._writer.close()

    def predict(self, body: bytes, arrival: Arrival) -> Reply:
        """Answer a request."""
        try:
            asked = self.wire.read(body)
        except BadRequestError as error:
            return self.refuse(400, error, arrival)
        champion, request = self.champion, os.urandom(16)
        try:
            answers = champion.answer(asked.rows)
            reply = Reply(200, self._body(champion.version, request.hex(), answers))
        except Exception:  # whatever the model does, the caller gets an answer
            logger.exception("version %s failed to answer", champion.version)
            return self.refuse(500, _FAILED, arrival)
        rows = self._rows(request.hex(), asked, answers)
        self._capture(request, champion, arrival, reply.status, asked.source, None, rows)
        self.metrics.answer(len(rows), arrival.microseconds / 1e6)
        return reply

    def refuse(self, status: int, error: BadRequestError, arrival: Arrival) -> Reply:
        """Turn a request away, and keep that it was asked."""
        self.metrics.refuse(status)
        self._capture(os.urandom(16), self.champion, arrival, status, None, error.detail, ())
        return Reply(status, error.body())

    def readiness(self) -> Reply:
        """Say which version answers, for probes and for people."""
        return Reply(200, orjson.dumps({**self.facts(), **self.counts(), "note": self.note}))

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
        }

    def _body(self, version: str, request_id: str, answers: "Answers") -> bytes:
        predictions: list[dict[str, Any]] = [
            {"prediction_id": f"{request_id}-{i}", "prediction": value}
            for i, value in enumerate(answers.predictions)
        ]
        if answers.probabilities is None:
            require_finite(answers.predictions)
        else:
            for entry, shares in zip(predictions, answers.probabilities.tolist(), strict=True):
                entry["probabilities"] = name_shares(self.contract, shares)
        return orjson.dumps(
            {
                "model": self.contract.model,
                "version": version,
                "request_id": request_id,
                "predictions": predictions,
            }
        )

    def _rows(self, request_id: str, asked: Asked, answers: "Answers") -> Sequence[CapturedRow]:
        now = self._now()
        shares = repeat(None) if answers.probabilities is None else answers.probabilities.tolist()
        columns = zip(
            asked.rows, asked.keys, asked.times, answers.predictions, shares, strict=False
        )
        return [
            CapturedRow(
                prediction_id=f"{request_id}-{i}",
                key=key,
                time=time or now,
                inputs=inputs,
                prediction=prediction,
                probabilities=share,
            )
            for i, (inputs, key, time, prediction, share) in enumerate(columns)
        ]

    def _now(self) -> datetime:
        try:
            return self._clock.now()
        except (OSError, ValueError):  # a replay whose clock is not set yet
            return datetime.now(UTC)

    def _capture(
        self,
        request: bytes,
        champion: "Champion",
        arrival: Arrival,
        status: int,
        source: str | None,
        detail: str | None,
        rows: Sequence[CapturedRow],
    ) -> None:
        self._answered += 1
        if self._writer is None:
            return
        record = CapturedRequest(
            request_id=request.hex(),
            version=champion.version,
            received=arrival.at,
            status=status,
            latency_us=arrival.microseconds,
            source=source,
            device=champion.device,
            detail=detail,
            rows=rows,
            time=None if rows else self._now(),
        )
        self._writer.append(request, encode(record))
