"""Tasks without labels: what a fit settles of the contract, and what a first version must beat."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from trimtab.adapters.predictor import Predictor
from trimtab.records.contracts import Contract, Task
from trimtab.settings.learning import TrainSettings

from .errors import NoCandidateError
from .measured import Measured, measure

_TAILS = (0.01, 0.99)
"""Between these quantiles numbers without structure lie: one giant must not stretch them."""


def settled(contract: Contract, output: np.ndarray, train: TrainSettings) -> Contract:
    """Fill in what only a fit can tell: clusters, dimensions, from which score on a row is odd.

    Raises NoCandidateError where no row would be one.
    """
    match contract.task:
        case Task.CLUSTERING:
            return replace(contract, classes=tuple(range(output.shape[1])))
        case Task.EMBEDDING:
            return replace(contract, classes=tuple(range(output.shape[1] - 1)))
        case Task.ANOMALY:
            threshold = float(np.quantile(output, 1 - train.contamination))
            rate = float((output > threshold).mean())
            if rate == 0:
                raise NoCandidateError(
                    "No row is odder than the others: the oddest all score alike. Raise "
                    f"train.contamination ({train.contamination:g})."
                )
            return replace(contract, threshold=threshold, expected_rate=rate)
    return contract


@dataclass(frozen=True, slots=True, kw_only=True)
class NoStructure:
    """Knows nothing: meets rows with no clusters in them, finds no anomaly, holds only the mean."""

    predictor: Predictor
    sample: pd.DataFrame
    """Rows that the version was trained on."""
    seed: int = 0

    def measured(self, metric: str, rows: pd.DataFrame, labels: "pd.Series[Any]") -> Measured:
        """Answer the rows and measure that."""
        contract, truth = self.predictor.contract, labels.to_numpy()
        if contract.task is Task.ANOMALY:
            return measure(metric, contract, None, np.full(len(rows), -np.inf), truth)
        if contract.task is Task.EMBEDDING:
            return measure(metric, contract, None, np.ones(len(rows)), truth)
        answers = self.predictor.predict(self._even(len(rows)))
        return measure(metric, contract, answers.probabilities, answers.predictions, truth)

    def losses(self, metric: str, rows: pd.DataFrame, labels: "pd.Series[Any]") -> np.ndarray:
        """Give each row's loss."""
        return self.measured(metric, rows, labels).losses

    def _even(self, rows: int) -> pd.DataFrame:
        """Make rows whose columns are spread evenly and know nothing of each other.

        As a reference without clusters: Tibshirani, Walther and Hastie, "Estimating the number of
        clusters in a data set via the gap statistic" (2001).
        """
        random = np.random.default_rng(self.seed)
        return pd.DataFrame(
            {
                column.name: _spread(self.sample[column.name], rows, random)
                for column in self.predictor.contract.schema.columns
            }
        )


def _spread(values: "pd.Series[Any]", rows: int, random: np.random.Generator) -> Any:
    known = values.dropna()
    if values.dtype.kind == "f" and len(known):
        low, high = known.quantile(list(_TAILS))
        return pd.Series(random.uniform(low, high, rows)).astype(values.dtype)
    distinct = pd.Series(values.unique()).astype(values.dtype)
    return distinct.iloc[random.integers(0, len(distinct), rows)].reset_index(drop=True)
