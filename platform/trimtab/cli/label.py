"""`trimtab label`: ground truth from a file or a database."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trimtab.errors import ExitCode

from .options import project_option
from .output import console
from .person import person

if TYPE_CHECKING:
    from trimtab.labels import Delivery
    from trimtab.settings import Settings
    from trimtab.settings.project import ModelSettings

    from .label_rows import Row

_FORMS = ("csv", "jsonl", "parquet")


@click.command(epilog="Example: trimtab label late-arrival --file arrived.csv --key flight_id")
@click.argument("model")
@click.option("--file", help="CSV, JSON lines or Parquet; - is the standard input.")
@click.option("--format", "form", type=click.Choice(_FORMS), help="[default: by the file's name]")
@click.option(
    "--sql", metavar="URL", help="SQLAlchemy URL of a database; env:NAME keeps it secret."
)
@click.option("--query", help="What to ask the database for.")
@click.option("--key", help="Column with the keys of the predictions. [default: the model's key]")
@click.option("--value", help="Column with what came true. [default: the model's target]")
@click.option("--time", help="Column that says when it became known. [default: label_time, or now]")
@project_option
def label(
    settings: "Settings",
    model: str,
    file: str | None,
    form: str | None,
    sql: str | None,
    query: str | None,
    key: str | None,
    value: str | None,
    time: str | None,
) -> None:
    """Deliver labels: what became of the rows that MODEL was asked about.

    A column `prediction_id` names single predictions; where it is missing or empty, the key names
    all that bear it. Labels may come late, in any order, and twice: the same again changes
    nothing, another value replaces the first unless it became known earlier, and what was
    replaced is kept. Rows without a value are not known yet and are passed over. Rows that cannot
    be taken are listed and do not keep the others back; the exit code is 3 then.

    Labels are what quality is measured with; retraining reads the model's source.
    """
    from .label_rows import rows_of_file, rows_of_query, shown

    if (file is None) == (sql is None) or (sql is None) != (query is None):
        raise click.UsageError("say where the labels are: --file FILE, or --sql URL --query QUERY")
    rows = rows_of_file(file, form) if file else rows_of_query(sql or "", query or "")
    origin = Path(file).name if file else shown(sql or "")
    reading = _Reading()
    asked = {"key": key, "value": value, "time": time}
    labels = reading.labels(rows, settings.model(model), asked)
    delivery = _deliver(settings, model, labels, origin)
    _tell(model, delivery, reading.without_value, _kind(file, form))
    if delivery.bad:
        raise SystemExit(ExitCode.REFUSED)


def _deliver(settings: "Settings", model: str, labels: "Iterable[Row]", origin: str) -> "Delivery":
    """Deliver, show how far that is, and say what stays when something goes wrong half-way."""
    from trimtab.labels import deliver_rows

    taken = 0
    with console.status("reading") as status:

        def told(so_far: "Delivery") -> None:
            nonlocal taken
            taken = so_far.delivered.total
            status.update(f"{taken} labels")

        try:
            return deliver_rows(settings, model, labels, by=person(), origin=origin, told=told)
        except BaseException:
            if taken:
                stay = f"{taken} labels were taken before that and stay; to deliver all of them"
                click.echo(f"{stay} again does no harm.", err=True)
            raise


def _kind(file: str | None, form: str | None) -> str:
    """Say what is counted: the lines of a text, or rows."""
    is_text = file is not None and form != "parquet" and not file.endswith(".parquet")
    return "line" if is_text else "row"


@dataclass
class _Reading:
    """Makes labels of rows, and counts those of which nothing is known yet."""

    without_value: int = 0

    def labels(
        self, rows: "Iterator[Row]", model: "ModelSettings", asked: Mapping[str, str | None]
    ) -> "Iterable[Row]":
        from .label_rows import Columns

        columns = None
        for number, row in rows:
            if isinstance(row, str):
                yield number, row
                continue
            columns = columns or Columns.choose(list(row), model, asked)
            if (given := columns.label(row)) is None:
                self.without_value += 1
            else:
                yield number, given


def _tell(model: str, delivery: "Delivery", without_value: int, row: str) -> None:
    done = delivery.delivered
    counts = [f"{done.added} new", f"{done.unchanged} told before", f"{done.corrected} corrected"]
    if done.outdated:
        counts.append(f"{done.outdated} outdated by what became known later")
    lines = [f"{done.total} labels for {model}: {', '.join(counts)}."]
    if without_value:
        lines.append(f"{without_value} rows had no value and were passed over.")
    if delivery.unknown:
        some = ", ".join(delivery.unknown_shown)
        more = ", ..." if delivery.unknown > len(delivery.unknown_shown) else ""
        lines.append(
            f"{delivery.unknown} names match no prediction so far: {some}{more}. They count as "
            "soon as it comes."
        )
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
    if delivery.bad:
        click.echo(f"{delivery.bad} {row}s were not taken:", err=True)
        for bad in delivery.bad_shown:
            click.echo(f"  {row} {bad.row}: {bad.why}", err=True)
        if delivery.bad > len(delivery.bad_shown):
            click.echo(f"  and {delivery.bad - len(delivery.bad_shown)} more", err=True)
