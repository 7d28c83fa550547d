"""Sums of stretches of traffic."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from trimtab.records.sums import Stretch
from trimtab.records.windows import Window

from .tables import StretchRow


class SqlSums:
    """No two stretches of a version overlap, so that no row is counted twice."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(self, stretch: Stretch) -> None:
        """Write a stretch in place of all of the version that overlap with it."""
        start, end = stretch.window.start, stretch.window.end
        self._session.execute(
            delete(StretchRow).where(
                StretchRow.model == stretch.model,
                StretchRow.version == stretch.version,
                StretchRow.stretch_start < end,
                StretchRow.stretch_end > start,
            )
        )
        self._session.add(
            StretchRow(
                model=stretch.model,
                version=stretch.version,
                stretch_start=start,
                stretch_end=end,
                refused=stretch.refused,
                sums=stretch.sums,
            )
        )
        self._session.flush()

    def within(self, model: str, version: str, window: Window) -> Sequence[Stretch]:
        """List the stretches of a version that lie within a window, in their order."""
        query = (
            select(StretchRow)
            .where(
                StretchRow.model == model,
                StretchRow.version == version,
                StretchRow.stretch_start >= window.start,
                StretchRow.stretch_end <= window.end,
            )
            .order_by(StretchRow.stretch_start)
        )
        return [_as_stretch(row) for row in self._session.scalars(query)]

    def through(self, model: str) -> datetime | None:
        """Tell where the newest stretch of any version ends; None when there is none."""
        return self._session.scalar(
            select(func.max(StretchRow.stretch_end)).where(StretchRow.model == model)
        )

    def forget(self, model: str, before: datetime | None = None) -> int:
        """Remove the stretches that begin before a moment, or all of them; count them."""
        removal = delete(StretchRow).where(StretchRow.model == model)
        if before is not None:
            removal = removal.where(StretchRow.stretch_start < before)
        return len(self._session.scalars(removal.returning(StretchRow.version)).all())


def _as_stretch(row: StretchRow) -> Stretch:
    return Stretch(
        model=row.model,
        version=row.version,
        window=Window(row.stretch_start, row.stretch_end),
        sums=row.sums,
        refused=row.refused,
    )
