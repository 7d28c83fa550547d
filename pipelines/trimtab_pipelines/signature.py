"""The contract as an MLflow signature, so that MLflow's tools know the same schema."""

import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, TensorSpec
from mlflow.types import Schema as MlflowSchema

from trimtab.records.contracts import Contract


def signature_of(contract: Contract) -> ModelSignature:
    """Name every input with its type; the output is the learner's own array."""
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(type=column.type.value, name=column.name, required=column.required)
        for column in contract.schema.columns
    ]
    shape = (-1, len(contract.classes)) if contract.task.is_classification else (-1,)
    return ModelSignature(
        inputs=MlflowSchema(inputs),
        outputs=MlflowSchema([TensorSpec(np.dtype("float64"), shape)]),
    )
