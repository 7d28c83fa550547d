"""Adaptive batching: requests that arrive in one turn of the event loop share one prediction.

Nobody waits for company: who comes alone is answered alone, at once. Under load many requests lie
ready when the loop turns to the network, and these are asked about together.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trimtab.records.rows import Rows

if TYPE_CHECKING:
    from trimtab.adapters.predictor import Answers

    from .swap import Champion


@dataclass(frozen=True, slots=True)
class _Waiting:
    champion: "Champion"
    rows: Rows
    answers: "asyncio.Future[Answers]"


class Gathering:
    """Asks a version about the rows of many requests in one call, and gives each its own back."""

    def __init__(self, most_rows: int) -> None:
        """Bound the rows of one call; one request may have more."""
        self._most_rows = most_rows
        self._waiting: list[_Waiting] = []

    async def answer(self, champion: "Champion", rows: Rows) -> "Answers":
        """Answer the rows of one request. Raises what the version raises about just these rows."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._answer_all)
        one = _Waiting(champion, rows, loop.create_future())
        self._waiting.append(one)
        return await one.answers

    def _answer_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        here = [one for one in waiting if not one.answers.done()]  # the others hung up
        for group in _groups(here, self._most_rows):
            _answer(group)


def _groups(waiting: Sequence[_Waiting], most_rows: int) -> Iterator[Sequence[_Waiting]]:
    """Part requests where the version changes, and where a call would become too large."""
    group: list[_Waiting] = []
    rows = 0
    for one in waiting:
        is_full = rows + len(one.rows) > most_rows
        if group and (is_full or one.champion is not group[0].champion):
            yield group
            group, rows = [], 0
        group.append(one)
        rows += len(one.rows)
    if group:
        yield group


def _answer(group: Sequence[_Waiting]) -> None:
    if len(group) == 1:
        return _answer_alone(group[0])
    rows = Rows.joined([one.rows for one in group])
    try:
        together = group[0].champion.answer(rows)
        if len(together.predictions) != len(rows):
            raise ValueError("the model gave another number of answers than it was asked for")
    except Exception:  # one of them is the reason: the others shall not suffer for it
        for one in group:
            _answer_alone(one)
        return None
    start = 0
    for one in group:
        end = start + len(one.rows)
        one.answers.set_result(_part(together, start, end))
        start = end
    return None


def _part(answers: "Answers", start: int, end: int) -> "Answers":
    shares = answers.probabilities
    mine = None if shares is None else shares[start:end]
    return replace(answers, predictions=answers.predictions[start:end], probabilities=mine)


def _answer_alone(one: _Waiting) -> None:
    try:
        one.answers.set_result(one.champion.answer(one.rows))
    except Exception as error:
        one.answers.set_exception(error)
