"""The contract as an MLflow signature, so that MLflow's tools know the same schema."""

from pathlib import Path

import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, TensorSpec
from mlflow.types import Schema as MlflowSchema

from trimtab.errors import UnsupportedSchemaError
from trimtab.records.contracts import Contract
from trimtab.records.schema import Schema


def signature_of(contract: Contract) -> ModelSignature:
    """Name every input with its type; the output is the learner's own array."""
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(type=column.type.value, name=column.name, required=column.required)
        for column in contract.schema.columns
    ]
    shape = (-1, len(contract.classes)) if contract.classes else (-1,)
    return ModelSignature(
        inputs=MlflowSchema(inputs),
        outputs=MlflowSchema([TensorSpec(np.dtype("float64"), shape)]),
    )


def require_signature(folder: Path, contract: Contract) -> None:
    """Make sure that what MLflow promises of a version's folder is what its endpoint will keep.

    Raises UnsupportedSchemaError for a signature that is missing, cannot be served, has
    parameters, or is not the contract's.
    """
    try:
        signature = Model.load(folder).signature
    except (MlflowException, OSError, ValueError) as error:
        raise UnsupportedSchemaError(f"MLflow's description cannot be read: {error}") from None
    if signature is None or signature.inputs is None:
        raise UnsupportedSchemaError("The model has no signature: nobody knows what it takes.")
    if signature.params is not None and signature.params.params:
        names = ", ".join(param.name for param in signature.params.params)
        raise UnsupportedSchemaError(
            f"The signature has parameters ({names}), and requests carry rows alone. "
            "Make them columns, or settings of the training."
        )
    schema = Schema.from_mlflow(signature.inputs.to_json())
    if schema != contract.schema:
        differing = {column.name for column in set(schema.columns) ^ set(contract.schema.columns)}
        what = ", ".join(sorted(differing)) or "the order"
        raise UnsupportedSchemaError(f"MLflow's signature is not the contract: {what} differs.")
