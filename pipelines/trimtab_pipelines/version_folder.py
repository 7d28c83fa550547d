"""The folder of a version: MLflow's model files and what Trimtab keeps beside them."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow.models import Model
from sklearn.pipeline import Pipeline

from trimtab.adapters.golden import replay_golden, write_golden
from trimtab.adapters.manifest import write_manifest
from trimtab.adapters.predictor import CONTRACT_FILE, TRUSTED, Answers, Predictor
from trimtab.records.contracts import Contract, Task
from trimtab.records.documents import to_json
from trimtab.records.reference import ANOMALY, DISTANCE, LABEL, OUTPUT, Reference

from .check import Checked
from .errors import NoCandidateError
from .fitting import predictor_of
from .signature import signature_of

_SAMPLE = 5_000
_GOLDEN = 200
_EXAMPLE = 5
_ASKED_BY_MLFLOW = {
    Task.REGRESSION: "predict",
    Task.CLUSTERING: "transform",
    Task.EMBEDDING: "transform",
    Task.ANOMALY: "score_samples",  # the odder, the lower: scikit-learn's way round
}


def write_model(
    folder: Path, pipeline: Pipeline, checked: Checked, requirements: Sequence[str], about: Model
) -> None:
    """Write MLflow's files, in a format that runs no code when it is loaded."""
    # It misses pip, which environments made by uv do not have and the requirements do not need.
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hints about examples, which the contract has settled
        mlflow.sklearn.save_model(
            pipeline,
            folder,
            mlflow_model=about,
            serialization_format="skops",
            skops_trusted_types=list(TRUSTED),
            signature=signature_of(checked.contract),
            input_example=_example(checked.inputs),
            pip_requirements=list(requirements),
            pyfunc_predict_fn=_ASKED_BY_MLFLOW.get(checked.contract.task, "predict_proba"),
        )
    (folder / CONTRACT_FILE).write_bytes(to_json(checked.contract, indent=2))


def write_evidence(
    folder: Path,
    pipeline: Pipeline,
    checked: Checked,
    reference: Reference,
    output: np.ndarray,
    beside: Mapping[str, np.ndarray],
    seed: int,
) -> str:
    """Write reference and golden rows, then the manifest; gives the manifest's SHA-256.

    Raises NoCandidateError when the written model answers otherwise than the fitted one.
    """
    (folder / "reference.json").write_bytes(to_json(reference, indent=2))
    sample = checked.inputs.assign(**{OUTPUT: output, **beside})
    if checked.contract.task.has_labels:
        sample[LABEL] = _labels(checked)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(sample))[:_SAMPLE])
    sample.iloc[chosen].to_parquet(folder / "reference.parquet", index=False)
    golden = checked.inputs.iloc[golden_rows(checked.inputs)]
    write_golden(folder, predictor_of(checked.contract, pipeline), golden)
    report = replay_golden(folder, Predictor.load(folder, "cpu"))
    if not report.matches:
        raise NoCandidateError(f"The saved model is not the one that was fitted: {report.message}.")
    return write_manifest(folder)


def watched_output(contract: Contract, answers: Answers) -> np.ndarray:
    """Give the output that the monitor watches: a probability, a name, or a number."""
    if contract.task is Task.BINARY and answers.probabilities is not None:
        return np.asarray(answers.probabilities[:, 1])
    if contract.task in (Task.MULTICLASS, Task.CLUSTERING):
        return np.array([str(value) for value in answers.predictions], dtype=object)
    return np.asarray(answers.predictions, dtype=float)


def watched_beside(contract: Contract, answers: Answers) -> dict[str, np.ndarray]:
    """Give what else the monitor watches of the answers, as columns."""
    if contract.task is Task.CLUSTERING and answers.probabilities is not None:
        return {DISTANCE: answers.probabilities.min(axis=1)}
    if contract.threshold is not None:
        return {ANOMALY: np.asarray(answers.predictions, dtype=float) > contract.threshold}
    return {}


def golden_rows(inputs: pd.DataFrame) -> np.ndarray:
    """Choose the newest rows, and the oddest: those with nulls and rare categories."""
    oddness = inputs.isna().sum(axis=1).to_numpy(dtype=float)
    for name in inputs.select_dtypes(object):
        share = inputs[name].map(inputs[name].value_counts(normalize=True))
        oddness += 1 - share.fillna(0).to_numpy(dtype=float)
    newest = np.arange(len(inputs))[-_GOLDEN * 3 // 4 :]
    oddest = np.argsort(-oddness, kind="stable")[: _GOLDEN - len(newest)]
    return np.union1d(newest, oddest)


def _example(inputs: pd.DataFrame) -> pd.DataFrame:
    whole = inputs.dropna()
    return (whole if len(whole) >= _EXAMPLE else inputs).head(_EXAMPLE)


def _labels(checked: Checked) -> "pd.Series[str] | pd.Series[float]":
    """Classes as text, so that one column type holds them all."""
    if checked.contract.task.is_classification:
        return checked.labels.astype(str)
    return pd.Series(checked.truth)
