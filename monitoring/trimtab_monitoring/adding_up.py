"""Rows of the inference log added up as they are shipped, one stretch of a window at a time.

Stretches are written whole: whoever dies while reading one has counted nothing, and whoever reads
it again replaces what was there. So each row counts once, however often that happens.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from trimtab.errors import ManifestError, UnknownVersionError
from trimtab.policy.drift.adding import add
from trimtab.policy.evaluate import sums_of
from trimtab.policy.labelling import labels_of_rows, named
from trimtab.policy.quality import (
    COLUMNS,
    ESTIMATED_ROWS,
    Known,
    estimate_of,
    keys_of,
    known_of,
    measured_of,
    nothing_known,
)
from trimtab.policy.redaction import withheld
from trimtab.policy.summaries import Readings
from trimtab.policy.watched import WatchedVersion, frame_of
from trimtab.ports import Database, InferenceLog
from trimtab.records.labels import Label
from trimtab.records.logged import LoggedRows
from trimtab.records.quality import Estimate, Quality
from trimtab.records.sums import Stretch, WindowSums
from trimtab.records.windows import Window
from trimtab.settings import CaptureSettings

from .past_rows import read_some
from .versions import Versions

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddingUp:
    """The traffic of one model. It remembers nothing: all it knows is in the stores."""

    model: str
    capture: CaptureSettings
    database: Database
    inference_log: InferenceLog
    versions: Versions

    def go_on(self, window: Window, versions: Sequence[str], horizon: datetime) -> bool:
        """Add up the next stretch of a window that is not over; False when there is none.

        No row from before the horizon is expected any more. What comes all the same is found when
        the window is judged. The first of the versions is noted down in any case: by that is known
        how far the log was read.
        """
        with self.database.transaction() as stores:
            through = stores.sums.through(self.model)
        ahead = (s for s in window.stretches() if through is None or s.start >= through)
        stretch = next(ahead, None)
        if stretch is None or stretch.end > horizon:
            return False
        self._put(self._asked(stretch, versions))
        return True

    def whole(self, version: str, window: Window) -> Stretch | None:
        """Give a window that is over as one stretch; None when nobody asked the version.

        Stretches of which there are other rows by now than were added up are read again.
        """
        stretches = window.stretches()
        counts = self._counts(version, stretches)
        if not any(counts):
            return None
        with self.database.transaction() as stores:
            known = {s.window: s for s in stores.sums.within(self.model, version, window)}
        found: list[Stretch] = []
        for stretch, rows in zip(stretches, counts, strict=True):
            there = known.get(stretch)
            if rows != (there.logged if there else 0):
                there = self._read(version, stretch)
                self._put([there])
            found += [there] if there else []
        return Stretch(
            model=self.model,
            version=version,
            window=window,
            sums=add([stretch.sums for stretch in found]),
            refused=sum(stretch.refused for stretch in found),
        )

    def before(self, version: str, window: Window) -> WindowSums | None:
        """Give what was added up of a window that was judged; None when it is forgotten."""
        with self.database.transaction() as stores:
            known = stores.sums.within(self.model, version, window)
        return add([stretch.sums for stretch in known]) if known else None

    def rows(self, version: str, window: Window) -> int:
        """Count the rows of a window that are in the log now, refusals included."""
        return sum(self._counts(version, [window]))

    def sample(self, version: str, window: Window) -> Mapping[str, Readings]:
        """Read some rows of a window, evenly spaced."""
        _, watched = self.versions.get(self.model, version)
        return read_some(self.inference_log, self.model, watched, window, withheld=self.withheld)

    def quality(
        self, version: str, window: Window, *, before: Quality | None = None
    ) -> Quality | None:
        """Measure the answers of a window as far as labels are known, and estimate the others.

        `before` is what was known of it the last time: without news, it is not estimated again.
        """
        _, watched = self.versions.get(self.model, version)
        if watched.reference.quality is None:
            return None
        measured = measured_of(watched.reference, self._known(watched, window))
        if measured is None or (before and replace(before, estimate=None) == measured):
            return before
        return replace(measured, estimate=self._estimate(watched, window))

    def _known(self, watched: WatchedVersion, window: Window) -> list[Known]:
        """Look at the rows of a window batch by batch; at none where no label was ever told."""
        promise = watched.reference.quality
        with self.database.transaction() as stores:
            if not stores.labels.count(self.model):
                return [nothing_known(watched.contract, watched.reference, withheld=self.withheld)]

        def work(batches: Iterator[LoggedRows]) -> list[Known]:
            return [
                known_of(
                    watched.contract,
                    watched.reference,
                    logged.rows,
                    logged.inputs,
                    self._labels(logged),
                    withheld=self.withheld,
                )
                for logged in batches
            ]

        columns = [*COLUMNS, *(["inputs"] if promise and promise.slices else [])]
        return self.inference_log.scan(
            self.model, watched.version, window.start, window.end, work, columns=columns
        )

    def _estimate(self, watched: WatchedVersion, window: Window) -> Estimate | None:
        estimator = watched.reference.estimator
        if estimator is None:
            return None
        logged = self.inference_log.sample(
            self.model,
            watched.version,
            window.start,
            window.end,
            ESTIMATED_ROWS,
            columns=[*COLUMNS, *(["inputs"] if estimator.trees is not None else [])],
        )
        if logged is None:
            return None
        return estimate_of(
            watched.contract,
            watched.reference,
            logged.rows,
            logged.inputs,
            self._labels(logged),
            withheld=self.withheld,
        )

    @property
    def withheld(self) -> Mapping[str, str]:
        """Say of each input that is not in the log why."""
        return withheld(self.capture.drop, self.capture.hash)

    def _asked(self, stretch: Window, versions: Sequence[str]) -> Iterator[Stretch]:
        """Yield the stretch of every version that was asked in it, and of the first."""
        for version in versions:
            if version != versions[0] and not any(self._counts(version, [stretch])):
                continue
            try:
                yield self._read(version, stretch)
            except (UnknownVersionError, ManifestError) as error:  # the champion still counts
                if version == versions[0]:
                    raise
                log.warning("Not added up in %s: %s", stretch, error)

    def _labels(self, logged: LoggedRows) -> Mapping[str, Label]:
        """Find the labels of rows, by what `keys_of` gives of each."""
        if logged.rows.empty:
            return {}
        keys, ids = keys_of(logged.rows).tolist(), logged.rows["prediction_id"].tolist()
        with self.database.transaction() as stores:
            found = stores.labels.get(self.model, named(keys, ids))
        of_rows = zip(keys, labels_of_rows(keys, ids, found), strict=True)
        return {key: label for key, label in of_rows if label is not None}

    def _counts(self, version: str, stretches: Sequence[Window]) -> Sequence[int]:
        edges = [stretches[0].start, *(stretch.end for stretch in stretches)]
        return self.inference_log.count(self.model, version, edges)

    def _read(self, version: str, stretch: Window) -> Stretch:
        _, watched = self.versions.get(self.model, version)

        def work(batches: Iterator[LoggedRows]) -> Stretch:
            sums, refused = WindowSums(), 0
            for logged in batches:
                frame = frame_of(watched.contract, logged.rows, logged.inputs)
                sums = add([sums, sums_of(watched, frame, logged.rows, self.withheld)])
                refused += logged.refused
            return Stretch(
                model=self.model, version=version, window=stretch, sums=sums, refused=refused
            )

        columns = [*COLUMNS, "inputs"]
        return self.inference_log.scan(
            self.model, version, stretch.start, stretch.end, work, columns=columns
        )

    def _put(self, stretches: Iterable[Stretch]) -> None:
        read = list(stretches)  # before the transaction, which keeps all other writers waiting
        with self.database.transaction() as stores:
            for stretch in read:
                stores.sums.put(stretch)
