"""What a version says of itself in the registry, as Markdown."""

from collections.abc import Mapping, Sequence

from trimtab.records.urls import without_userinfo
from trimtab.settings.project import ModelSettings

from .fitting import Fitted
from .snapshot import Snapshot
from .split import Split


def describe(
    chosen: Fitted,
    candidates: Sequence[Fitted],
    measured: Mapping[str, float],
    baseline: float,
    snapshot: Snapshot,
    split: Split,
    model: ModelSettings,
) -> str:
    """Write data, candidates and metrics of a version down."""
    known = "only the labels" if model.task.has_labels else "of nothing to find"
    span = f", {snapshot.first[:10]} to {snapshot.last[:10]}" if snapshot.first else ""
    lines = [
        f"**{chosen.name}**, chosen of {len(candidates)} by {model.metric} on validation rows.",
        "",
        f"- Data: {snapshot.rows:,} rows{span}, from `{without_userinfo(model.source)}` (digest "
        f"`{snapshot.digest}`); {split.fitted:,} to fit on, the newest "
        f"{snapshot.rows - split.fitted:,} to validate.",
        f"- Trained until {split.trained_until:%Y-%m-%d %H:%M} UTC; {len(split.gate):,} newer rows "
        "are kept for the gate.",
        f"- The baseline, which knows {known}, has {model.metric} {baseline:.4f}.",
        "",
        f"| candidate | {model.metric}, validation | training | gap |",
        "| --- | --- | --- | --- |",
        *(
            f"| {c.name} | {c.validation_loss:.4f} | {c.train_loss:.4f} | {c.gap:.4f} |"
            for c in candidates
        ),
        "",
        "| metric | value |",
        "| --- | --- |",
        *(f"| {name} | {value:.4f} |" for name, value in measured.items()),
    ]
    return "\n".join(lines)
