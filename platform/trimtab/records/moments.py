"""Moments as text: how callers, files and labels write them."""

from datetime import UTC, datetime

_FIRST, _LAST = datetime(1678, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC)


def read_moment(value: object) -> datetime:
    """Read a time; one without a zone is taken to be UTC, as the training rows are.

    Raises ValueError.
    """
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise ValueError("should be a time as ISO 8601 text, such as 2013-04-01T12:00:00Z")
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    if not _FIRST <= moment < _LAST:  # beyond, nanoseconds do not fit into 64 bits
        raise ValueError("should be a time between the years 1678 and 2262")
    return moment.astimezone(UTC)
