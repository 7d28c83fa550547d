"""Keys and ids of rows that went into the log: labels that were early have found their rows."""

from typing import TYPE_CHECKING

from trimtab.ports import LabelSearch

if TYPE_CHECKING:
    import pyarrow as pa

_MOST = 500_000
"""Names that are remembered while the database is away; then all is searched for again."""


class ShippedNames:
    """Remembers names until the database has noted them."""

    def __init__(self) -> None:
        self.since = 0.0
        """All that was captured before is in the log and noted; of the monotonic clock."""
        self._names: set[str] = set()
        self._are_too_many = False

    def add(self, rows: "pa.Table") -> None:
        """Remember rows of the log."""
        for column in ("key", "prediction_id"):
            self._names.update(name for name in rows[column].to_pylist() if name is not None)
        if len(self._names) > _MOST:
            self._names.clear()
            self._are_too_many = True

    def note(self, search: LabelSearch, model: str) -> None:
        """Tell the database, within a transaction."""
        if self._are_too_many:
            search.search_again(model)
        search.found(model, self._names)

    def noted(self, since: float) -> None:
        """Forget what the database has, once the transaction is committed."""
        self._names.clear()
        self._are_too_many = False
        self.since = since
