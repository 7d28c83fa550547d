"""XGBoost through its C API: the learner's own arithmetic, without the Python around it."""

import ctypes
import math
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
from xgboost import XGBClassifier, XGBRegressor
from xgboost.libpath import find_lib_path

from .limits import CannotLowerError, OddRowsError

_PLAIN_OBJECTIVES = ("binary:logistic", "multi:softprob")


class Trees:
    """A booster that is asked with a matrix of features.

    The interpreter's lock is held during a call (`PyDLL`): a call takes some ten microseconds, and
    getting the lock back from a thread that loads another version may take milliseconds. Several
    threads may ask; they wait for each other.
    """

    def __init__(self, learner: Any, width: int) -> None:
        _require_known(learner)
        booster = learner.get_booster()
        if booster.num_features() != width:
            raise CannotLowerError(f"the booster takes {booster.num_features()} features")
        self._booster = booster  # holds the memory behind the handle
        self._handle = booster.handle.value
        self._classes = int(getattr(learner, "n_classes_", 0))
        self._settings = _settings(getattr(learner, "best_iteration", -1) + 1)
        self._library = ctypes.PyDLL(find_lib_path()[0])
        self._ask = self._library.XGBoosterPredictFromDense
        texts, pointers = [ctypes.c_char_p] * 2, [ctypes.c_void_p] * 4
        self._ask.argtypes = (ctypes.c_void_p, *texts, *pointers)
        self._proxy = _proxy(self, self._library)

    def __call__(self, blocks: Sequence[np.ndarray]) -> np.ndarray:
        """Give probabilities, rows by classes, or numbers, one a row."""
        features = blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)
        found = self._values(features)
        if not self._classes:
            return found.astype(float)
        output = np.empty((len(features), self._classes))
        if self._classes > 2:
            output[:] = found.reshape(output.shape)
            return output
        output[:, 0] = 1.0 - found  # in single precision, as XGBoost's own Python does
        output[:, 1] = found
        return output

    def _values(self, features: np.ndarray) -> np.ndarray:
        about = features.__array_interface__
        array = b'{"data":[%d,true],"shape":[%d,%d],"typestr":"%b","version":3}' % (
            about["data"][0],
            *features.shape,
            about["typestr"].encode(),
        )
        shape, dimensions = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
        found = ctypes.POINTER(ctypes.c_float)()
        failed = self._ask(
            self._handle,
            array,
            self._settings,
            self._proxy,
            ctypes.byref(shape),
            ctypes.byref(dimensions),
            ctypes.byref(found),
        )
        count = len(features) * (self._classes if self._classes > 2 else 1)
        if failed or math.prod(shape[: dimensions.value]) != count:
            raise OddRowsError
        # XGBoost keeps the memory for its next answer, so this copies.
        return np.frombuffer(ctypes.string_at(found, 4 * count), np.float32)


def _require_known(learner: Any) -> None:
    kind = type(learner)
    if kind not in (XGBClassifier, XGBRegressor):
        raise CannotLowerError(f"{kind.__name__} is not known")
    if kind is XGBClassifier and learner.objective not in _PLAIN_OBJECTIVES:
        raise CannotLowerError(f"objective {learner.objective} is not known")
    if learner.booster not in (None, "gbtree") or not np.isnan(learner.missing):
        raise CannotLowerError("the booster is no plain one of trees")


def _settings(rounds: int) -> bytes:
    """Word the settings of a prediction; 0 rounds are all."""
    return (
        b'{"type":0,"training":false,"iteration_begin":0,"iteration_end":%d,'
        b'"missing":NaN,"strict_shape":false}' % rounds
    )


def _proxy(owner: object, library: Any) -> int | None:
    """Make the object by which XGBoost sees an array; a new one a call would take longer."""
    handle = ctypes.c_void_p()
    if library.XGProxyDMatrixCreate(ctypes.byref(handle)):
        raise CannotLowerError("XGBoost gives no proxy of a matrix")
    weakref.finalize(owner, library.XGDMatrixFree, handle)
    return handle.value
