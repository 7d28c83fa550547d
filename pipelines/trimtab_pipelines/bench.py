"""The bench: everything a job works with, opened once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import pandas as pd

from trimtab.adapters.opening import open_clock, open_database, open_registry, open_reports
from trimtab.ports import Clock, Database, ModelRegistry
from trimtab.ports.reports import Reports
from trimtab.records.versions import ModelVersion
from trimtab.settings import Settings

from .collect import collect
from .tracking import end_stale_runs
from .training import train_version


class Collect(Protocol):
    """Gives the rows that are known at a moment, in time order."""

    def __call__(self, settings: Settings, model: str, until: datetime) -> pd.DataFrame:
        """Read the model's source."""
        ...


class Train(Protocol):
    """Makes a version, or finds the one that this request already made."""

    def __call__(
        self,
        settings: Settings,
        model: str,
        *,
        until: datetime,
        request_id: str,
        rows: pd.DataFrame | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> ModelVersion:
        """Train, log and register."""
        ...


class EndStaleRuns(Protocol):
    """Ends the runs of a model that nobody works on any more."""

    def __call__(self, settings: Settings, model: str, alive_request: str | None) -> Sequence[str]:
        """End all but those of the living request; give their ids."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The stores, and the steps that a job takes from elsewhere."""

    settings: Settings
    clock: Clock
    database: Database
    registry: ModelRegistry
    reports: Reports
    collect: Collect = field(default=collect)
    train: Train = field(default=train_version)
    end_stale_runs: EndStaleRuns = field(default=end_stale_runs)


def open_bench(settings: Settings) -> Bench:
    """Open what the settings name."""
    return Bench(
        settings=settings,
        clock=open_clock(settings),
        database=open_database(settings),
        registry=open_registry(settings),
        reports=open_reports(settings),
    )
