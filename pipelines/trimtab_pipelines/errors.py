"""Why a training refuses its data: what is wrong, in which column, and what to do."""

import difflib
from collections.abc import Iterable

from trimtab.errors import ExitCode, TrimtabError
from trimtab.records.urls import without_userinfo


class DataRefusedError(TrimtabError):
    """Data from which no honest model can be made; nothing was logged or registered."""

    exit_code = ExitCode.REFUSED


class SourceError(DataRefusedError):
    """A source gives no rows: it is not there, cannot be read, or is empty."""

    def __init__(self, source: str, why: str) -> None:
        super().__init__(without_userinfo(f"source = {source!r}: {why}"))
        self.source = without_userinfo(source)


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


class NoTrialRowsError(DataRefusedError):
    """There is no row on which two versions could be compared."""

    def __init__(self, versions: Iterable[str]) -> None:
        super().__init__(
            "There is nothing to compare on: no row with a label is newer than what "
            f"{' and '.join(f'version {version}' for version in versions)} learned from. "
            'Wait for new rows, or override the gate: trimtab promote --force --why "..."'
        )


class NoCandidateError(DataRefusedError):
    """No candidate is worth registering."""


class TrackingError(TrimtabError):
    """MLflow did not answer, or not as it should, in spite of retries."""
