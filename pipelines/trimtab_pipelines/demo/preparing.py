"""The rows that the demo replays, put into a file of their own."""

import multiprocessing
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq

from trimtab.errors import SettingsError
from trimtab.settings import DemoSettings, Settings
from trimtab_pipelines.live_traffic.history import time_and_key


def prepare(settings: Settings, demo: DemoSettings, file: Path) -> None:
    """Write the rows to replay into a Parquet file, in a process whose memory ends with it.

    Raises SettingsError when there is nothing to replay.
    """
    time_and_key(settings.model(demo.model))
    process = multiprocessing.get_context("spawn").Process(
        target=_write, args=(settings, demo, file), daemon=True
    )
    process.start()
    process.join()
    if process.exitcode != 0 or pq.ParquetFile(file).metadata.num_rows == 0:
        raise SettingsError(f"demo.start: the source gives no rows to replay after {demo.start}")


def moment_of(text: str, setting: str) -> datetime:
    """Read a date of the settings. Raises SettingsError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{setting}: {text!r} is no date; write 2013-04-01") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _write(settings: Settings, demo: DemoSettings, file: Path) -> None:
    from trimtab_pipelines.collect import collect  # with its frameworks, in this process alone

    time, _ = time_and_key(settings.model(demo.model))
    end = moment_of(demo.until, "demo.until") if demo.until else datetime.max.replace(tzinfo=UTC)
    rows = collect(settings, demo.model, end)
    rows[rows[time] >= moment_of(demo.start, "demo.start")].to_parquet(file, index=False)
