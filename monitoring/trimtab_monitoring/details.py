"""What `trimtab watch` shows of the newest window: every column that is not well, in 80 columns."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from trimtab.records.evidence import Evidence
from trimtab.records.verdicts import Finding, FindingKind, Verdict

_COLOURS = {FindingKind.DRIFTED: "yellow", FindingKind.BROKEN: "red", FindingKind.NOT_JUDGED: "dim"}
_NAME = 24
_MOST = 12


def details_of(verdict: Verdict) -> RenderableType:
    """Lay out the findings of a window that somebody should read."""
    told = [f for f in verdict.worst_first if f.kind is not FindingKind.STABLE or f.note]
    well = len(verdict.findings) - len(told)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("column", max_width=_NAME, overflow="fold")
    table.add_column("finding", no_wrap=True)
    table.add_column("what it shows", overflow="fold")
    for name in ("weight", "miss.", "dist."):
        table.add_column(name, justify="right", no_wrap=True)
    for finding in told[:_MOST]:
        table.add_row(*_cells(finding))
    rest = f"and {len(told) - _MOST} more; " if len(told) > _MOST else ""
    after = Text(f"{rest}{well} of {len(verdict.findings)} stable", style="dim")
    if verdict.report:
        after.append(f"; report in MLflow: {verdict.report}")
    else:
        after.append(f"; trimtab report {verdict.model} writes a page")
    return Group(*([table] if told else []), after)


def _cells(finding: Finding) -> list[Text]:
    weight = f"{finding.importance:.0%}" if finding.importance else "-"
    distance = "-" if finding.distance is None else f"{finding.distance:.2f}"
    kind = Text(finding.kind.replace("_", " "), style=_COLOURS.get(finding.kind, "green"))
    cells = (finding.words, weight, f"{finding.missing:.0%}", distance)
    return [_text(finding.column), kind, *map(_text, cells)]


def _text(said: str) -> Text:
    """Show names and values of the data as they are, none of them as colours of the terminal."""
    return Text("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in said))


def as_document(verdicts: Mapping[str, Sequence[Verdict]]) -> bytes:
    """Write verdicts by model as JSON, newest first, without the sums behind their evidence."""
    from trimtab.records.documents import to_json

    shown = {
        model: [replace(v, evidence=Evidence(windows=v.evidence.windows)) for v in found]
        for model, found in verdicts.items()
    }
    return to_json(shown, kind=dict[str, list[Verdict]], indent=2)
