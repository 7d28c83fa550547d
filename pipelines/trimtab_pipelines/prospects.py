"""What a training has before it: new rows, their labels, and what a preview foretells."""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from trimtab.records.promotions import Promotion
from trimtab.records.versions import ModelVersion

from .bench import Bench
from .contenders import load_contender
from .contest import find_version
from .counting import Counted, count_rows, measured_lag
from .previewing import Foretold, preview


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """One model at one moment."""

    bench: Bench
    model: str
    now: datetime
    """Rows of this time and later are not known."""

    def count(self, rows: pd.DataFrame, *, is_present: bool) -> Counted:
        """Count what the champion has not seen; what is true at present is kept in the stores."""
        with self.bench.database.transaction() as stores:
            champion = stores.promotions.current(self.model)
            lag = measured_lag(stores, champion, self.now)
        found = count_rows(
            self.bench.settings.model(self.model),
            self.model,
            rows,
            champion=self._version(champion),
            epoch=champion.epoch if champion else 0,
            lag=lag,
            now=self.now,
        )
        if is_present:
            with self.bench.database.transaction() as stores:
                stores.row_counts.put(found.count)
        return found

    def look_ahead(self, rows: pd.DataFrame) -> Foretold:
        """Make the preview, where one is wanted and there is a champion.

        Raises ManifestError and DataRefusedError, as the training and the gate would later.
        """
        settings = self.bench.settings.model(self.model)
        with self.bench.database.transaction() as stores:
            champion = stores.promotions.current(self.model)
        version = self._version(champion)
        if champion is None or version is None or not settings.retrain.preview:
            return Foretold()
        contender = load_contender(
            self.bench.registry, self.bench.settings.home, version, champion.manifest_sha256
        )
        return preview(settings, rows, contender, self.now)

    def _version(self, champion: Promotion | None) -> ModelVersion | None:
        return find_version(self.bench.registry, self.model, champion.version) if champion else None
