"""Preparation inside the model: from a contract's columns to numbers, the same in every place."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

from trimtab.records.schema import ColumnType, Schema

_NO_MOMENT = float(np.iinfo("int64").min)
"""What a missing moment becomes when moments become numbers."""
_RAREST = 10
"""Categories in fewer rows than this are not told apart."""
_MOST_CATEGORIES = 200


def for_linear(
    schema: Schema, inputs: pd.DataFrame, *, marks_gaps: bool = True
) -> ColumnTransformer:
    """Scale numbers, fill gaps and mark them, give each category a column of its own.

    Categories that are rare among the `inputs`, or come up later, are none of them.
    """
    numbers, flags, moments, texts = _groups(schema)
    fill = SimpleImputer(strategy="median", add_indicator=marks_gaps, keep_empty_features=True)
    one_hot = OneHotEncoder(
        categories=[_categories(inputs[name]) for name in texts], handle_unknown="ignore"
    )
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(fill, StandardScaler()), numbers + flags),
            ("moments", make_pipeline(_moments(), StandardScaler()), moments),
            ("texts", one_hot, texts),
        ]
    )


def for_trees(schema: Schema, inputs: pd.DataFrame) -> tuple[ColumnTransformer, list[str]]:
    """Leave numbers as they are and number the categories; rare and new ones count as missing.

    Also tells which columns come out as categories (`c`) and which as quantities (`q`).
    """
    numbers, flags, moments, texts = _groups(schema)
    coded = OrdinalEncoder(
        categories=[_categories(inputs[name]) for name in texts],
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
    )
    prepared = ColumnTransformer(
        [
            ("numbers", "passthrough", numbers),
            ("flags", MinMaxScaler(), flags),  # True and False become 1 and 0, gaps stay gaps
            ("moments", make_pipeline(_moments(), MinMaxScaler()), moments),
            ("texts", coded, texts),
        ],
        sparse_threshold=0.0,  # XGBoost takes what a sparse matrix leaves out for missing
    )
    quantities = len(numbers) + len(flags) + len(moments)
    return prepared, ["q"] * quantities + ["c"] * len(texts)


def _categories(values: "pd.Series[Any]") -> np.ndarray:
    """List the categories that are frequent enough to be told apart, the missing one last.

    scikit-learn's encoders would find the same, in thirty times the time.
    """
    counts = values.value_counts(dropna=False)
    frequent = counts[counts >= min(_RAREST, counts.iloc[0])].head(_MOST_CATEGORIES).index
    known = sorted(name for name in frequent if not pd.isna(name))
    missing = [np.nan] if len(known) < len(frequent) else []
    return np.array([*known, *missing], dtype=object)


def _moments() -> SimpleImputer:
    """Turn moments into numbers; scikit-learn knows no missing moment, only its number."""
    return SimpleImputer(missing_values=_NO_MOMENT, strategy="median", keep_empty_features=True)


def _groups(schema: Schema) -> tuple[list[str], list[str], list[str], list[str]]:
    """Part the columns into numbers, flags, moments and texts."""
    by_type: dict[ColumnType, list[str]] = {type_: [] for type_ in ColumnType}
    for column in schema.columns:
        by_type[column.type].append(column.name)
    apart = (ColumnType.BOOLEAN, ColumnType.DATETIME, ColumnType.STRING)
    numbers = [c.name for c in schema.columns if c.type not in apart]
    flags, moments, texts = (by_type[type_] for type_ in apart)
    return numbers, flags, moments, texts
