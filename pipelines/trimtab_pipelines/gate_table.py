"""The gate's answer as people read it: in MLflow, and in a terminal."""

from rich.console import Group
from rich.table import Table
from rich.text import Text

from trimtab.policy.descriptions import plain
from trimtab.policy.gate_words import percent
from trimtab.records.amounts import format_seconds, format_size
from trimtab.records.gate import Comparison, GateCheck, GateResult

BASELINE = "the baseline"
"""What a first version is compared with."""
_CHECKED = ("check", "{}", "challenger", "limit", "result")
_WHERE = ("where", "rows", "{}", "challenger", "gain", "at least", "at most", "noticed from", "")


def as_markdown(result: GateResult, opponent: str, *, most: int | None = None) -> str:
    """Write it for MLflow; `opponent` is what it was compared with.

    With `most`, only so many reasons and slices are told, the worst: a version's description may
    have 5,000 characters.
    """
    compared = [[plain(row[0]), *row[1:]] for row in _compared(result, most)]
    more = [f"{len(result.slices) + 1 - len(compared)} more slices are in gate.md.", ""]
    lines = [
        f"### Gate: {_answer(result)}, compared with {opponent}",
        "",
        *(f"- {plain(reason)}" for reason in result.reasons[:most]),
        "",
        *_markdown(_headings(_CHECKED, opponent), [_checked(check) for check in result.checks]),
        "",
        f"{_caption(result)}.",
        "",
        *(more if len(compared) <= len(result.slices) else []),
        *_markdown(_headings(_WHERE, opponent), compared),
    ]
    return "\n".join(lines)


def as_table(result: GateResult, opponent: str) -> Group:
    """Lay it out for a terminal."""
    title = f"Gate: {_answer(result)}, compared with {opponent}"
    checks = Table(title=title)
    where = Table(caption=_caption(result))
    for table, headings in ((checks, _CHECKED), (where, _WHERE)):
        for at, heading in enumerate(_headings(headings, opponent)):
            table.add_column(heading, justify="right" if at else "left")
    for check in result.checks:
        checks.add_row(*map(Text, _checked(check)))
    for row in _compared(result):
        where.add_row(*map(Text, row))
    return Group(checks, where) if result.checks else Group(title, where)


def _answer(result: GateResult) -> str:
    return "passed" if result.passed else "rejected"


def _caption(result: GateResult) -> str:
    asked = result.asked.confidence if result.asked else result.confidence
    both = f"{percent(asked)} on all rows, {percent(result.confidence)} on slices"
    bounds = percent(asked) if asked == result.confidence or not result.slices else both
    return f"Mean {result.metric} on the same newest rows, lower is better; bounds at {bounds}"


def _headings(headings: tuple[str, ...], opponent: str) -> list[str]:
    defender = "baseline" if opponent == BASELINE else "champion"
    return [heading.format(defender) for heading in headings]


def _checked(check: GateCheck) -> list[str]:
    sides = [_figure(side, check.unit) for side in (check.champion, check.challenger, check.limit)]
    result = {True: "passed", False: "failed", None: "told only"}[check.passed]
    return [check.name, *sides, result]


def _figure(value: float | None, unit: str) -> str:
    match unit:
        case _ if value is None:
            return ""
        case "s":
            return format_seconds(value)
        case "bytes":
            return format_size(value)
        case "loss" | "share":
            return f"{value:.4f}"
    return f"{value:,.0f} {unit}"


def _compared(result: GateResult, most: int | None = None) -> list[list[str]]:
    slices = list(result.slices)
    if most is not None and len(slices) > most:
        slices = sorted(slices, key=lambda part: (not part.is_worse, part.gain))[:most]
    return [_row(part) for part in (result.overall, *slices)]


def _row(part: Comparison) -> list[str]:
    return [
        part.name,
        f"{part.rows:,}",
        f"{part.champion:.4f}",
        f"{part.challenger:.4f}",
        f"{part.gain:+.4f}",
        f"{part.low:+.4f}",
        f"{part.high:+.4f}",
        "" if part.noticed is None else f"{-part.noticed:+.4f}",
        "worse" if part.is_worse else "",
    ]


def _markdown(headings: list[str], rows: list[list[str]]) -> list[str]:
    return [
        f"| {' | '.join(headings)} |",
        f"| --- |{' ---: |' * (len(headings) - 1)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
