"""What is asked, and whether the answers are right."""

import http.client
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from .contenders import Contender
from .shapes import plain
from .starting import Served
from .subject import EXPECTED, Subject

TOLERANCE = 1e-6
_AT_A_TIME = 16
_BODIES = 64
"""Different ones, so that no answer can be remembered; fewer when they are long."""


class WrongAnswerError(Exception):
    """A server does not say what the model says; its speed is of no interest."""

    def __init__(self, contender: Contender, rows: int, why: str) -> None:
        super().__init__(f"{contender.name} answered {rows} rows wrongly: {why}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """Rows to ask about, in lots of one size."""

    names: Sequence[str]
    lots: Sequence[Sequence[Sequence[Any]]]
    expected: Sequence[Sequence[float]]

    @classmethod
    def of(cls, subject: Subject, rows: int) -> "Questions":
        """Read the rows that were prepared."""
        frame = pd.read_parquet(subject.first.asked)
        expected = frame.pop(EXPECTED).tolist()
        cells = plain(frame)
        starts = list(islice(range(0, len(cells) - rows + 1, rows), _BODIES))
        return cls(
            names=list(frame.columns),
            lots=[cells[start : start + rows] for start in starts],
            expected=[expected[start : start + rows] for start in starts],
        )

    def bodies(self, contender: Contender) -> list[bytes]:
        """Write every lot in a contender's form."""
        return [contender.form.body(self.names, lot) for lot in self.lots]

    def check(self, contender: Contender, served: Served) -> None:
        """Ask about all lots, many at a time, and compare. Raises WrongAnswerError.

        At a time, because a server that gathers requests might mix up whose answer is whose.
        """
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            ask = partial(_ask, served.port, contender)
            answers = list(pool.map(ask, self.bodies(contender)))
        for (status, answer), expected in zip(answers, self.expected, strict=True):
            if status != 200:
                raise WrongAnswerError(contender, len(expected), f"{status} {answer[:300]!r}")
            if why := _fault(contender, answer, expected):
                raise WrongAnswerError(contender, len(expected), why)


def _fault(contender: Contender, answer: bytes, expected: Sequence[float]) -> str:
    """Say what is wrong with an answer; nothing when it is right."""
    try:
        found = np.asarray(contender.form.probabilities(answer), dtype=float)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        return f"{error!r} in {answer[:300]!r}"
    if found.shape != (len(expected),):
        return f"with {found.size} numbers"
    worst = float(np.max(np.abs(found - expected)))
    return "" if worst <= TOLERANCE else f"by {worst:.1e}"


def _ask(port: int, contender: Contender, body: bytes) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", contender.path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
