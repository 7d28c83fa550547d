"""`trimtab label`: ground truth from a file."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trimtab.errors import SettingsError
from trimtab.records.labels import Label

from .options import project_option
from .output import console

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
    """
    from trimtab.adapters.opening import open_clock, open_database

    declared = settings.model(model)
    key, value = key or declared.key, value or declared.target
    if key is None:
        raise SettingsError(f"models.{model}.key is not set; name the column with --key")
    frame = _read(file)
    for column in filter(None, (key, value, time)):
        if column not in frame.columns:
            known = ", ".join(map(str, frame.columns))
            raise SettingsError(f"{file} has no column {column!r} (it has: {known})")
    labels = _labels(frame, key, value, time, open_clock(settings).now())
    with open_database(settings).transaction() as stores:
        count = stores.labels.put(model, labels)
    console.print(f"{count} labels for {model}; {len(frame) - len(labels)} rows had no value.")


def _read(file: Path) -> "pd.DataFrame":
    import pandas as pd

    try:
        return pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)
    except (ValueError, OSError) as error:
        raise SettingsError(f"{file} cannot be read: {error}") from None


def _labels(
    frame: "pd.DataFrame", key: str, value: str, time: str | None, now: datetime
) -> list[Label]:
    import pandas as pd

    known = frame[frame[value].notna() & frame[key].notna()]
    times = [now] * len(known)
    if time is not None:
        parsed = pd.to_datetime(known[time], errors="coerce", utc=True)
        if parsed.isna().any():
            sample = known.loc[parsed.isna(), time].iloc[0]
            raise SettingsError(f"column {time!r} holds {sample!r}, which is no time")
        times = [moment.to_pydatetime().astimezone(UTC) for moment in parsed]
    return [
        Label(key=str(k), value=str(v), known_at=t)
        for k, v, t in zip(known[key], known[value], times, strict=True)
    ]
