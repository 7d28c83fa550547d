"""What is asked, and whether the answers are right."""

import http.client
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from .contenders import Contender
from .shapes import plain
from .starting import Served
from .subject import EXPECTED, Subject

TOLERANCE = 1e-6
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
        """Ask about some lots and compare. Raises WrongAnswerError."""
        rows = len(self.lots[0])
        for lot, expected in list(zip(self.lots, self.expected, strict=True))[:5]:
            status, answer = _ask(served.port, contender, contender.form.body(self.names, lot))
            if status != 200:
                raise WrongAnswerError(contender, rows, f"{status} {answer[:300]!r}")
            try:
                found = np.asarray(contender.form.probabilities(answer), dtype=float)
            except (ValueError, KeyError, TypeError, IndexError) as error:
                why = f"{error!r} in {answer[:300]!r}"
                raise WrongAnswerError(contender, rows, why) from None
            if found.shape != (rows,):
                raise WrongAnswerError(contender, rows, f"with {found.size} numbers")
            worst = float(np.max(np.abs(found - expected)))
            if not worst <= TOLERANCE:
                raise WrongAnswerError(contender, rows, f"by {worst:.1e}")


def _ask(port: int, contender: Contender, body: bytes) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", contender.path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
