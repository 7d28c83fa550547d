"""The columns that a fitted ColumnTransformer prepares together, and how."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder

from trimtab.records.schema import Column, ColumnType, Schema

from .limits import CannotLowerError
from .steps import Step, steps_of
from .values import Codes, Read, reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What one transformer makes of its columns."""

    columns: tuple[Column, ...]
    reads: tuple[Read | None, ...]
    """How each column's values become numbers; None where they are numbers."""
    steps: tuple[Step, ...] = ()
    """What is then done to the matrix of these numbers."""
    width: int
    """How many features come out."""
    is_position: bool = False
    """Each number is the position of the one feature that is 1, or `width` where none is."""

    @property
    def is_whole(self) -> bool:
        """Tell whether its numbers go to the learner as integers."""
        types = {column.type for column in self.columns}
        return not self.steps and types <= {ColumnType.INTEGER, ColumnType.LONG}

    def __call__(self, numbers: np.ndarray) -> np.ndarray:
        """Prepare numbers, rows by columns of this block; they may be changed in place."""
        for step in self.steps:
            numbers = step(numbers)
        return numbers


def blocks_of(prepare: Any, schema: Schema) -> tuple[Block, ...]:
    """Take a fitted ColumnTransformer apart. Raises CannotLowerError."""
    if type(prepare) is not ColumnTransformer:
        raise CannotLowerError(f"the columns are prepared by {type(prepare).__name__}")
    if prepare.transformer_weights:
        raise CannotLowerError("groups of columns are weighted")
    known = {column.name: column for column in schema.columns}
    blocks = []
    for _, transformer, names in prepare.transformers_:
        if (isinstance(transformer, str) and transformer == "drop") or not len(names):
            continue
        if not isinstance(names, list) or not all(name in known for name in names):
            raise CannotLowerError("columns are not chosen by their names")
        blocks.append(_block(transformer, [known[name] for name in names]))
    if not blocks:
        raise CannotLowerError("it prepares no columns")
    return tuple(blocks)


def _block(transformer: Any, columns: list[Column]) -> Block:
    parts = [part for _, part in transformer.steps] if _is_chain(transformer) else [transformer]
    match [type(part) for part in parts]:
        case [kind] if kind is OrdinalEncoder:
            return _numbered(parts[0], columns)
        case [kind] if kind is OneHotEncoder:
            return _one_hot(parts[0], columns)
    return _numeric(parts, columns)


def _is_chain(transformer: Any) -> bool:
    return type(transformer) is Pipeline


def _numeric(parts: Sequence[Any], columns: list[Column]) -> Block:
    types = {column.type for column in columns}
    if ColumnType.DATETIME in types and len(types) > 1:
        raise CannotLowerError("moments and other columns are prepared together")
    if isinstance(parts[0], FunctionTransformer) and types & _NOT_PASSED:
        raise CannotLowerError("columns that are no numbers reach the learner as they are")
    steps = steps_of(parts, columns)
    indicators = [getattr(part, "indicator_", None) for part in parts]
    marks = [indicator.features_ for indicator in indicators if indicator is not None]
    return Block(
        columns=tuple(columns),
        reads=tuple(reader(column) for column in columns),
        steps=steps,
        width=len(columns) + sum(map(len, marks)),
    )


_NOT_PASSED = {ColumnType.BOOLEAN, ColumnType.DATETIME, ColumnType.STRING}


def _numbered(encoder: Any, columns: list[Column]) -> Block:
    """Give each category its number."""
    _require_texts(encoder, columns)
    reads = []
    for categories in encoder.categories_:
        known, has_missing = _texts(categories)
        unknown = float(encoder.unknown_value)
        reads.append(
            Codes(
                zip(known, map(float, range(len(known))), strict=True),
                missing=float(encoder.encoded_missing_value) if has_missing else unknown,
                unknown=unknown,
            ).__getitem__
        )
    return Block(columns=tuple(columns), reads=tuple(reads), width=len(columns))


def _one_hot(encoder: Any, columns: list[Column]) -> Block:
    """Give each category the position of its feature."""
    _require_texts(encoder, columns)
    if encoder.drop is not None:
        raise CannotLowerError("OneHotEncoder drops categories")
    reads, start = [], 0
    width = sum(len(categories) for categories in encoder.categories_)
    for categories in encoder.categories_:
        known, has_missing = _texts(categories)
        positions = map(float, range(start, start + len(known)))
        start += len(categories)
        missing = start - 1 if has_missing else width
        codes = Codes(zip(known, positions, strict=True), float(missing), float(width))
        reads.append(codes.__getitem__)
    return Block(columns=tuple(columns), reads=tuple(reads), width=width, is_position=True)


def _require_texts(encoder: Any, columns: list[Column]) -> None:
    """Raise CannotLowerError for what the two encoders could do besides."""
    if any(column.type is not ColumnType.STRING for column in columns):
        raise CannotLowerError("columns that are no text are encoded")
    if encoder.min_frequency is not None or encoder.max_categories is not None:
        raise CannotLowerError("the encoder gathers rare categories")
    if encoder.handle_unknown not in ("use_encoded_value", "ignore"):
        raise CannotLowerError("the encoder has no answer for a new category")


def _texts(categories: np.ndarray) -> tuple[list[str], bool]:
    """Part the known texts from the missing one, which stands last if it is there."""
    texts = [str(value) for value in categories if isinstance(value, str)]
    if len(categories) - len(texts) > 1 or list(categories[: len(texts)]) != texts:
        raise CannotLowerError("categories are not all text")
    return texts, len(texts) < len(categories)
