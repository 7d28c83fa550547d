"""`POST /labels`, in the endpoint's process: labels are read, kept on the disk, and answered.

All of it but the answer happens in a thread of its own, so that no prediction waits for a disk.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from trimtab.policy.labelling import LabelError, LabelRules
from trimtab.policy.redaction import Redaction
from trimtab.records.contracts import Contract
from trimtab.records.labels import Label

from .label_inbox import Inbox, InboxFullError, Receipt, ToldLabels
from .refusals import FIELDS_SHOWN, BadRequestError
from .reply import Reply

logger = logging.getLogger(__name__)

WAIT_SECONDS = 2.0
"""So long an answer waits to hear what became of the labels; they are safe before."""
MOST_AT_ONCE = 64
"""Requests that are read, written or waited for; who comes then is sent away."""
_LOOK_SECONDS = 0.01
_FORM = 'write {"labels": [{"prediction_id" or "key": ..., "value": ...}]}'
_BUSY = BadRequestError("Too many requests with labels at once; send more labels in each.")


@dataclass(frozen=True, slots=True)
class _Kept:
    """Labels that are on the disk."""

    name: str
    """Of the file."""
    called: Sequence[str]
    """The names that the caller used."""


class LabelIntake:
    """Takes labels of one contract."""

    def __init__(
        self,
        folder: Path,
        contract: Contract,
        redaction: Redaction,
        now: Callable[[], datetime],
        max_rows: int,
    ) -> None:
        self.taken = 0
        """Labels that this process has kept."""
        self._inbox = Inbox(folder)
        self._contract = contract
        self._redaction = redaction
        self._now = now
        self._max_rows = max_rows
        self._under_way = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="labels")

    async def take(self, body: bytes, by: str, *, is_hurried: bool) -> Reply:
        """Answer a request; whoever is hurried is not told what became of the labels."""
        if self._under_way >= MOST_AT_ONCE:
            return Reply(503, _BUSY.body())
        self._under_way += 1
        request_id = os.urandom(16).hex()
        try:
            kept = await asyncio.get_running_loop().run_in_executor(
                self._thread, self._keep, request_id, body, by
            )
            self.taken += len(kept.called)
            receipt = None if is_hurried else await self._hear(kept.name)
        except BadRequestError as error:
            return Reply(400, error.body(), request_id)
        except (InboxFullError, OSError) as error:
            logger.error("labels were not kept: %s", error)
            return Reply(503, BadRequestError(_unkept(error)).body(), request_id)
        finally:
            self._under_way -= 1
        return _reply(request_id, kept, receipt)

    def close(self) -> None:
        """Finish what is being written."""
        self._thread.shutdown()

    def _keep(self, request_id: str, body: bytes, by: str) -> _Kept:
        now = self._now()
        labels = read_labels(body, self._contract, now, self._max_rows)
        kept = tuple(replace(label, key=self._redaction.key(label.key)) for label in labels)
        name = self._inbox.put(request_id, ToldLabels(labels=kept, by=by, at=now))
        return _Kept(name, [label.key for label in labels])

    async def _hear(self, name: str) -> Receipt | None:
        """Wait for the worker's answer, if there is a worker."""
        if not self._inbox.is_attended():
            return None
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + WAIT_SECONDS, _LOOK_SECONDS
        while loop.time() < deadline:
            await asyncio.sleep(pause)
            if receipt := self._inbox.fetch(name):
                return receipt
            pause = min(2 * pause, 5 * _LOOK_SECONDS)
        return None


def read_labels(body: bytes, contract: Contract, now: datetime, most: int) -> Sequence[Label]:
    """Read a request's labels, all of them or none. Raises BadRequestError with each reason."""
    rules = LabelRules(task=contract.task, now=now, contract=contract)
    labels: list[Label] = []
    wrong: list[tuple[str, str]] = []
    for number, given in enumerate(_listed(body, most)):
        try:
            labels.append(rules.read(given))
        except LabelError as error:
            wrong.append((f"labels.{number}.{error.field}", error.why))
    if not wrong:
        return labels
    shown = f", the first {FIELDS_SHOWN} shown" if len(wrong) > FIELDS_SHOWN else ""
    raise BadRequestError(
        f"No label was taken: {len(wrong)} of {len(labels) + len(wrong)} cannot be{shown}. "
        f"{wrong[0][0]} {wrong[0][1]}.",
        wrong[:FIELDS_SHOWN],
    )


def _listed(body: bytes, most: int) -> Sequence[Mapping[str, Any]]:
    """Read the body as far as the list. Raises BadRequestError."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(f"The body is no JSON: {error.msg}.") from None
    if not isinstance(given, dict) or set(given) != {"labels"}:
        raise BadRequestError(f"The body should have one field, labels: {_FORM}.")
    labels = given["labels"]
    if not isinstance(labels, list) or not all(isinstance(label, dict) for label in labels):
        why = f"should be a list of objects: {_FORM}"
        raise BadRequestError(f"labels {why}.", [("labels", why)])
    if not 1 <= len(labels) <= most:
        why = f"should have 1 to {most} items"
        raise BadRequestError(f"labels {why}.", [("labels", why)])
    return labels


def _reply(request_id: str, kept: _Kept, receipt: Receipt | None) -> Reply:
    """Say what became of the labels: 200 once they count, 202 while they are only safe."""
    answer: dict[str, Any] = {"request_id": request_id, "accepted": len(kept.called)}
    if receipt is None:
        answer["applied"] = False
        return Reply(202, orjson.dumps(answer), request_id)
    delivered = receipt.delivered
    unknown = dict.fromkeys(kept.called[position] for position in receipt.unknown)
    answer |= {
        "applied": True,
        "added": delivered.added,
        "unchanged": delivered.unchanged,
        "corrected": delivered.corrected,
        "outdated": delivered.outdated,
        "unknown": len(unknown),
        "unknown_names": list(unknown),
    }
    return Reply(200, orjson.dumps(answer), request_id)


def _unkept(error: Exception) -> str:
    why = str(error) if isinstance(error, InboxFullError) else "the disk did not take them."
    return f"The labels were not kept: {why}"
