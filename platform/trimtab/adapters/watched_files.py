"""The files of a version by which it is watched."""

from pathlib import Path

import pandas as pd
from pydantic import ValidationError

from trimtab.errors import ManifestError
from trimtab.policy.watched import WatchedVersion
from trimtab.records.contracts import Contract
from trimtab.records.documents import from_json
from trimtab.records.reference import Reference


def load_version(version: str, folder: Path) -> WatchedVersion:
    """Read the files of a version. Raises ManifestError for those of an earlier Trimtab."""
    try:
        reference = from_json(Reference, (folder / "reference.json").read_bytes())
    except ValidationError:
        raise ManifestError(
            f"The reference of version {version} is not of this Trimtab: `trimtab train` makes one."
        ) from None
    return WatchedVersion(
        version=version,
        contract=from_json(Contract, (folder / "contract.json").read_bytes()),
        reference=reference,
        sample=pd.read_parquet(folder / "reference.parquet"),
    )
