"""Why a drill cannot be held."""

import difflib
from collections.abc import Iterable

from trimtab.errors import SettingsError, TrimtabError
from trimtab.records.drills import Change


class DrillError(TrimtabError):
    """The temporary platform did not come as far as a drill."""


class UnfitError(SettingsError):
    """A change cannot be made to this model's traffic."""

    def __init__(self, change: Change, why: str) -> None:
        super().__init__(f"{change}: {why}")
        self.change = change
        self.why = why


class NoSuchColumnError(UnfitError):
    """A column was named that is no input of the model."""

    def __init__(self, change: Change, column: str, present: Iterable[str]) -> None:
        nearest = difflib.get_close_matches(column, list(present), n=1)
        hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
        super().__init__(change, f"the model has no input {column!r}.{hint}")
        self.column = column


class TooFewRowsError(SettingsError):
    """The source has too little history to train on some of it and to send the rest."""

    def __init__(self, windows: int, needed: int, length: str) -> None:
        super().__init__(
            f"The source covers {windows} windows of {length} that have rows enough, and a drill "
            f"needs {needed}: some to train on, the others to send. Get more history, or set a "
            "shorter monitor.window."
        )
        self.windows = windows
        self.needed = needed
