"""Which label counts, whatever the order in which labels come and however often."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from trimtab.records.contracts import spelling
from trimtab.records.labels import Delivered, Label, PastLabel, StandingLabel


def is_same(value: str, other: str) -> bool:
    """Tell whether two values are one, however they are written (`1`, `1.0`, `True`)."""
    return value == other or spelling(value) == spelling(other)


class LabelBook:
    """The labels of some keys, while labels are told.

    What became known later wins; of two that became known at once, what is told later. So the
    value that counts is always that of the newest `known_at` that was ever told.
    """

    def __init__(self, standing: Iterable[StandingLabel] = ()) -> None:
        self._before = {label.key: label for label in standing}
        self.standing = dict(self._before)
        self.past: list[PastLabel] = []
        """What ceased to count, or never did, since the book was opened."""
        self.delivered = Delivered()

    def tell(self, label: Label, by: str, at: datetime) -> None:
        """Take one label that somebody tells at a moment."""
        known = self.standing.get(label.key)
        fresh = StandingLabel(
            key=label.key,
            value=label.value,
            known_at=label.known_at,
            confirmed_at=label.known_at,
            told_at=at,
            told_by=by,
        )
        if known is None:
            self.standing[label.key] = fresh
            self.delivered += Delivered(added=1)
        elif is_same(known.value, label.value):
            confirmed = max(known.confirmed_at, label.known_at)
            self.standing[label.key] = replace(known, confirmed_at=confirmed)
            self.delivered += Delivered(unchanged=1)
        elif label.known_at < known.confirmed_at:
            self.past.append(_past(fresh, at))
            self.delivered += Delivered(outdated=1)
        else:
            self.past.append(_past(known, at))
            self.standing[label.key] = fresh
            self.delivered += Delivered(corrected=1)

    @property
    def changed(self) -> Sequence[StandingLabel]:
        """What counts now and did not, or not so, when the book was opened."""
        before: Mapping[str, StandingLabel] = self._before
        return [label for key, label in self.standing.items() if label != before.get(key)]


def _past(label: StandingLabel, replaced_at: datetime) -> PastLabel:
    return PastLabel(
        key=label.key,
        value=label.value,
        known_at=label.known_at,
        told_at=label.told_at,
        told_by=label.told_by,
        replaced_at=replaced_at,
    )
