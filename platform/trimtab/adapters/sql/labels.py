"""Labels by key."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from trimtab.records.labels import Label

from .rows import as_record, as_values
from .tables import LabelRow

_CHUNK = 500  # rows in one statement; SQLite allows 32,766 parameters, older builds fewer
_Item = TypeVar("_Item")


class SqlLabels:
    """Ground truth by key."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(self, model: str, labels: Sequence[Label]) -> int:
        """Write labels, replacing those of the same key; count them."""
        newest = {label.key: label for label in labels}  # one statement may not set a row twice
        for chunk in _chunks(list(newest.values())):
            self._session.execute(self._upsert([{"model": model, **as_values(x)} for x in chunk]))
        return len(newest)

    def get(self, model: str, keys: Sequence[str]) -> Mapping[str, Label]:
        """Find the labels that are known for these keys."""
        found: dict[str, Label] = {}
        for chunk in _chunks(keys):
            query = select(LabelRow).where(LabelRow.model == model, LabelRow.key.in_(chunk))
            for row in self._session.scalars(query):
                found[row.key] = as_record(Label, row)
        return found

    def count(self, model: str) -> int:
        """Count the labels of a model."""
        query = select(func.count()).select_from(LabelRow).where(LabelRow.model == model)
        return self._session.scalar(query) or 0

    def erase(self, model: str, keys: Collection[str]) -> int:
        """Remove the labels of these keys; count them."""
        known = list(self.get(model, list(keys)))
        for chunk in _chunks(known):
            self._session.execute(
                delete(LabelRow).where(LabelRow.model == model, LabelRow.key.in_(chunk))
            )
        return len(known)

    def _upsert(self, rows: Sequence[Mapping[str, Any]]) -> Any:
        postgres = self._session.get_bind().dialect.name == "postgresql"
        insert = (postgresql.insert if postgres else sqlite.insert)(LabelRow).values(rows)
        return insert.on_conflict_do_update(
            index_elements=["model", "key"],
            set_={"value": insert.excluded.value, "known_at": insert.excluded.known_at},
        )


def _chunks(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
