"""Decision trees of a file that is not trusted: every index is in bounds before one is asked.

scikit-learn follows a tree's indices in C without looking, so a forged file could make it read
anything. skops therefore leaves it to us whether to load trees.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

_LEAF = -1


class UnsoundTreeError(ValueError):
    """A tree that would lead out of itself, or out of the rows that it is asked about."""


def require_sound_trees(model: Any) -> None:
    """Look at every tree within a model, wherever it is. Raises UnsoundTreeError."""
    for holder in _holders(model):
        tree = getattr(holder, "tree_", None)
        if tree is None:
            raise UnsoundTreeError("a tree stands outside of an estimator, which checks its rows")
        _require_sound(tree, int(holder.n_features_in_))


def _require_sound(tree: Any, width: int) -> None:
    nodes = tree.__getstate__()["nodes"]
    left, right = nodes["left_child"].astype(np.int64), nodes["right_child"].astype(np.int64)
    here, feature = np.arange(len(nodes)), nodes["feature"]
    is_leaf = left == _LEAF
    # Children come after their parent, in scikit-learn's own trees too; so no path is endless.
    leads = (here < left) & (left < len(nodes)) & (here < right) & (right < len(nodes))
    asks = (feature >= 0) & (feature < width)
    if not len(nodes) or len(nodes) != tree.node_count or not (is_leaf | (leads & asks)).all():
        raise UnsoundTreeError("a tree has indices that are out of bounds")


def _holders(model: Any) -> Iterator[Any]:
    """Find everything that holds a tree, by walking all attributes and containers once."""
    waiting, seen = [model], set[int]()
    while waiting:
        here = waiting.pop()
        if id(here) in seen:
            continue
        seen.add(id(here))
        parts = _parts(here)
        if any(_is_tree(part) for part in parts):
            yield here
        waiting += parts


def _parts(here: Any) -> list[Any]:
    parts = list(getattr(here, "__dict__", {}).values())
    if isinstance(here, Mapping):
        parts += [*here.keys(), *here.values()]
    elif isinstance(here, list | tuple | set | frozenset):
        parts += here
    elif isinstance(here, np.ndarray) and here.dtype == object:
        parts += here.ravel().tolist()
    return parts


def _is_tree(part: Any) -> bool:
    return (type(part).__module__, type(part).__name__) == ("sklearn.tree._tree", "Tree")
