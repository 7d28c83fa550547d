"""The table of a drill, and the same for scripts."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from trimtab.records.documents import to_json
from trimtab.records.drills import Change, Drilled, Moment, Observed

_COLUMNS = ("change", "what was done", "shown by", "incident", "alerts", "retraining", "settled")


def show(
    console: Console, model: str, drilled: Sequence[Drilled], left_out: Mapping[Change, str]
) -> None:
    """Print what was seen change by change, and then what was wrong with it."""
    table = Table(
        title=f"How the platform of {model} reacted",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for name in (*_COLUMNS, ""):
        table.add_column(name)
    for one in drilled:
        is_good = not one.faults
        mark = "[green]as it should[/]" if is_good else "[red]not as it should[/]"
        table.add_row(*_cells(one.observed), mark)
    console.print(table)
    for one in drilled:
        for fault in one.faults:
            console.print(f"{one.observed.change}: {fault}", style="red", markup=False)
    for change, why in left_out.items():
        console.print(f"{change} was left out: {why}", style="dim", markup=False)


def as_json(model: str, drilled: Sequence[Drilled], left_out: Mapping[Change, str]) -> bytes:
    """Write all that was seen."""
    content = {"model": model, "drilled": list(drilled), "left_out": dict(left_out)}
    return to_json(content, kind=dict[str, object], indent=2) + b"\n"


def _cells(seen: Observed) -> list[str]:
    settled = f"{'no, ' if seen.unsettled else ''}after {_windows(seen.sent)}"
    if seen.asks_person:
        settled += ", by asking a person"
    alerts = (
        str(seen.received) if seen.received == seen.alerts else f"{seen.received}/{seen.alerts}"
    )
    return [
        str(seen.change),
        seen.done,
        "" if seen.noticed is None else _far(seen.noticed),
        "\n".join(_incidents(seen)) or "none",
        alerts,
        "\n".join(_retraining(seen)) or "none",
        settled,
    ]


def _incidents(seen: Observed) -> Iterator[str]:
    """Tell of each situation when it was found, and how often."""
    for situation, count in Counter(r.situation for r in seen.reactions).items():
        first = next(r.opened for r in seen.reactions if r.situation is situation)
        yield f"{situation} after {_far(first)}{f', {count} in all' if count > 1 else ''}"


def _retraining(seen: Observed) -> Iterator[str]:
    """Tell how the requests ended."""
    for state, count in Counter(asked.state for asked in seen.asked).items():
        yield f"{count} {state}"


def _far(moment: Moment) -> str:
    return f"{_windows(moment)}, {moment.rows:,} rows"


def _windows(moment: Moment) -> str:
    return f"{moment.windows} window{'' if moment.windows == 1 else 's'}"
