"""Fit the small trees of a loss regression, and take them out of XGBoost as plain numbers."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xgboost as xgb

from trimtab.policy.loss_trees import Matrix
from trimtab.records.estimates import Feature, LossTrees, Tree

_TREES = 40
_DEPTH = 2
"""Deeper or more trees estimated no better on the data they were tried on (decision 20)."""
_RATE = 0.1
_SHARE = 0.7  # of the rows, drawn anew for each tree
_LEAF = 50.0  # rows that a leaf rests on at least


def fit_trees(
    features: Sequence[Feature], values: Matrix, losses: np.ndarray, seed: int
) -> LossTrees:
    """Learn the expected loss of a row from its values (rows by features, the prediction last)."""
    base = float(np.mean(losses))
    booster = xgb.train(
        {
            "objective": "reg:squarederror",
            "base_score": 0.0,  # exact where a mean would be rounded
            "max_depth": _DEPTH,
            "eta": _RATE,
            "subsample": _SHARE,
            "min_child_weight": _LEAF,
            "nthread": 1,
            "seed": seed,
        },
        xgb.DMatrix(values, label=losses - base),
        num_boost_round=_TREES,
    )
    return LossTrees(
        features=tuple(features),
        base=base,
        trees=tuple(_tree(json.loads(text)) for text in booster.get_dump(dump_format="json")),
        low=float(np.min(losses)),
        high=float(np.max(losses)),
    )


def _tree(root: dict[str, Any]) -> Tree:
    nodes = sorted(_walk(root), key=lambda node: int(node["nodeid"]))
    at = {int(node["nodeid"]): i for i, node in enumerate(nodes)}
    return Tree(
        feature=tuple(int(n["split"][1:]) if "split" in n else -1 for n in nodes),
        threshold=tuple(float(n.get("split_condition", 0.0)) for n in nodes),
        below=tuple(at[n["yes"]] if "yes" in n else 0 for n in nodes),
        above=tuple(at[n["no"]] if "no" in n else 0 for n in nodes),
        missing=tuple(at[n["missing"]] if "missing" in n else 0 for n in nodes),
        value=tuple(float(n.get("leaf", 0.0)) for n in nodes),
    )


def _walk(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(found for child in node.get("children", ()) for found in _walk(child))]
