"""Evidence: what windows have shown together that is too little in each of them."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Sums of log likelihood ratios, carried from a version's window to its next one."""

    windows: int = 0
    """Windows that it is made of."""
    sums: dict[int, tuple[float, ...]] = field(default_factory=dict)
    """By the number of the check: the sum for each way in which a figure may shift."""
