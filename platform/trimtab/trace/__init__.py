"""Traces from Python: one thread from a prediction back to the data, and from there forth again.

`trace("0199...-0")` tells all that is known of one prediction; `predictions("orders", version="7")`
and `count` tell which predictions came of a version, a dataset snapshot or a key.
"""

from .errors import UnknownPredictionError, UnknownSnapshotError
from .following import follow, trace
from .listing import Wanted, count, predictions, streamed, wanted_of

__all__ = [
    "UnknownPredictionError",
    "UnknownSnapshotError",
    "Wanted",
    "count",
    "follow",
    "predictions",
    "streamed",
    "trace",
    "wanted_of",
]
