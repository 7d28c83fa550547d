"""The policies that are compared: the project's own rules, and yardsticks beside them."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from trimtab.errors import SettingsError
from trimtab.records.durations import Rate
from trimtab.records.triggers import AllOf, Cause, Condition
from trimtab.settings import RetrainSettings

NEVER, MONTHLY, EVENLY, DRIFT, OWN = "never", "monthly", "evenly", "drift", "own"
NAMES = (NEVER, MONTHLY, DRIFT, EVENLY, OWN)
"""In the order in which they are shown."""
_MONTH = timedelta(days=30)
_YARDSTICK = {
    "cooldown": timedelta(seconds=1),
    "budget": Rate.parse("1000000 per day"),
    "min_new_rows": 1,
    "preview": False,
    "give_up_after": 1_000_000,
}
"""A schedule is its own pace, and a yardstick asks nobody: only broken data holds it back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When to ask for a new version, and what may hold it back."""

    name: str
    rule: str
    settings: RetrainSettings


def policy_of(name: str, own: RetrainSettings) -> Policy:
    """Give a policy by its name, or by a condition as `retrain.on` has it.

    Raises SettingsError for what is neither, and for `evenly`, which needs a count.
    """
    match name:
        case "never":
            return _policy(name, "never asks", own, on=())
        case "monthly":
            return _yardstick(name, own, _MONTH)
        case "drift":
            return _policy(name, "drift", own, on=(AllOf.parse("drift"),))
        case "own":
            return _policy(name, " or ".join(map(str, own.on)) or "nothing asks", own, on=own.on)
    try:
        entry = AllOf.parse(name)
    except ValueError as error:
        nearest = difflib.get_close_matches(name, NAMES, n=1)
        hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
        raise SettingsError(
            f"--policy {name!r}: there are {', '.join(NAMES)}, and conditions as in retrain.on "
            f"({error}).{hint}"
        ) from None
    return _policy(name, str(entry), own, on=(entry,))


def evenly(own: RetrainSettings, span: timedelta, count: int) -> Policy:
    """Give as many trainings as another policy had, at even distances within a span of time.

    >>> evenly(RetrainSettings(), timedelta(days=9), 2).settings.on[0].conditions[0].every.days
    3
    """
    if count == 0:
        return _policy(EVENLY, "as often as drift: never", own, on=())
    every = timedelta(seconds=ceil(span.total_seconds() / (count + 1)))
    return _yardstick(EVENLY, own, every, f"as often as drift: {count} times, ")


def require_known(names: Sequence[str], own: RetrainSettings) -> None:
    """Raise SettingsError for a policy that does not exist, twice, or lacks what it needs."""
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"--policy {name!r} is there twice")
        if name != EVENLY:
            policy_of(name, own)
    if EVENLY in names and DRIFT not in names:
        raise SettingsError("--policy evenly trains as often as drift does: add --policy drift")


def _yardstick(name: str, own: RetrainSettings, every: timedelta, words: str = "") -> Policy:
    entry = AllOf(conditions=(Condition(cause=Cause.SCHEDULE, every=every),))
    days = f"every {every / timedelta(days=1):.3g} days"
    return _policy(name, f"{words}{days}", own, on=(entry,), **_YARDSTICK)


def _policy(name: str, rule: str, own: RetrainSettings, **changed: object) -> Policy:
    return Policy(name=name, rule=rule, settings=own.model_copy(update=changed))
