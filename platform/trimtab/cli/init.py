"""`trimtab init`: a commented `trimtab.toml` from a look at a file."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.markup import escape

from trimtab.errors import SettingsError

from .output import console
from .tables import read_table, require_columns

if TYPE_CHECKING:
    import pandas as pd

    from .guessing import Guess


@click.command(epilog="Example: trimtab init data/orders.csv --target returned --time ordered_at")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--model", help="Name of the model. [default: from the file's name]")
@click.option("--target", help="Column to predict. [default: guessed]")
@click.option("--time", help="Column by which rows are in time order. [default: guessed]")
@click.option("--key", help="Column that ties a prediction to its label. [default: guessed]")
@click.option(
    "--project",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    show_default=True,
    help="Folder to write trimtab.toml into.",
)
def init(
    file: Path,
    model: str | None,
    target: str | None,
    time: str | None,
    key: str | None,
    folder: Path,
) -> None:
    """Look at FILE (CSV or Parquet) and write a commented trimtab.toml.

    Everything is a guess that you can change; what was guessed is printed.
    """
    from trimtab.settings import FILE

    from .guessing import guess

    path = folder / FILE
    if path.exists():
        raise SettingsError(f"{path} is there already. Edit it, or remove it first.")
    name = _name(model, file)
    frame = _read(file)
    require_columns(frame, file, target, time, key)
    found = guess(frame, target=target, time=time, key=key)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(_toml(name, _source(file, folder), found), encoding="utf-8")
    _check(path, folder)
    _tell(path, name, found, len(frame))


def _name(model: str | None, file: Path) -> str:
    from trimtab.settings import MODEL_NAME

    if model is None:
        name = re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-")
        return (name if re.match("[a-z]", name) else f"model-{name}")[:48]
    if not re.fullmatch(MODEL_NAME, model):
        raise SettingsError(
            f"--model {model!r} is no name of a model: use up to 48 lower-case letters, digits "
            "and hyphens, and a letter first."
        )
    return model


def _read(file: Path) -> "pd.DataFrame":
    frame = read_table(file)
    if len(frame) == 0 or frame.shape[1] < 2:
        raise SettingsError(f"{file} has {len(frame)} rows and {frame.shape[1]} columns: too few")
    return frame


def _source(file: Path, folder: Path) -> str:
    absolute, home = file.resolve(), folder.resolve()
    return str(absolute.relative_to(home) if absolute.is_relative_to(home) else absolute)


def _check(path: Path, folder: Path) -> None:
    """What `init` writes must load; if it does not, nothing is left behind."""
    from trimtab.settings import Environment, load

    try:
        load(folder, Environment())
    except SettingsError:
        path.unlink()
        raise


def _tell(path: Path, name: str, found: "Guess", rows: int) -> None:
    order = found.time or "the rows, as no column holds a time"
    key = found.key or "prediction id, as no column is a key"
    lines = [
        f"  in the order of {order}",
        f"  labels by {key}",
        f"  from {len(found.inputs)} columns: {', '.join(found.inputs)}",
    ]
    if found.exclude:
        lines.append(f"  without {', '.join(found.exclude)} (different in nearly every row)")
    console.print(f"Wrote {escape(str(path))} for model [bold]{name}[/] from {rows} rows:")
    console.print(f"  predicts [bold]{escape(found.target)}[/] ({found.task})")
    for line in lines:
        console.print(line, markup=False)
    console.print("Correct what is wrong there; then: [bold]trimtab up[/]")


def _toml(name: str, source: str, found: "Guess") -> str:
    metric = "squared_error" if found.task == "regression" else "log_loss"

    def optional(setting: str, value: str | None, meaning: str) -> str:
        line = f"{setting} = {json.dumps(value or '...')}"
        return f"{line:<38} # {meaning}" if value else f"# {line:<36} # {meaning}"

    exclude = ", ".join(json.dumps(column) for column in found.exclude)
    return f"""\
# What Trimtab keeps on course. Every setting: docs/reference/settings.md

[models.{name}]
task = "{found.task}"{"":<{max(1, 30 - len(found.task))}} # binary | multiclass | regression
source = {json.dumps(source)}  # Parquet, CSV, "sql:SELECT ...", or "module:function"
target = {json.dumps(found.target)}  # what is predicted
{optional("time", found.time, "rows are split, and windows judged, by this time")}
{optional("key", found.key, "ties a prediction to its label")}
exclude = [{exclude}]  # columns that are not known when a prediction is asked for

[models.{name}.gate]
metric = "{metric}"
confidence = 0.95                      # the challenger must be better with this confidence
slices = []                            # and not worse within any value of these columns

[models.{name}.monitor]
window = "1d"                          # the slice of time that is judged at once
false_alarms = "1 per quarter"         # a budget, not a threshold

[models.{name}.retrain]
on = ["drift", "quality"]              # or "drift and 1000 new labels", "every 30d"
cooldown = "3d"
budget = "4 per month"
approval = "automatic"                 # or "manual": a winner waits for `trimtab approve`

[models.{name}.serve]
port = 3000

[alerts]
urls = []                              # "slack://...", "mailto://...", or "env:NAME"
"""
