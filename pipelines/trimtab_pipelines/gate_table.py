"""The gate's answer as people read it: in MLflow, and in a terminal."""

from rich.table import Table
from rich.text import Text

from trimtab.records.gate import Comparison, GateResult

BASELINE = "the baseline"
"""What a first version is compared with."""


def as_markdown(result: GateResult, opponent: str) -> str:
    """Write it for the description of a version; `opponent` is what it was compared with."""
    answer = "passed" if result.passed else "rejected"
    headings = _headings(opponent)
    lines = [
        f"### Gate: {answer}, compared with {opponent}",
        "",
        f"Mean {result.metric} on the same newest rows; lower is better. "
        f"Bounds of the gain at {result.confidence:.0%} confidence.",
        "",
        f"| where | {' | '.join(headings)} |",
        f"| --- |{' ---: |' * len(headings)}",
        *(
            f"| {comparison.name} | {' | '.join(_figures(comparison))} |"
            for comparison in (result.overall, *result.slices)
        ),
        "",
        *(f"- {reason}" for reason in result.reasons),
    ]
    return "\n".join(lines)


def as_table(result: GateResult, opponent: str) -> Table:
    """Lay it out for a terminal."""
    answer = "passed" if result.passed else "rejected"
    table = Table(
        title=f"Gate: {answer}, compared with {opponent}",
        caption=f"Mean {result.metric}, lower is better; bounds at {result.confidence:.0%}",
    )
    table.add_column("where")
    for heading in _headings(opponent):
        table.add_column(heading, justify="right")
    for comparison in (result.overall, *result.slices):
        table.add_row(Text(comparison.name), *_figures(comparison))
    return table


def _headings(opponent: str) -> tuple[str, ...]:
    defender = "baseline" if opponent == BASELINE else "champion"
    return ("rows", defender, "challenger", "gain", "at least", "at most")


def _figures(comparison: Comparison) -> tuple[str, ...]:
    gain = comparison.champion - comparison.challenger
    return (
        f"{comparison.rows:,}",
        f"{comparison.champion:.4f}",
        f"{comparison.challenger:.4f}",
        f"{gain:+.4f}",
        f"{comparison.low:+.4f}",
        f"{comparison.high:+.4f}",
    )
