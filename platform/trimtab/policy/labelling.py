"""What a label must be, wherever it comes from, and which row it is for."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from trimtab.records.contracts import Contract, Task, spelling
from trimtab.records.ids import is_prediction_id
from trimtab.records.labels import Label
from trimtab.records.moments import read_moment

LONGEST_KEY = 256
"""Characters; requests cannot have longer keys either."""
LONGEST_VALUE = 4096
_FIELDS = ("prediction_id", "key", "value", "known_at")
_AHEAD = timedelta(minutes=5)
"""Clocks differ; but a label from the future would win over every correction until then."""
_CLASSES_SHOWN = 20


class LabelError(ValueError):
    """A label cannot be taken; it names the field, and never its value."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field} {why}".strip())
        self.field = field
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRules:
    """What the labels of one model must be."""

    task: Task
    now: datetime
    contract: Contract | None = None
    """Of a version of the model; without one, any class is believed."""

    def read(self, given: Mapping[str, object]) -> Label:
        """Read one label: `prediction_id` or `key`, `value`, and perhaps `known_at`.

        Raises LabelError.
        """
        for name in given:
            if name not in _FIELDS:
                raise LabelError(str(name)[:100], "is no part of a label")
        return Label(
            key=_name(given),
            value=self._value(given.get("value")),
            known_at=self._moment(given.get("known_at")),
        )

    def _value(self, value: object) -> str:
        if value is None:
            raise LabelError("value", "is missing")
        if not isinstance(value, bool | int | float | str):
            raise LabelError("value", f"should be {self._wanted}")
        if self.task is Task.REGRESSION:
            return self._number(value)
        if self.contract is None:
            return _text("value", str(value), LONGEST_VALUE)
        index = _indices(self.contract.classes).get(spelling(value))
        if index is None:
            raise LabelError("value", f"should be {self._wanted}")
        return str(self.contract.classes[index])

    def _number(self, value: bool | int | float | str) -> str:
        try:
            is_finite = not isinstance(value, bool) and math.isfinite(float(value))
        except (ValueError, OverflowError):
            is_finite = False
        if not is_finite:
            raise LabelError("value", f"should be {self._wanted}")
        return str(value).strip()

    @property
    def _wanted(self) -> str:
        if self.task is Task.REGRESSION:
            return "a finite number"
        if self.contract is None:
            return "a class: text, a number, true or false"
        known = [str(one) for one in self.contract.classes]
        more = f" and {len(known) - _CLASSES_SHOWN} more" if len(known) > _CLASSES_SHOWN else ""
        return f"one of the classes {', '.join(known[:_CLASSES_SHOWN])}{more}"

    def _moment(self, value: object) -> datetime:
        if value is None:
            return self.now
        try:
            moment = _from_calendar(value) or read_moment(value)
        except ValueError as error:
            raise LabelError("known_at", str(error)) from None
        if moment > self.now + _AHEAD:
            raise LabelError("known_at", "lies in the future")
        return moment


@lru_cache(8)
def _indices(classes: tuple[bool | int | str, ...]) -> Mapping[str, int]:
    """Find classes as `Contract.class_of` does, a thousand at a time."""
    return {spelling(known): i for i, known in reversed(list(enumerate(classes)))}


def _from_calendar(value: object) -> datetime | None:
    """Write what files and databases give as text, so that one law holds for all."""
    if isinstance(value, datetime):
        return read_moment(value.isoformat())
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return None


def _name(given: Mapping[str, object]) -> str:
    id, key = given.get("prediction_id"), given.get("key")
    if (id is None) == (key is None):
        both = "is there beside key; one of the two is enough" if key is not None else ""
        raise LabelError("prediction_id", both or "and key are missing; one of the two is needed")
    if key is not None:
        if not isinstance(key, str) or not key:
            raise LabelError("key", "should be text, and not empty")
        return _text("key", key, LONGEST_KEY)
    if not isinstance(id, str) or not is_prediction_id(id):
        raise LabelError("prediction_id", "should be as an endpoint gave it")
    return id


def _text(field: str, text: str, longest: int) -> str:
    if len(text) > longest:
        raise LabelError(field, f"should have at most {longest} characters")
    if "\0" in text or not _is_unicode(text):  # no database takes these
        raise LabelError(field, "should be text without NUL characters")
    return text


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def named(keys: Sequence[object], ids: Sequence[object]) -> set[str]:
    """Give the names under which rows may have labels; what is missing (None, NaN) is none."""
    return {name for name in (*keys, *ids) if isinstance(name, str)}


def labels_of_rows(
    keys: Sequence[object], ids: Sequence[object], labels: Mapping[str, Label]
) -> list[Label | None]:
    """Give each row's label: the one of its prediction's id if there is one, else of its key.

    >>> noon = datetime(2013, 4, 1, 12, tzinfo=UTC)
    >>> told = {"k": Label(key="k", value="late", known_at=noon)}
    >>> [label and label.value for label in labels_of_rows(["k", None], ["a-0", "a-1"], told)]
    ['late', None]
    """
    return [_label(labels, id) or _label(labels, key) for key, id in zip(keys, ids, strict=True)]


def _label(labels: Mapping[str, Label], name: object) -> Label | None:
    return labels.get(name) if isinstance(name, str) else None
