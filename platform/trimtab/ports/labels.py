"""Ground truth: what was told, what counts, and whether there is a prediction it is for."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from trimtab.records.labels import Delivered, Label, PastLabel, StandingLabel


class Labels(Protocol):
    """Ground truth by key or prediction id."""

    def put(
        self,
        model: str,
        labels: Sequence[Label],
        *,
        by: str = "somebody",
        at: datetime | None = None,
    ) -> Delivered:
        """Take labels in the order in which they are given; `settle` says which one counts.

        `by` tells them, at the moment `at`; by default when each became known.
        """
        ...

    def get(self, model: str, keys: Collection[str]) -> Mapping[str, Label]:
        """Find the labels that count for these keys and prediction ids."""
        ...

    def standing(self, model: str, keys: Collection[str]) -> Mapping[str, StandingLabel]:
        """Find the labels that count for these keys and prediction ids, with who told them."""
        ...

    def history(self, model: str, key: str) -> Sequence[PastLabel]:
        """List what was told of a key and does not count, in the order in which it was told."""
        ...

    def count(self, model: str) -> int:
        """Count the labels of a model."""
        ...

    def erase(self, model: str, keys: Collection[str]) -> int:
        """Remove the labels of these keys, with their history; count the keys."""
        ...


class LabelSearch(Protocol):
    """Which labels have a prediction in the inference log, as far as it was searched."""

    def unmatched(self, model: str) -> int:
        """Count the labels for which no prediction was found."""
        ...

    def unmatched_of(self, model: str, keys: Collection[str]) -> set[str]:
        """Name those among these."""
        ...

    def unsought(self, model: str, limit: int) -> Sequence[str]:
        """Name labels that nobody has searched for yet."""
        ...

    def found(self, model: str, names: Collection[str]) -> None:
        """Note that the log has predictions with these keys or ids, labelled or not."""
        ...

    def not_found(self, model: str, names: Collection[str]) -> None:
        """Note that a search for these found nothing; what was found meanwhile stays found."""
        ...

    def search_again(self, model: str) -> None:
        """Let all that was not found be searched for again."""
        ...


class LabelFiles(Protocol):
    """Which files of an endpoint's inbox were taken; noted with their labels, in a transaction."""

    def take(self, model: str, name: str) -> bool:
        """Note that a file is taken; False when it was before."""
        ...

    def forget(self, model: str, kept: Collection[str]) -> None:
        """Leave out the files that are gone, all but those that are kept."""
        ...
