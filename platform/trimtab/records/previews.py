"""A preview: a cheap fit that predicts what a training would gain."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The champion's recipe, fitted twice on few rows: with and without what has come since.

    Both fits are judged on the newest rows, which neither they nor the champion has seen.
    """

    metric: str
    before: float
    """Mean loss of what was fitted on rows that the champion knew."""
    after: float
    """Mean loss of what was fitted on the newer rows as well."""
    low: float
    high: float
    """The gain lies above `low`, and below `high`, with 95% confidence each."""
    judged_on: int
    fitted_before: int
    fitted_after: int
    """Rows."""

    @property
    def gain(self) -> float:
        """By how much the newer rows make the loss smaller."""
        return self.before - self.after

    @property
    def predicts_gain(self) -> bool:
        """Tell whether a training is expected to give anything; NaN predicts nothing."""
        return self.gain > 0

    def __str__(self) -> str:
        return (
            f"{self.metric} {self.before:.4f} with what the champion knew, {self.after:.4f} with "
            f"what has come since: a gain of {self.gain:.4f} ({self.low:.4f} to {self.high:.4f}) "
            f"on {self.judged_on:,} rows, fitted on {self.fitted_before:,} and "
            f"{self.fitted_after:,}"
        )
