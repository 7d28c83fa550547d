"""The tables of ground truth."""

from datetime import datetime

from sqlalchemy import Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from .tables import Table

_NAME = String(100)


class LabelRow(Table):
    """The label that counts for a key."""

    __tablename__ = "labels"
    __table_args__ = (
        Index(
            "labels_without_a_prediction",
            "model",
            "search",
            sqlite_where=text("search != 'found'"),
            postgresql_where=text("search != 'found'"),
        ),
    )

    model: Mapped[str] = mapped_column(_NAME, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[str]
    known_at: Mapped[datetime]
    confirmed_at: Mapped[datetime]
    told_at: Mapped[datetime]
    told_by: Mapped[str]
    search: Mapped[str] = mapped_column(String(10))


class PastLabelRow(Table):
    """What was told of a key and does not count."""

    __tablename__ = "past_labels"
    __table_args__ = (Index("past_labels_of_a_key", "model", "key"),)

    seq: Mapped[int] = mapped_column(Integer, primary_key=True)
    model: Mapped[str] = mapped_column(_NAME)
    key: Mapped[str]
    value: Mapped[str]
    known_at: Mapped[datetime]
    told_at: Mapped[datetime]
    told_by: Mapped[str]
    replaced_at: Mapped[datetime]


class LabelFileRow(Table):
    """A file of an endpoint's inbox that was taken and may still be there."""

    __tablename__ = "label_files"

    model: Mapped[str] = mapped_column(_NAME, primary_key=True)
    name: Mapped[str] = mapped_column(_NAME, primary_key=True)
