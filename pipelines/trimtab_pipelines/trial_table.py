"""A trial's comparison as a table in a terminal."""

from rich.table import Table
from rich.text import Text

from trimtab.records.agreement import TrialResult
from trimtab.records.trials import Trial

from .trial_words import figures, title

_SLICES_SHOWN = 12


def as_table(trial: Trial, result: TrialResult) -> Table:
    """Lay it out; the slices that differ most come first."""
    covered = f"{trial.since:%Y-%m-%d %H:%M} to {result.through:%Y-%m-%d %H:%M}"
    hidden = len(result.slices) - _SLICES_SHOWN
    more = f"; {hidden} slices that agree more are not shown" if hidden > 0 else ""
    score = result.overall.shifts[0].score if result.overall.shifts else "score"
    table = Table(
        title=title(trial),
        caption=f"{covered}; bounds at {result.confidence:.0%} each{more}",
    )
    table.add_column("where")
    headings = ("rows", "agreed", "distance", f"mean of {score}", "difference, bounds")
    for heading in headings:
        table.add_column(heading, justify="right")
    for found in (result.overall, *result.slices[:_SLICES_SHOWN]):
        table.add_row(*map(Text, figures(found)))
    return table
