"""Many numbers in few bytes, and back to the last bit.

What people measure has few digits after the point. Such a column is kept as whole numbers of four
bytes and the count of its digits, and only where dividing again gives the very same doubles; what
is written is half of what the doubles take. The idea is that of Afroozeh, Kuffo and Boncz 2023,
"ALP: Adaptive Lossless floating-Point Compression", Proceedings of the ACM on Management of Data 1.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Whole = NDArray[np.int32]
_MOST_DIGITS = 9
_PLAIN = -1
_MINUS_ZERO = np.iinfo("i4").min
_PATIENCE = 4
"""A column that did not fit for so many requests is not tried any more."""


class Table(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A matrix of doubles."""

    rows: int
    digits: Sequence[int]
    """Of each column: digits after the point; -1 where its doubles are kept as they are."""
    whole: bytes
    """Rows by columns with digits: little-endian, 4 bytes, signs in the lowest bit, since leading
    0xff would have to be escaped. The least number there is stands for -0.0."""
    plain: bytes
    """Rows by the other columns: little-endian doubles."""


class _Split(NamedTuple):
    """Which columns are kept how."""

    digits: Sequence[int]
    scales: Doubles
    whole: Sequence[int]
    plain: Sequence[int]

    @classmethod
    def by(cls, digits: Sequence[int]) -> "_Split":
        whole = [i for i, count in enumerate(digits) if count != _PLAIN]
        plain = [i for i, count in enumerate(digits) if count == _PLAIN]
        return cls(digits, np.array([10.0 ** digits[i] for i in whole]), whole, plain)


class TableWriter:
    """Writes matrices of the same columns, and remembers how many digits these have."""

    def __init__(self, columns: int) -> None:
        self._usual = _Split.by([0] * columns)
        self._misfits = [0] * columns

    def write(self, matrix: Doubles) -> Table:
        """Write a matrix of finite numbers, rows by columns."""
        split = self._usual  # several threads may write
        whole = _whole(matrix[:, split.whole] if split.plain else matrix, split.scales)
        if whole is None:
            split = self._learn(matrix)
            whole = _whole(matrix[:, split.whole], split.scales)
            assert whole is not None, "each of these columns fits"
        plain = matrix[:, split.plain].tobytes() if split.plain else b""
        return Table(len(matrix), split.digits, ((whole << 1) ^ (whole >> 31)).tobytes(), plain)

    def _learn(self, matrix: Doubles) -> _Split:
        """Find the digits of this matrix; what is usual takes more digits, and never fewer."""
        usual, here = list(self._usual.digits), list(self._usual.digits)
        for i in self._usual.whole:
            here[i] = _digits_of(matrix[:, i : i + 1], usual[i])
            self._misfits[i] += here[i] == _PLAIN
            if here[i] != _PLAIN or self._misfits[i] >= _PATIENCE:
                usual[i] = here[i]
        self._usual = _Split.by(usual)
        return _Split.by(here)


def read_table(table: Table) -> list[tuple[float, ...]]:
    """Give the rows of a matrix. Raises ValueError when it is none."""
    if table.rows < 0 or not table.digits or not set(table.digits) <= _DIGITS:
        raise ValueError("no table of numbers has this form")
    split = _Split.by(table.digits)
    folded = np.frombuffer(table.whole, "<u4").reshape(table.rows, len(split.whole))
    plain = np.frombuffer(table.plain, "<f8").reshape(table.rows, len(split.plain))
    matrix = np.empty((table.rows, len(table.digits)))
    matrix[:, split.plain] = plain
    matrix[:, split.whole] = _doubles(
        (folded >> 1).astype("i4") ^ -(folded & 1).astype("i4"), split.scales
    )
    return list(map(tuple, matrix.tolist()))


_DIGITS = {_PLAIN, *range(_MOST_DIGITS + 1)}


def _whole(matrix: Doubles, scales: Doubles) -> Whole | None:
    """Give whole numbers that lead back to the bits of every double; None where there are none."""
    with np.errstate(over="ignore", invalid="ignore"):  # what is too large does not come back
        whole: Whole = np.rint(matrix * scales).astype("<i4")
    bits = matrix.tobytes()
    if (whole / scales).tobytes() == bits and not (whole == _MINUS_ZERO).any():
        return whole
    whole[(matrix == 0) & np.signbit(matrix)] = _MINUS_ZERO
    return whole if _doubles(whole, scales).tobytes() == bits else None


def _doubles(whole: Whole, scales: Doubles) -> Doubles:
    return np.where(whole == _MINUS_ZERO, -0.0, whole / scales)


def _digits_of(column: Doubles, least: int) -> int:
    for digits in range(least, _MOST_DIGITS + 1):
        if _whole(column, np.array([10.0**digits])) is not None:
            return digits
    return _PLAIN
