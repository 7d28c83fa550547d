"""Who asks, and who answers while a canary runs: the same key gets the same version."""

import hashlib
from collections.abc import Sequence

_WHOLE = 2**64


def goes_to_challenger(trial: str, share: float, keys: Sequence[str | None], request: str) -> bool:
    """Tell whether the challenger answers a request.

    A request goes by its first key, so that whoever comes back with a key meets the same version
    for as long as the trial lasts; without any key it goes by its own id, that is, by chance.
    `trial` salts the hash: whom one trial picks says nothing about the next.

    >>> goes_to_challenger("t", 0.5, ["order-7"], "a") == goes_to_challenger(
    ...     "t", 0.5, ["order-7"], "b"
    ... )
    True
    """
    return _number(caller(keys, request), trial) < share * _WHOLE


def caller(keys: Sequence[str | None], request: str) -> str:
    """Tell who asks, as far as is known: whoever has the first key, else nobody else ever.

    >>> caller([None, "order-7"], "a")
    'key order-7'
    """
    key = next((key for key in keys if key), None)
    return f"key {key}" if key is not None else f"request {request}"


def group_of(caller: str, groups: int) -> int:
    """Put a caller into one of so many groups, always the same and by no trial's share."""
    return _number(caller, "groups of callers") % groups


def _number(caller: str, salt: str) -> int:
    text = caller.encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(text, digest_size=8, key=salt.encode()[:64])
    return int.from_bytes(digest.digest())
