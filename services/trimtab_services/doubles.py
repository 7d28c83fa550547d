"""Rows of floats as one matrix, without touching each of them from Python.

MessagePack writes a float as a mark and its eight bytes, whatever its value. So rows that hold
nothing but floats are as long as can be told beforehand, and their bytes are a matrix already.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

_PACK = msgspec.msgpack.Encoder().encode
_FLOAT = 9
"""Bytes of a float, its mark included."""


def matrix(rows: Sequence[tuple[float | None, ...]], width: int) -> NDArray[np.float64] | None:
    """Give a new matrix, rows by `width`; None when a value is missing, or nothing is there.

    Each value has to be a float or None.

    >>> matrix([(1.5, -0.0), (2.0, 3.0)], 2).tolist()
    [[1.5, -0.0], [2.0, 3.0]]
    >>> matrix([(1.5, None)], 2) is None
    True
    """
    packed, each = _PACK(rows), _head(width)
    before, stride = _head(len(rows)), each + _FLOAT * width
    if not rows or not width or len(packed) != before + stride * len(rows):
        return None
    first, strides = before + each + 1, (stride, _FLOAT)
    return np.ndarray((len(rows), width), ">f8", packed, first, strides).astype("f8")


def _head(items: int) -> int:
    """Count the bytes that tell how long an array is."""
    if items < 1 << 4:
        return 1
    return 3 if items < 1 << 16 else 5
