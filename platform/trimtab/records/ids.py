"""Ids of requests and predictions: how they look, and when they were given."""

import re
from datetime import UTC, datetime, timedelta

CHANCE_BYTES = 10
"""Random bytes of a request's id; 74 of their 80 bits stay."""
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PREDICTION_ID = re.compile(r"[0-9a-f]{32}-\d+")
_UUID7 = re.compile(r"[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}(-\d+)?")


def request_id(nanoseconds: int, chance: bytes) -> bytes:
    """Make the id of a request that came so long after 1970: a UUID, version 7 (RFC 9562, 5.7).

    Ids rise with time, so that whoever looks for one among many files knows where to look first.

    >>> request_id(1_700_000_000_123_000_000, bytes(10)).hex()
    '018bcfe5687b70008000000000000000'
    """
    millisecond = nanoseconds // 1_000_000
    bits = int.from_bytes(chance)
    first, last = bits >> 68, bits & (1 << 62) - 1
    return (millisecond << 80 | 7 << 76 | first << 64 | 2 << 62 | last).to_bytes(16)


def is_prediction_id(text: str) -> bool:
    """Tell whether a text is how endpoints name predictions: a request's id, a dash, a number."""
    return _PREDICTION_ID.fullmatch(text) is not None


def asked_at(id: str) -> datetime | None:
    """Tell when a request or a prediction got its id; None where the id does not say.

    >>> asked_at("018bcfe5687b70008000000000000000-3")
    datetime.datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=datetime.timezone.utc)
    """
    if _UUID7.fullmatch(id) is None:
        return None
    try:
        return _EPOCH + int(id[:12], 16) * 1000 * _MICROSECOND
    except OverflowError:  # beyond the year 9999: it only looks like one
        return None
