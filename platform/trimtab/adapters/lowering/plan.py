"""The plan: read the values, prepare each block of columns, ask the learner."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from trimtab.records.schema import Schema

from .blocks import Block, blocks_of
from .limits import CannotLowerError
from .linear import Linear
from .reading import Reading

Learn = Callable[[Sequence[np.ndarray]], np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """A pipeline without its detours; gives what `predict_proba` or `predict` gives."""

    read: Reading
    blocks: tuple[tuple[slice, Block], ...]
    """Which columns of the matrix each block takes."""
    learn: Learn

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Answer rows that fit the schema. Raises OddRowsError for what the pipeline must judge."""
        matrix = self.read(rows)
        with np.errstate(all="ignore"):  # what overflows is no number, and found out in the end
            prepared = [block(matrix[:, columns]) for columns, block in self.blocks]
            return np.asarray(self.learn(prepared), dtype=float)


def lower(pipeline: Any, schema: Schema) -> Lowered:
    """Make the plan of a fitted pipeline. Raises CannotLowerError, which says what is unknown."""
    if type(pipeline) is not Pipeline or len(pipeline) != 2:
        raise CannotLowerError("it is not one preparation and one learner")
    prepare, learner = pipeline[0], pipeline[1]
    blocks = blocks_of(prepare, schema)
    unread = set(schema.names) - {column.name for block in blocks for column in block.columns}
    if unread:
        raise CannotLowerError(f"it leaves out {', '.join(sorted(unread))}")
    is_trees = hasattr(learner, "get_booster") or hasattr(learner, "estimators_")
    is_sparse = bool(prepare.sparse_output_)
    learn = _trees(learner, blocks) if is_trees else Linear(learner, blocks, is_sparse=is_sparse)
    columns = [
        (column.name, read)
        for block in blocks
        for column, read in zip(block.columns, block.reads, strict=True)
    ]
    # As doubles, large integers would be rounded twice on their way to the trees' floats.
    whole = is_trees and all(block.is_whole for block in blocks)
    return Lowered(read=Reading(columns, whole=whole), blocks=tuple(_placed(blocks)), learn=learn)


def _trees(learner: Any, blocks: Sequence[Block]) -> Learn:
    if any(block.is_position for block in blocks):
        raise CannotLowerError("trees are given one-hot features")
    width = sum(block.width for block in blocks)
    if hasattr(learner, "estimators_"):
        from .forests import Forest

        return Forest(learner, width)
    from .trees import Trees  # a second of imports that a linear model does not need

    return Trees(learner, width)


def _placed(blocks: Sequence[Block]) -> list[tuple[slice, Block]]:
    placed, start = [], 0
    for block in blocks:
        end = start + len(block.columns)
        placed.append((slice(start, end), block))
        start = end
    return placed
