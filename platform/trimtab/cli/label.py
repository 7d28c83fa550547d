"""`trimtab label`: ground truth from a file."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trimtab.errors import SettingsError
from trimtab.records.labels import Label
from trimtab.records.ledger import LedgerEntry

from .options import project_option
from .output import console
from .person import person
from .tables import read_table, require_columns

if TYPE_CHECKING:
    import pandas as pd

    from trimtab.settings import Settings


@click.command(epilog="Example: trimtab label late-arrival arrived.csv --key flight_id")
@click.argument("model")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--key", help="Column with the keys of the predictions. [default: the model's key]")
@click.option("--value", help="Column with what came true. [default: the model's target]")
@click.option("--time", help="Column that says when it became known. [default: now]")
@project_option
def label(
    settings: "Settings",
    model: str,
    file: Path,
    key: str | None,
    value: str | None,
    time: str | None,
) -> None:
    """Deliver labels: what became of the rows that MODEL was asked about.

    FILE is CSV or Parquet. Labels may come late, in any order, and twice: a second label for a
    key replaces the first. Rows without a value are not known yet and are passed over.

    Labels are what quality is measured with; retraining reads the model's source.
    """
    from trimtab.adapters.capture_key import open_redaction
    from trimtab.adapters.opening import open_clock, open_database

    declared = settings.model(model)
    key, value = key or declared.key, value or declared.target
    if key is None:
        raise SettingsError(f"models.{model}.key is not set; name the column with --key")
    if value is None:
        raise SettingsError(f"{model} has no target; name the column with --value")
    frame = read_table(file, text=key)
    require_columns(frame, file, key, value, time)
    now = open_clock(settings).now()
    redaction = open_redaction(settings, model)
    labels = [
        replace(found, key=redaction.key(found.key))
        for found in _labels(frame, key, value, time, now)
    ]
    delivered = LedgerEntry(
        at=now,
        actor=person(),
        event="labels delivered",
        model=model,
        subject=f"{len(labels)} labels",
        reasons=(file.name,),
    )
    with open_database(settings).transaction() as stores:
        count = stores.labels.put(model, labels)
        stores.ledger.append(delivered)
    console.print(f"{count} labels for {model}; {len(frame) - len(labels)} rows had no value.")


def _labels(
    frame: "pd.DataFrame", key: str, value: str, time: str | None, now: datetime
) -> list[Label]:
    known = frame[frame[value].notna() & frame[key].notna()]
    times = [now] * len(known)
    if time is not None:
        times = _times(known[time])
    return [
        Label(key=_key(k), value=str(v), known_at=t)
        for k, v, t in zip(known[key], known[value], times, strict=True)
    ]


def _times(column: "pd.Series") -> list[datetime]:
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column):  # seconds, days or years: nobody knows
        raise SettingsError(
            f"column {column.name!r} holds numbers; write times as 2013-04-01T12:00"
        )
    parsed = pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601")
    if parsed.isna().any():
        sample = column[parsed.isna()].iloc[0]
        raise SettingsError(
            f"column {column.name!r} holds {sample!r}, which is no time; write 2013-04-01T12:00"
        )
    return [moment.to_pydatetime().astimezone(UTC) for moment in parsed]


def _key(value: object) -> str:
    """Write a key as callers do: Parquet keeps whole numbers as floats where one is missing."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
