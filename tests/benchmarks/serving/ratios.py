"""What we claim, and whether it is so: our figures against each peer's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .results import Condition, Figure, Spread

JUDGED_CONNECTIONS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """At most this share of a peer's CPU per request."""

    rows: int
    peer: str
    most: float
    words: str


TARGETS = (
    Target(rows=1, peer="mlflow", most=1 / 25, words="1/25"),
    Target(rows=1, peer="bentoml-array", most=1 / 5, words="1/5"),
    Target(rows=1, peer="fastapi", most=1.0, words="1.0"),
    Target(rows=1, peer="floor", most=2.0, words="2.0"),
    Target(rows=100, peer="mlflow", most=1 / 18, words="1/18"),
    Target(rows=100, peer="bentoml-array", most=1 / 4, words="1/4"),
)
"""They hold for the thirty floats."""
SLOWEST_TO_MIDDLE = 3.0
"""The 99th percentile of the latency may be so many times the 50th."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """One figure of ours divided by one of a peer's, each pair from the same round."""

    shape: str
    ours: str
    peer: str
    condition: Condition
    spread: Spread
    target: Target | None

    @property
    def is_met(self) -> bool | None:
        """Tell whether the target is met; None where there is none."""
        return None if self.target is None else self.spread.middle <= self.target.most


def pairs(
    figures: Sequence[Figure], value: Callable[[Figure], float], ours: str, peer: str
) -> Sequence[tuple[str, Condition, Spread]]:
    """Divide ours by a peer's, round by round, for every shape and condition that both have."""
    found = []
    for shape, condition in dict.fromkeys((f.shape, f.condition) for f in figures):
        here = [f for f in figures if (f.shape, f.condition) == (shape, condition)]
        mine = [value(f) for f in here if f.contender == ours]
        theirs = [value(f) for f in here if f.contender == peer]
        if mine and theirs:
            shares = [a / b for a, b in zip(mine, theirs, strict=True)]
            found.append((shape, condition, Spread.of(shares)))
    return found


def cpu_ratios(figures: Sequence[Figure], ours: Sequence[str], peers: Sequence[str]) -> list[Ratio]:
    """Compare CPU per request, with the targets where they are judged."""
    return [
        Ratio(
            shape=shape,
            ours=own,
            peer=peer,
            condition=condition,
            spread=spread,
            target=_target(shape, peer, condition),
        )
        for own in ours
        for peer in peers
        for shape, condition, spread in pairs(figures, lambda f: f.cpu_us, own, peer)
    ]


def _target(shape: str, peer: str, condition: Condition) -> Target | None:
    if shape != "floats" or condition.connections != JUDGED_CONNECTIONS:
        return None
    return next((t for t in TARGETS if (t.rows, t.peer) == (condition.rows, peer)), None)
