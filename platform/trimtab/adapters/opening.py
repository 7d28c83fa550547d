"""Opening what the settings name: the one place that chooses adapters."""

from trimtab.ports import Clock, Database, InferenceLog, LogUpkeep, ModelRegistry, Reports
from trimtab.records.traces import TracedRun
from trimtab.records.versions import ModelVersion
from trimtab.settings import Settings

from .clock import FileClock, SystemClock


def open_clock(settings: Settings) -> Clock:
    """Open the clock by which the loop decides."""
    path = settings.environment.clock
    return FileClock(path) if path else SystemClock()


def open_database(settings: Settings) -> Database:
    """Open the platform's database, with its tables up to date."""
    from .sql import open_database as open_sql  # not every process that opens a log needs SQL

    return open_sql(settings.database_url)


def open_log(settings: Settings) -> InferenceLog:
    """Open the inference log."""
    from .parquet_log import ParquetLog

    return ParquetLog(settings.inference_log)


def open_upkeep(settings: Settings) -> LogUpkeep:
    """Open what keeps the inference log up."""
    from .log_upkeep import ParquetLogUpkeep

    return ParquetLogUpkeep(settings.inference_log)


def open_registry(settings: Settings) -> ModelRegistry:
    """Open the MLflow registry; importing its client takes seconds, so it is done only here."""
    from .mlflow_registry import MlflowRegistry

    return MlflowRegistry(settings.tracking_uri)


def read_run(settings: Settings, version: ModelVersion) -> TracedRun:
    """Read the MLflow run that made a version.

    Raises RegistryUnreachableError, and UnknownVersionError where the run is gone.
    """
    from .mlflow_runs import read_run as read

    return read(settings.tracking_uri, version)


def open_reports(settings: Settings) -> Reports:
    """Open what people can read beside a version, in the MLflow UI."""
    from .mlflow_reports import MlflowReports

    return MlflowReports(settings.tracking_uri, pages=settings.project.alerts.mlflow_url)
