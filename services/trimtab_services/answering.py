"""The body of an answer, written in one go."""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain, starmap
from typing import Any

import msgspec

from trimtab.records.contracts import Contract, Task


class _Number(msgspec.Struct, gc=False):
    prediction_id: str
    prediction: Any


class _Choice(msgspec.Struct, gc=False):
    prediction_id: str
    prediction: Any
    probabilities: Any


class _Oddness(msgspec.Struct, gc=False):
    prediction_id: str
    prediction: float
    is_anomaly: bool


class _Nearness(msgspec.Struct, gc=False):
    prediction_id: str
    prediction: int
    distance: float


class _Place(msgspec.Struct, gc=False):
    prediction_id: str
    prediction: Any
    reconstruction_error: float


class _Body(msgspec.Struct, gc=False):
    model: str
    version: str
    request_id: str
    predictions: list[Any]


class AnswerWriter:
    """Writes the answers of one contract."""

    def __init__(self, contract: Contract) -> None:
        self._model = contract.model
        self._threshold = contract.threshold
        self._is_near = contract.task is Task.CLUSTERING
        self._is_place = contract.task is Task.EMBEDDING
        self._named = _namer([str(name) for name in contract.classes])
        self._encode = msgspec.json.Encoder().encode

    def write(
        self,
        version: str,
        request_id: str,
        predictions: Sequence[Any],
        shares: Sequence[Sequence[float]] | None,
    ) -> bytes:
        """Write the body; `shares` are rows by classes, in the order of the contract.

        Of the distances from the centres of clusters, each row's smallest is written. Of an
        embedding, shares are the places and predictions the reconstruction errors.
        """
        ids = map(f"{request_id}-".__add__, _rows(len(predictions)))
        listed: list[Any]
        if self._threshold is not None:
            odd = [score > self._threshold for score in predictions]
            listed = list(map(_Oddness, ids, predictions, odd))
        elif shares is None:
            listed = list(map(_Number, ids, predictions))
        elif self._is_near:
            listed = list(map(_Nearness, ids, predictions, map(min, shares)))
        elif self._is_place:
            listed = list(map(_Place, ids, shares, predictions))
        else:
            listed = list(map(_Choice, ids, predictions, starmap(self._named, shares)))
        return self._encode(_Body(self._model, version, request_id, listed))


@lru_cache(64)
def _rows(count: int) -> Sequence[str]:
    """Spell the numbers of rows; there are few sizes of requests, and most come again."""
    return tuple(map(str, range(count)))


def require_whole(
    predictions: Sequence[Any], shares: Sequence[Sequence[float]] | None, rows: int
) -> None:
    """Raise ValueError when rows are missing, or a number that JSON cannot hold is among them."""
    if len(predictions) != rows or (shares is not None and len(shares) != rows):
        raise ValueError(f"the model gave {len(predictions)} answers for {rows} rows")
    numbers = predictions if shares is None else list(chain.from_iterable(shares))
    # A sum of finite numbers may overflow; that it is finite tells all, and faster than numpy.
    if not math.isfinite(sum(numbers)) and not all(map(math.isfinite, numbers)):
        raise ValueError("the model gave a number that is not finite")


def _namer(names: Sequence[str]) -> Callable[..., Any]:
    """Give what names the probabilities of a row by their classes."""
    try:
        fields = {f"p{i}": name for i, name in enumerate(names)}
        return msgspec.defstruct("Probabilities", list(fields), rename=fields, gc=False)
    except ValueError:  # a name with a quotation mark, say
        return lambda *shares: dict(zip(names, shares, strict=True))
