"""The dataset snapshot: exactly which rows a run used."""

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import Dataset, DatasetInput, InputTag

from trimtab.settings.project import ModelSettings

from .check import Checked
from .sources import origin
from .split import Split

_ENOUGH = 1_000
"""Rows from which MLflow guesses the types it shows; from all, it takes ten seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What identifies the rows of a run."""

    source: str
    """A path or URL, without a password."""
    rows: int
    digest: str
    """Of inputs, labels and their order; other rows give another one."""
    first: str
    last: str
    """Times of the oldest and the newest row; empty without a time column."""

    @property
    def tags(self) -> Mapping[str, str]:
        """Name the facts as tags."""
        return {
            "trimtab.rows": str(self.rows),
            "trimtab.digest": self.digest,
            "trimtab.source": self.source,
            "trimtab.first_row": self.first,
            "trimtab.last_row": self.last,
        }


def take_snapshot(checked: Checked, split: Split, model: ModelSettings, folder: Path) -> Snapshot:
    """Identify the rows that a version is made from."""
    first, last = "", ""
    if model.time is not None:
        times = split.seen[model.time]
        first, last = times.iloc[0].isoformat(), times.iloc[-1].isoformat()
    return Snapshot(
        source=origin(model, folder),
        rows=len(checked.inputs),
        digest=_digest(checked),
        first=first,
        last=last,
    )


def dataset_input(snapshot: Snapshot, split: Split, name: str, target: str | None) -> DatasetInput:
    """Describe the snapshot as an MLflow dataset."""
    first = split.seen.head(_ENOUGH)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hints about integers, which the contract has settled
        described = from_pandas(
            first, source=snapshot.source, targets=target, name=name, digest=snapshot.digest
        ).to_dict()
    described["profile"] = json.dumps(
        {"num_rows": snapshot.rows, "num_elements": snapshot.rows * len(first.columns)}
    )
    return DatasetInput(Dataset(**described), [InputTag("mlflow.data.context", "training")])


def _digest(checked: Checked) -> str:
    content = hashlib.sha256(repr(list(checked.inputs.columns)).encode())
    for values in (*(checked.inputs[name] for name in checked.inputs), checked.labels):
        hashes = pd.util.hash_pandas_object(values, index=False).to_numpy(dtype=np.uint64)
        content.update(hashes.tobytes())
    return content.hexdigest()[:32]  # MLflow keeps 36 characters
