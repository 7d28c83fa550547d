"""What a version says of itself in the registry, as Markdown."""

from collections import Counter
from collections.abc import Mapping

from trimtab.records.searches import SearchState, SearchValue
from trimtab.records.urls import without_userinfo
from trimtab.settings.project import ModelSettings

from .selecting import Selected
from .snapshot import Snapshot
from .validation import calibration_error


def describe(
    selected: Selected, measured: Mapping[str, float], snapshot: Snapshot, model: ModelSettings
) -> str:
    """Write data, search, candidates and metrics of a version down."""
    split, chosen, candidates = selected.split, selected.best, selected.candidates
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
        f"- The baseline, which knows {known}, has {model.metric} {selected.baseline:.4f}.",
        *_search(selected),
        "",
        *_candidates(selected, model.metric),
        *_tried(selected, model.metric),
        "",
        "| metric | value |",
        "| --- | --- |",
        *(f"| {name} | {value:.4f} |" for name, value in measured.items()),
    ]
    return "\n".join(lines)


def _candidates(selected: Selected, metric: str) -> list[str]:
    """Compare the candidates; how well probabilities are calibrated only where there are some."""
    head = ["candidate", f"{metric}, validation", "training", "gap"]
    rows = [
        [c.name, *(f"{value:.4f}" for value in (c.validation_loss, c.train_loss, c.gap))]
        for c in selected.candidates
    ]
    off = [calibration_error(c, selected.checked) for c in selected.candidates]
    if None not in off:
        head.append("calibration error")
        rows = [[*row, _or_nothing(value)] for row, value in zip(rows, off, strict=True)]
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def _search(selected: Selected) -> list[str]:
    """Tell what came of the search in two lines; none without one."""
    searched = selected.searched
    if not searched.trials:
        return []
    states = Counter(trial.state for trial in searched.trials)
    windows = list(map(str, searched.plan.windows))
    why = f", of {', '.join(windows)}; the first is taken unless another is clearly better"
    return [
        f"- Window: **{searched.window}**{why if len(windows) > 1 else ''}.",
        f"- Searched: {len(searched.trials)} of {searched.plan.trials} trials in "
        f"{searched.seconds:.0f} s, {states[SearchState.PRUNED]} pruned and "
        f"{states[SearchState.FAILED]} failed, on {searched.rows:,} rows and "
        f"{searched.plan.blocks} blocks of time.",
    ]


def _tried(selected: Selected, metric: str) -> list[str]:
    """Give a table of the best trial of each candidate, and of the windows beside each other."""
    searched = selected.searched
    best = [trial for c in selected.candidates if (trial := searched.best(c.name)) is not None]
    if not best:
        return []
    usual = searched.of_windows
    return [
        "",
        f"| best trial | window | {metric}, blocks of time | settings |",
        "| --- | --- | --- | --- |",
        *(
            f"| {t.number + 1}: {t.candidate} | {t.window} | {_or_nothing(t.loss)} "
            f"| {_listed(t.settings)} |"
            for t in best
        ),
        *(["", f"| window, usual settings | {metric}, blocks of time |", "| --- | --- |"]),
        *(f"| {t.window}, {t.candidate} | {_or_nothing(t.loss)} |" for t in usual),
    ]


def _listed(settings: Mapping[str, SearchValue]) -> str:
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in settings.items()
    )


def _or_nothing(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
