"""Several looks at the same rows: each asks for more, so that all together err no more often."""

import hashlib
from collections.abc import Sequence

import numpy as np

from trimtab.records.looks import Asked, Look

from .resampling import Floats

_FIRST = 6 / np.pi**2
"""What the first look spends; the n-th spends it over n squared, and all of them spend 1."""


def asked_of(confidence: float, places: Floats, earlier: Sequence[Look]) -> Asked:
    """Work out the confidence that a look at the rows of these places must have.

    `places` are seconds since 1970 or row numbers, as in `Look.start`. Each row brings the same
    share of the error that is allowed, 1 - `confidence`. Its first look spends 6/pi^2 of that, its
    n-th 6/(pi n)^2; a look's error is the mean over its rows. So all looks that there will ever be
    at a row spend no more than it brought, and new rows bring new: alpha spending (Lan and DeMets
    1983, "Discrete sequential boundaries for clinical trials", Biometrika 70; over many hypotheses
    Foster and Stine 2008, "Alpha-investing", Journal of the Royal Statistical Society B 70),
    counted by rows. By the union bound it holds however the looks depend on each other: over so
    many new rows as one look takes, challengers that are no better are expected to pass at most
    1 - `confidence` times.

    >>> round(asked_of(0.95, np.arange(100.0), []).confidence, 4)
    0.9696
    """
    looked = np.ones(len(places))
    for look in earlier:
        looked += (places >= look.start) & (places <= look.end)
    if not len(places):
        return Asked(confidence=confidence)
    spent = float((_FIRST / looked**2).mean())
    return Asked(
        confidence=1 - (1 - confidence) * spent,
        look=int(looked.max()),
        share=float((looked > 1).mean()),
    )


def before(looks: Sequence[Look], digest: str) -> Sequence[Look]:
    """Give the looks that came before a comparison; looks are in their order.

    The same comparison again (the same losses on the same rows) is the look it was.
    """
    again = next((look.number for look in looks if look.digest == digest), None)
    return [look for look in looks if again is None or look.number < again]


def digest_of(metric: str, champion: Floats, challenger: Floats) -> str:
    """Sign a comparison by the losses of both versions."""
    sides = (np.ascontiguousarray(side, dtype="<f8").tobytes() for side in (champion, challenger))
    return hashlib.sha256(metric.encode() + b"".join(sides)).hexdigest()


def words(asked: Asked) -> str:
    """Say why more is asked than of a first look; empty where it is one."""
    if asked.look == 1:
        return ""
    return (
        f"This is look {asked.look} at {asked.share:.0%} of these rows; the confidence asked is "
        f"{asked.confidence:.2%}."
    )
