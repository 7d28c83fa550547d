"""Labels by key, and what was told of each before."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import delete, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from trimtab.policy.label_book import LabelBook
from trimtab.records.labels import Delivered, Label, PastLabel, Search, StandingLabel

from .label_tables import LabelRow, PastLabelRow
from .rows import as_record, as_values

_CHUNK = 500  # rows in one statement; SQLite allows 32,766 parameters, older builds fewer
_STANDING = [field.name for field in fields(StandingLabel)]
_Item = TypeVar("_Item")


class SqlLabels:
    """Ground truth by key or prediction id."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(
        self,
        model: str,
        labels: Sequence[Label],
        *,
        by: str = "somebody",
        at: datetime | None = None,
    ) -> Delivered:
        """Take labels in the order in which they are given; `LabelBook` says which one counts."""
        delivered = Delivered()
        for chunk in chunks(labels):
            book = LabelBook(self._standing(model, {label.key for label in chunk}))
            for label in chunk:
                book.tell(label, by, at or label.known_at)
            self._write(model, book)
            delivered += book.delivered
        return delivered

    def get(self, model: str, keys: Collection[str]) -> Mapping[str, Label]:
        """Find the labels that count for these keys and prediction ids."""
        found: dict[str, Label] = {}
        for chunk in chunks(list(keys)):
            query = select(LabelRow.key, LabelRow.value, LabelRow.known_at).where(
                LabelRow.model == model, LabelRow.key.in_(chunk)
            )
            for key, value, known_at in self._session.execute(query):
                found[key] = Label(key=key, value=value, known_at=known_at)
        return found

    def standing(self, model: str, keys: Collection[str]) -> Mapping[str, StandingLabel]:
        """Find the labels that count for these keys and prediction ids, with who told them."""
        parts = chunks(list(keys))
        return {label.key: label for part in parts for label in self._standing(model, set(part))}

    def history(self, model: str, key: str) -> Sequence[PastLabel]:
        """List what was told of a key and does not count, in the order in which it was told."""
        query = select(PastLabelRow).where(PastLabelRow.model == model, PastLabelRow.key == key)
        rows = self._session.scalars(query.order_by(PastLabelRow.told_at, PastLabelRow.seq))
        return [as_record(PastLabel, row) for row in rows]

    def count(self, model: str) -> int:
        """Count the labels of a model."""
        query = select(func.count()).select_from(LabelRow).where(LabelRow.model == model)
        return self._session.scalar(query) or 0

    def erase(self, model: str, keys: Collection[str]) -> int:
        """Remove the labels of these keys, with their history; count the keys."""
        known = list(self.get(model, keys))
        for table in (LabelRow, PastLabelRow):
            for chunk in chunks(known):
                self._session.execute(
                    delete(table).where(table.model == model, table.key.in_(chunk))
                )
        return len(known)

    def _standing(self, model: str, keys: Collection[str]) -> Iterator[StandingLabel]:
        columns = [getattr(LabelRow, name) for name in _STANDING]
        query = select(*columns).where(LabelRow.model == model, LabelRow.key.in_(keys))
        for row in self._session.execute(query):
            yield StandingLabel(**dict(zip(_STANDING, row, strict=True)))

    def _write(self, model: str, book: LabelBook) -> None:
        new = {"model": model, "search": Search.UNSOUGHT}
        if rows := [{**new, **as_values(label)} for label in book.changed]:
            self._session.connection().execute(self._upsert(), rows)
        if past := [{"model": model, **as_values(label)} for label in book.past]:
            self._session.execute(insert(PastLabelRow), past)

    def _upsert(self) -> Any:
        postgres = self._session.get_bind().dialect.name == "postgresql"
        insert = (postgresql.insert if postgres else sqlite.insert)(LabelRow)
        return insert.on_conflict_do_update(
            index_elements=["model", "key"],
            set_={name: insert.excluded[name] for name in _STANDING if name != "key"},
        )


def chunks(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    """Part what goes into one statement."""
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
