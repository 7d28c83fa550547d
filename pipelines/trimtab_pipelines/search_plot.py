"""The plot of a search: every trial, and the best loss so far."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from .searching import Searched


def draw_search(folder: Path, searched: Searched, metric: str) -> None:
    """Draw the trials of a search into `search.png`; nothing where none was asked to its end."""
    whole = [trial for trial in searched.trials if trial.is_whole and trial.loss is not None]
    if not whole:
        return
    figure = Figure(figsize=(6, 4), dpi=100, layout="constrained")
    axes = figure.subplots()
    for name in searched.plan.candidates:
        for is_whole, marker in ((True, "o"), (False, "x")):
            shown = [
                trial
                for trial in searched.trials
                if (trial.candidate, trial.is_whole) == (name, is_whole) and trial.loss is not None
            ]
            axes.plot(
                [trial.number + 1 for trial in shown],
                [trial.loss or 0.0 for trial in shown],
                marker,
                color=f"C{searched.plan.candidates.index(name)}",
                label=name if is_whole else None,
            )
    best = np.minimum.accumulate([trial.loss or 0.0 for trial in whole])
    axes.step([trial.number + 1 for trial in whole], best, where="post", color="grey", linewidth=1)
    axes.legend(fontsize=7)
    axes.set(
        xlabel="trial", ylabel=f"{metric}, blocks of time", title="Search (crosses were pruned)"
    )
    figure.savefig(folder / "search.png")
