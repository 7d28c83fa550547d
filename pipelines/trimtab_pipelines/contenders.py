"""Contenders: versions that are loaded, proven to be themselves, and ready to be compared."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from trimtab.adapters.golden import GoldenReport, replay_golden
from trimtab.adapters.predictor import Predictor
from trimtab.errors import ManifestError
from trimtab.policy.losses import class_indices, numbers
from trimtab.ports import ModelRegistry
from trimtab.records.contracts import Contract
from trimtab.records.reference import LABEL
from trimtab.records.versions import ModelVersion
from trimtab.settings import Home

from .measured import Measured, measure
from .signature import require_signature
from .trained import as_trained
from .unlabelled import NoStructure


class NotItselfError(ManifestError):
    """A version does not give the answers that its trainer got."""

    def __init__(self, version: ModelVersion, report: GoldenReport) -> None:
        super().__init__(
            f"Version {version.version} of {version.model!r} does not behave as its trainer saw "
            f"it: {report.message}."
        )
        self.report = report


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A loaded version."""

    version: ModelVersion
    predictor: Predictor
    baseline: "Baseline | NoStructure"
    """What knows only the labels that the version was trained on; or nothing, without labels."""
    size: int = 0
    """Bytes of the version's files."""
    golden: GoldenReport | None = None
    """How it did on its golden rows when it was loaded."""

    def measured(self, metric: str, rows: pd.DataFrame, labels: "pd.Series[Any]") -> Measured:
        """Answer the rows and measure that."""
        answers = self.predictor.predict(rows)
        contract = self.predictor.contract
        truth = labels.to_numpy(dtype=object)
        return measure(metric, contract, answers.probabilities, answers.predictions, truth)

    def losses(self, metric: str, rows: pd.DataFrame, labels: "pd.Series[Any]") -> np.ndarray:
        """Give each row's loss."""
        return self.measured(metric, rows, labels).losses


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """Gives every row the same answer: how often each class occurred, or the usual number."""

    contract: Contract
    shares: np.ndarray
    """Of each class; empty for regression."""
    mean: float
    median: float

    @classmethod
    def of(cls, contract: Contract, labels: "pd.Series[Any]") -> "Baseline":
        """Learn it from labels."""
        truth = labels.dropna().to_numpy(dtype=object)
        if contract.task.is_classification:
            known = class_indices(contract, truth)
            counts = np.bincount(
                known[~np.isnan(known)].astype(int), minlength=len(contract.classes)
            )
            shares = (counts + 1) / (counts.sum() + len(counts))  # no class is impossible
            return cls(contract=contract, shares=shares, mean=0.0, median=0.0)
        values = numbers(truth)
        return cls(
            contract=contract,
            shares=np.empty(0),
            mean=float(np.nanmean(values)),
            median=float(np.nanmedian(values)),
        )

    def measured(self, metric: str, rows: pd.DataFrame, labels: "pd.Series[Any]") -> Measured:
        """Answer the rows and measure that."""
        truth = labels.to_numpy(dtype=object)
        answer = self.median if metric == "absolute_error" else self.mean
        chances = np.tile(self.shares, (len(rows), 1)) if len(self.shares) else None
        return measure(metric, self.contract, chances, np.full(len(rows), answer), truth)

    def losses(self, metric: str, rows: pd.DataFrame, labels: "pd.Series[Any]") -> np.ndarray:
        """Give each row's loss."""
        return self.measured(metric, rows, labels).losses


def load_contender(
    registry: ModelRegistry, home: Home, version: ModelVersion, judged_sha256: str | None = None
) -> Contender:
    """Fetch a version, verify its bytes, load it and replay its golden rows.

    `judged_sha256` is the hash in our own records, where there is one: what the registry says of
    itself is not proof. Raises UnknownVersionError, ManifestError and UnsupportedSchemaError.
    """
    if judged_sha256 not in (None, version.manifest_sha256):
        raise ManifestError(
            f"Version {version.version} of {version.model!r} is not the one that was promoted: "
            "its manifest's SHA-256 differs."
        )
    folder = registry.download(
        version.model, version.version, home.version(version.model, version.version)
    )
    version = as_trained(version, folder)
    predictor = Predictor.load(folder)
    require_signature(folder, predictor.contract)
    report = replay_golden(folder, predictor)
    if not report.matches:
        raise NotItselfError(version, report)
    needed = [LABEL] if predictor.contract.task.has_labels else predictor.contract.schema.names
    sample = pd.read_parquet(folder / "reference.parquet", columns=needed)
    return Contender(
        version=version,
        predictor=predictor,
        baseline=baseline_of(predictor, sample),
        size=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        golden=report,
    )


def baseline_of(predictor: Predictor, sample: pd.DataFrame) -> Baseline | NoStructure:
    """Make what a first version must beat, of rows that it was trained on."""
    if predictor.contract.task.has_labels:
        return Baseline.of(predictor.contract, sample[LABEL])
    return NoStructure(predictor=predictor, sample=sample)
