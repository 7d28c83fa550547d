"""Every type that MLflow can express is served, or refused with the reason."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, TensorSpec
from mlflow.types import Schema as MlflowSchema
from mlflow.types.schema import AnyType, Array, Map, Object, Property, SparkMLVector

from trimtab.adapters.manifest import write_manifest
from trimtab.errors import UnsupportedSchemaError
from trimtab.records.contracts import Contract, Task
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab_pipelines.contenders import load_contender
from trimtab_pipelines.signature import require_signature, signature_of

CONTRACT = Contract(
    model="m",
    task=Task.REGRESSION,
    target="y",
    schema=Schema(
        columns=tuple(
            Column(name=f"{type_} {required}", type=type_, required=required)
            for type_ in ColumnType
            for required in (True, False)
        )
    ),
)


ANY: Any = AnyType
"""Two of MLflow's types have constructors without annotations."""
VECTOR: Any = SparkMLVector


def described(folder: Path, *inputs: Any, **more: Any) -> Path:
    """Give a folder that MLflow describes by this signature."""
    signature = ModelSignature(inputs=MlflowSchema(list(inputs)), **more)
    Model(signature=signature).save(folder / "MLmodel")
    return folder


def test_every_type_of_ours_comes_back_nullable_or_not(tmp_path: Path) -> None:
    Model(signature=signature_of(CONTRACT)).save(tmp_path / "MLmodel")

    require_signature(tmp_path, CONTRACT)


def test_mlflow_has_no_type_that_is_neither_served_nor_refused() -> None:
    assert {type_.name for type_ in DataType} == {*ColumnType, "binary"}


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (ColSpec("binary", "b"), "'b' has type 'binary': JSON holds no bytes"),
        (ColSpec(Array(DataType.double), "a"), "'a' has type 'array': lists have no fixed"),
        (ColSpec(Object([Property("p", DataType.string)]), "o"), "'o' has type 'object'"),
        (ColSpec(Map(DataType.string), "m"), "'m' has type 'map': its keys are not known"),
        (ColSpec(ANY(), "x"), "'x' has type 'any': .* Give it one type"),
        (ColSpec(VECTOR(), "v"), "'v' has type 'sparkml_vector'"),
        (TensorSpec(np.dtype("float32"), (-1, 3)), "An unnamed column has type 'tensor'"),
        (TensorSpec(np.dtype("float32"), (-1, 3), "t"), "'t' has type 'tensor': .* no named"),
        (ColSpec("double"), "a double column without a name"),
    ],
)
def test_what_cannot_be_served_is_refused_with_the_reason(
    tmp_path: Path, spec: Any, why: str
) -> None:
    with pytest.raises(UnsupportedSchemaError, match=why):
        require_signature(described(tmp_path, spec), CONTRACT)


def test_a_name_that_occurs_twice_is_refused() -> None:
    text = '[{"name": "x", "type": "double"}, {"name": "x", "type": "long"}]'

    with pytest.raises(UnsupportedSchemaError, match="column 'x' 2 times"):
        Schema.from_mlflow(text)


def test_parameters_are_refused_by_name(tmp_path: Path) -> None:
    params = ParamSchema([ParamSpec("temperature", DataType.double, 1.0)])
    folder = described(tmp_path, ColSpec("double", "x"), params=params)

    with pytest.raises(UnsupportedSchemaError, match=r"has parameters \(temperature\)"):
        require_signature(folder, CONTRACT)


def test_a_model_without_a_signature_is_refused(tmp_path: Path) -> None:
    Model().save(tmp_path / "MLmodel")

    with pytest.raises(UnsupportedSchemaError, match="has no signature"):
        require_signature(tmp_path, CONTRACT)


def test_a_folder_that_mlflow_does_not_describe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedSchemaError, match="cannot be read"):
        require_signature(tmp_path, CONTRACT)


def test_a_signature_that_promises_otherwise_than_the_contract_is_refused(tmp_path: Path) -> None:
    first, *others = CONTRACT.schema.columns
    other = Schema(columns=(replace(first, required=False), *others))
    Model(signature=signature_of(replace(CONTRACT, schema=other))).save(tmp_path / "MLmodel")

    with pytest.raises(UnsupportedSchemaError, match=f"is not the contract: {first.name} differs"):
        require_signature(tmp_path, CONTRACT)


def test_the_gate_does_not_let_such_a_version_in(loop: Any) -> None:
    version = loop.shop.add(2.0)
    folder = loop.shop.root / version.version
    described(folder, ColSpec(Array(DataType.double), "x"))
    (folder / "manifest.json").unlink()
    changed = replace(version, manifest_sha256=write_manifest(folder))
    loop.registry.add(changed, folder)

    with pytest.raises(UnsupportedSchemaError, match="'x' has type 'array'"):
        load_contender(loop.registry, loop.bench.settings.home, changed)
