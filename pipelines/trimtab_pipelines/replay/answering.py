"""What a version answers to rows of the past, as the inference log would hold it."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trimtab.adapters.frames import coerce
from trimtab.adapters.predictor import Answers, Predictor
from trimtab.policy.losses import losses
from trimtab.records.contracts import Contract
from trimtab.records.labels import Label
from trimtab.records.logged import LoggedRows

from .history import NEVER, History
from .workshop import Version

Rows = NDArray[np.intp]
"""Numbers of rows of the past."""
_UNASKED = -np.inf


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answered:
    """Rows that a version answered, and how."""

    rows: Rows
    inputs: pd.DataFrame
    answers: Answers
    refused: int
    """Rows that the endpoint would have turned away: nulls where training had none."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answering:
    """Asks versions about the past; what each row lost is worked out once a version."""

    history: History
    _losses: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """Of all rows, by version; minus infinity where it was not asked yet, NaN without a label."""

    def ask(self, version: Version, rows: Rows) -> Answered:
        """Have rows answered. Raises FrameError where a column holds what is not of its type."""
        contract = version.contender.predictor.contract
        inputs = coerce(self.history.rows.iloc[rows], contract.schema)
        required = [column.name for column in contract.schema.columns if column.required]
        taken = inputs[required].notna().all(axis=1).to_numpy(dtype=bool)
        return Answered(
            rows=rows[taken],
            inputs=inputs[taken],
            answers=_answers(version.contender.predictor, inputs[taken]),
            refused=int((~taken).sum()),
        )

    def losses(self, version: Version, rows: Rows) -> NDArray[np.float64]:
        """Give each row's loss by the label that came in the end; NaN where there is none."""
        name = version.record.version
        known = self._losses.setdefault(name, np.full(len(self.history.rows), _UNASKED))
        fresh = rows[known[rows] == _UNASKED]
        if len(fresh):
            known[fresh] = np.nan
            asked = self.ask(version, fresh)
            known[asked.rows] = self._of(version, asked)
        return known[rows]

    def logged(self, asked: Answered, contract: Contract) -> LoggedRows:
        """Put answered rows as the inference log gives them back; a row's number is its key."""
        names = [str(row) for row in asked.rows]
        table = asked.answers.probabilities
        said = asked.answers.predictions
        rows = pd.DataFrame(
            {
                "prediction_id": names,
                "key": names,
                "time": self.history.rows[self.history.time].to_numpy()[asked.rows],
                "prediction": said if contract.task.answers_numbers else [str(s) for s in said],
                "probabilities": [None] * len(names) if table is None else list(table),
            },
            index=asked.inputs.index,
        )
        rows["time"] = pd.to_datetime(rows["time"], utc=True)
        return LoggedRows(rows=rows, inputs=asked.inputs, refused=asked.refused, failed=0)

    def labels(self, rows: Rows, contract: Contract, now: int) -> dict[str, Label]:
        """Give the labels of rows that had come by a moment, in nanoseconds since 1970."""
        known_at = self.history.known_at
        came = rows[known_at[rows] <= min(now, NEVER - 1)]
        values = self.history.rows[contract.target].to_numpy(dtype=object)[came]
        return {
            str(row): Label(
                key=str(row),
                value=_spelled(contract, value),
                known_at=pd.Timestamp(int(known_at[row]), tz="UTC").to_pydatetime(),
            )
            for row, value in zip(came.tolist(), values, strict=True)
        }

    def _of(self, version: Version, asked: Answered) -> NDArray[np.float64]:
        contract = version.contender.predictor.contract
        truth = self.history.rows[contract.target].to_numpy(dtype=object)[asked.rows]
        found = losses(
            self.history.settings.metric,
            contract,
            asked.answers.probabilities,
            asked.answers.predictions,
            truth,
        )
        has_label = self.history.known_at[asked.rows] < NEVER
        return np.where(has_label & np.isfinite(found), found, np.nan)


def _answers(predictor: Predictor, inputs: pd.DataFrame) -> Answers:
    if not len(inputs):
        classes = len(predictor.contract.classes)
        is_number = predictor.contract.task.answers_numbers
        return Answers(predictions=[], probabilities=None if is_number else np.empty((0, classes)))
    return predictor.predict(inputs)


def _spelled(contract: Contract, value: object) -> str:
    index = contract.class_of(value) if contract.task.is_classification else None
    return str(value if index is None else contract.classes[index])
