"""How long an address that did not take an alert is left alone."""

from datetime import timedelta

_FIRST = timedelta(seconds=1)
_LONGEST = timedelta(minutes=15)
_DOUBLINGS = 10  # more would only overflow: the longest pause is reached before


def pause(failures: int, chance: float) -> timedelta:
    """Give the pause after so many failures in a row (at least 1); it doubles, up to 15 minutes.

    `chance`, uniform from 0 to 1, spreads it from half to the whole, so that senders that failed
    together do not come back together.

    >>> pause(1, 1.0), pause(3, 0.0), pause(99, 1.0)
    (datetime.timedelta(seconds=1), datetime.timedelta(seconds=2), datetime.timedelta(seconds=900))
    """
    full = min(_LONGEST, _FIRST * float(2 ** min(failures - 1, _DOUBLINGS)))
    return full * (0.5 + chance / 2)
