"""Which labels have a prediction, and which files of labels were taken."""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, delete, func, literal_column, select, update
from sqlalchemy.orm import Session

from trimtab.records.labels import Search

from .label_tables import LabelFileRow, LabelRow
from .labels import chunks

_UNMATCHED = LabelRow.search != literal_column(f"'{Search.FOUND}'")
"""As the index has it, letter by letter: with a parameter no database would use the index."""


class SqlLabelSearch:
    """What was found of the predictions that labels are for."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def unmatched(self, model: str) -> int:
        """Count the labels for which no prediction was found."""
        query = select(func.count()).select_from(LabelRow)
        query = query.where(LabelRow.model == model, _UNMATCHED)
        return self._session.scalar(query) or 0

    def unmatched_of(self, model: str, keys: Collection[str]) -> set[str]:
        """Name those among these."""
        found: set[str] = set()
        for chunk in chunks(list(keys)):
            query = select(LabelRow.key).where(
                LabelRow.model == model, LabelRow.key.in_(chunk), _UNMATCHED
            )
            found.update(self._session.scalars(query))
        return found

    def unsought(self, model: str, limit: int) -> Sequence[str]:
        """Name labels that nobody has searched for yet."""
        query = select(LabelRow.key)
        query = query.where(LabelRow.model == model, _UNMATCHED)
        query = query.where(LabelRow.search == Search.UNSOUGHT).limit(limit)
        return self._session.scalars(query).all()

    def found(self, model: str, names: Collection[str]) -> None:
        """Note that the log has predictions with these keys or ids, labelled or not."""
        if self._has_unmatched(model):
            self._note(model, names, Search.FOUND, _UNMATCHED)

    def not_found(self, model: str, names: Collection[str]) -> None:
        """Note that a search for these found nothing; what was found meanwhile stays found."""
        self._note(model, names, Search.UNKNOWN, LabelRow.search == Search.UNSOUGHT)

    def search_again(self, model: str) -> None:
        """Let all that was not found be searched for again."""
        self._session.execute(
            update(LabelRow)
            .where(LabelRow.model == model, _UNMATCHED, LabelRow.search == Search.UNKNOWN)
            .values(search=Search.UNSOUGHT)
        )

    def _has_unmatched(self, model: str) -> bool:
        query = select(LabelRow.key)
        query = query.where(LabelRow.model == model, _UNMATCHED)
        return self._session.scalar(query.limit(1)) is not None

    def _note(
        self, model: str, names: Collection[str], search: Search, where: ColumnElement[bool]
    ) -> None:
        for chunk in chunks(list(names)):
            self._session.execute(
                update(LabelRow)
                .where(LabelRow.model == model, LabelRow.key.in_(chunk), where)
                .values(search=search)
                .execution_options(synchronize_session=False)
            )


class SqlLabelFiles:
    """The files of an endpoint's inbox that were taken."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def take(self, model: str, name: str) -> bool:
        """Note that a file is taken; False when it was before."""
        if self._session.get(LabelFileRow, (model, name)) is not None:
            return False
        self._session.add(LabelFileRow(model=model, name=name))
        self._session.flush()
        return True

    def forget(self, model: str, kept: Collection[str]) -> None:
        """Leave out the files that are gone, all but those that are kept."""
        known = select(LabelFileRow.name).where(LabelFileRow.model == model)
        for chunk in chunks(sorted(set(self._session.scalars(known)) - set(kept))):
            self._session.execute(
                delete(LabelFileRow).where(
                    LabelFileRow.model == model, LabelFileRow.name.in_(chunk)
                )
            )
