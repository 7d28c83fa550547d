"""Reading the files that users hand to verbs: CSV or Parquet."""

from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.errors import SettingsError

if TYPE_CHECKING:
    import pandas as pd


def read_table(file: Path) -> "pd.DataFrame":
    """Read a file. Raises SettingsError."""
    import pandas as pd

    try:
        if file.suffix == ".parquet":
            return pd.read_parquet(file)
        return pd.read_csv(file)
    except (ValueError, OSError) as error:
        raise SettingsError(f"{file} cannot be read: {error}") from None


def require_columns(frame: "pd.DataFrame", file: Path, *columns: str | None) -> None:
    """Raise SettingsError unless a file has the columns that were named."""
    for column in filter(None, columns):
        if column not in frame.columns:
            known = ", ".join(map(str, frame.columns))
            raise SettingsError(f"{file} has no column {column!r} (it has: {known})")
