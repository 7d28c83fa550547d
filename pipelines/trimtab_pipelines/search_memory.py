"""Where search trials are kept, so that a search survives the process that runs it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from trimtab.ports import Database
from trimtab.records.documents import to_json
from trimtab.records.searches import SearchTrial
from trimtab.settings.project import ModelSettings

from .check import Checked


class Memory(Protocol):
    """The trials of one search."""

    def trials(self) -> Sequence[SearchTrial]:
        """List what is done, in the order of the trials."""
        ...

    def add(self, trial: SearchTrial) -> None:
        """Keep a trial that is done."""
        ...


@dataclass(frozen=True, slots=True)
class OwnMemory:
    """Forgets everything with the process."""

    known: list[SearchTrial] = field(default_factory=list)

    def trials(self) -> Sequence[SearchTrial]:
        """List what is done, in the order of the trials."""
        return tuple(self.known)

    def add(self, trial: SearchTrial) -> None:
        """Keep a trial that is done."""
        self.known.append(trial)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMemory:
    """In the platform's database, by the request that the search is for."""

    database: Database
    request_id: str
    basis: str
    """What was searched for; trials of other settings or columns are none of this search."""

    def trials(self) -> Sequence[SearchTrial]:
        """List what is done, in the order of the trials."""
        with self.database.transaction() as stores:
            return stores.searches.of(self.request_id, self.basis)

    def add(self, trial: SearchTrial) -> None:
        """Keep a trial that is done."""
        with self.database.transaction() as stores:
            stores.searches.add(self.request_id, self.basis, trial)


def basis_of(checked: Checked, model: ModelSettings) -> str:
    """Name what a search rests on, but for the rows: those that came meanwhile are few."""
    content = to_json(checked.contract) + model.train.model_dump_json().encode()
    return hashlib.sha256(content + model.metric.encode()).hexdigest()[:16]
