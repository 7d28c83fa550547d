"""Why a training refuses its data: what is wrong, in which column, and what to do."""

import difflib
from collections.abc import Iterable

from trimtab.errors import ExitCode, TrimtabError


class DataRefusedError(TrimtabError):
    """Data from which no honest model can be made; nothing was logged or registered."""

    exit_code = ExitCode.REFUSED


class SourceError(DataRefusedError):
    """A source gives no rows: it is not there, cannot be read, or is empty."""

    def __init__(self, source: str, why: str) -> None:
        super().__init__(f"source = {source!r}: {why}")
        self.source = source


class ColumnError(DataRefusedError):
    """A column cannot be used as it is."""

    def __init__(self, column: str, why: str) -> None:
        super().__init__(f"Column {column!r} {why}")
        self.column = column


class MissingColumnError(DataRefusedError):
    """`trimtab.toml` names a column that the source does not have."""

    def __init__(self, setting: str, column: str, present: Iterable[object]) -> None:
        nearest = difflib.get_close_matches(column, [str(name) for name in present], n=1)
        hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
        super().__init__(f"{setting} = {column!r}: the source has no such column.{hint}")
        self.setting = setting
        self.column = column


class NoCandidateError(DataRefusedError):
    """No candidate is worth registering."""


class TrackingError(TrimtabError):
    """MLflow did not answer, or not as it should, in spite of retries."""
