"""Taking labels out of an endpoint's inbox into the database, each file once.

Files and the note that they were taken are committed together, and a file is removed only then:
whoever is killed in between finds the note, and removes what is left.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from trimtab.labels import search
from trimtab.ports import Database, InferenceLog, Stores
from trimtab.records.labels import Delivered

from .label_inbox import Inbox, Receipt, ToldLabels, age_of

logger = logging.getLogger(__name__)

_MOST_FILES = 200
_MOST_LABELS = 5_000
_ATTEND_SECONDS = 1.0
_SEARCH_SECONDS = 5.0
"""Labels that came another way (a file, say) are searched for so often."""
_PATIENCE_SECONDS = 1.5
"""So long it is waited for what was captured to reach the log, before a label is unknown."""
_HEARD_SECONDS = 10.0
"""Nobody waits any more for the answer to an older file."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """A file whose labels are in the database."""

    name: str
    told: ToldLabels
    delivered: Delivered


class LabelTaker:
    """Takes the labels of one model; one thread calls it."""

    def __init__(
        self,
        inbox: Inbox,
        model: str,
        database: Database,
        log: InferenceLog,
        shipped_since: Callable[[], float],
    ) -> None:
        """Take an inbox.

        `shipped_since` gives the moment (of the monotonic clock) up to which everything captured
        is in the log, and its labels noted as found.
        """
        self._inbox = inbox
        self._model = model
        self._database = database
        self._log = log
        self._shipped_since = shipped_since
        self._attend_at = self._search_at = 0.0
        self._is_new = True

    def step(self) -> None:
        """Take what waits. Raises what the database or the disk raise; nothing is lost then."""
        self._attend()
        names = self._inbox.waiting(_MOST_FILES)
        taken = self._take(names) if names else []
        if taken:
            self._answer(taken)
        elif time.monotonic() >= self._search_at:
            self._search_at = time.monotonic() + _SEARCH_SECONDS
            search(self._database, self._log, self._model)

    def _attend(self) -> None:
        now = time.monotonic()
        if self._is_new:  # the log may have grown while nobody noted what was found
            with self._database.transaction() as stores:
                stores.label_search.search_again(self._model)
            self._is_new = False
        if now >= self._attend_at:
            self._attend_at = now + _ATTEND_SECONDS
            self._inbox.attend()
            self._inbox.sweep()

    def _take(self, names: list[str]) -> list[_Taken]:
        """Put files into the database together; where that fails, each by itself."""
        read = self._read(names)
        try:
            taken = self._put(names, read)
        except Exception:
            if len(read) < 2:
                raise
            taken = [done for one in read for done in self._put_alone(names, one)]
            if taken:  # so it is not the database
                self._set_aside({name for name, _ in read} - {file.name for file in taken})
        self._inbox.remove(file.name for file in taken)
        return taken

    def _read(self, names: list[str]) -> list[tuple[str, ToldLabels]]:
        """Read as many as go into one transaction: others write to the database, too."""
        read: list[tuple[str, ToldLabels]] = []
        count = 0
        for name in names:
            if count >= _MOST_LABELS:
                break
            if (told := self._inbox.read(name)) is not None:
                read.append((name, told))
                count += len(told.labels)
        return read

    def _put_alone(self, names: list[str], one: tuple[str, ToldLabels]) -> list[_Taken]:
        try:
            return self._put(names, [one])
        except Exception:
            logger.exception("the labels in %s/%s cannot be taken", self._inbox.folder, one[0])
            return []

    def _set_aside(self, names: set[str]) -> None:
        for name in names:
            logger.error("labels were set aside: %s", self._inbox.set_aside(name))

    def _put(self, names: list[str], read: list[tuple[str, ToldLabels]]) -> list[_Taken]:
        with self._database.transaction() as stores:
            taken = [_Taken(name, told, self._put_once(stores, name, told)) for name, told in read]
            stores.label_files.forget(self._model, names)
        return taken

    def _put_once(self, stores: Stores, name: str, told: ToldLabels) -> Delivered:
        """Put one file, unless a forerunner did and was killed before it removed it."""
        if not stores.label_files.take(self._model, name):
            return Delivered(unchanged=len(told.labels))
        return stores.labels.put(self._model, told.labels, by=told.by, at=told.at)

    def _answer(self, taken: list[_Taken]) -> None:
        """Search for the predictions, and tell those who still wait."""
        since = time.monotonic()
        while search(self._database, self._log, self._model):
            pass
        heard = [file for file in taken if age_of(file.name) < _HEARD_SECONDS]
        unknown = self._unknown(heard)
        while unknown and self._shipped_since() < since:
            if time.monotonic() > since + _PATIENCE_SECONDS:
                return  # it cannot be told yet, and nobody is told anything wrong
            time.sleep(0.05)
            if self._shipped_since() >= since:
                unknown = self._unknown(heard)
        for file in heard:
            keys = enumerate(label.key for label in file.told.labels)
            places = tuple(place for place, key in keys if key in unknown)
            self._inbox.answer(file.name, Receipt(delivered=file.delivered, unknown=places))

    def _unknown(self, files: list[_Taken]) -> set[str]:
        keys = {label.key for file in files for label in file.told.labels}
        with self._database.transaction() as stores:
            return stores.label_search.unmatched_of(self._model, keys)
