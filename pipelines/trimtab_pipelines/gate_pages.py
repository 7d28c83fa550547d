"""What MLflow shows of a contest: table and plot, for a rejected challenger too."""

import tempfile
from pathlib import Path

from trimtab.ports.reports import Reports
from trimtab.records.documents import to_json
from trimtab.records.gate import GateResult
from trimtab.records.versions import ModelVersion

from .gate_plot import draw
from .gate_table import as_markdown
from .judging import Match

_BLOCK = "gate"
_MOST_TOLD = 8
"""Reasons and slices in the description, which the one of the training shares."""


def publish(
    reports: Reports, version: ModelVersion, result: GateResult, opponent: str, match: Match | None
) -> None:
    """Add `gate.json`, the table and the plot to the version's run, both to its description.

    Nothing here is ever read back. Without a match there is no plot.
    """
    text = as_markdown(result, opponent, most=_MOST_TOLD)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "gate.json").write_bytes(to_json(result, indent=2))
        (folder / "gate.md").write_text(as_markdown(result, opponent), encoding="utf-8")
        for name in ("gate.json", "gate.md"):
            reports.publish(version, name, folder / name)
        if match is not None:
            draw(folder / "gate.png", result, match)
            path = reports.publish(version, "gate.png", folder / "gate.png")
            shown = f"![Gains]({reports.image(version, path)})"
            text = f"{text}\n\n{shown}\n\n[The plot]({reports.link(version, path)})"
    reports.describe(version, _BLOCK, text)
    reports.annotate(
        version,
        tags={"trimtab.gate": "passed" if result.passed else "rejected"},
        metrics={"gate.gain": result.overall.gain, "gate.low": result.overall.low},
    )
