"""Who answers a request while a canary runs: the same key gets the same version."""

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
    key = next((key for key in keys if key), None)
    what = f"key {key}" if key is not None else f"request {request}"
    digest = hashlib.blake2b(
        what.encode("utf-8", "surrogatepass"), digest_size=8, key=trial.encode()[:64]
    )
    return int.from_bytes(digest.digest()) < share * _WHOLE
