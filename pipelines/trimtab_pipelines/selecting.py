"""Model selection: from rows to the candidate that a version is made of, touching no store."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pandas as pd

from trimtab.policy.training_windows import first_row, weights
from trimtab.records.searches import SearchTrial
from trimtab.records.training_windows import TrainingWindow
from trimtab.settings.project import ModelSettings

from .blocks import is_enough
from .check import Checked, check
from .fitting import Fitted, fit_candidates
from .search_memory import Memory, OwnMemory
from .searching import Searched, search
from .split import Split, ages, split_by_time
from .validation import baseline_loss, choose

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Rows that are split and checked, before anything was fitted."""

    checked: Checked
    split: Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """The chosen candidate, and the rows of its window."""

    best: Fitted
    candidates: tuple[Fitted, ...]
    """Every candidate with its best settings, fitted on the same rows; the best among them."""
    baseline: float
    """Validation loss of who knows only the labels."""
    checked: Checked
    """The rows of the chosen window, and how much each counts; what a version is made from."""
    split: Split
    """Cut to the same rows."""
    searched: Searched


def prepare(rows: pd.DataFrame, name: str, model: ModelSettings, until: datetime) -> Ready:
    """Split rows that were known at `until`, and check them. Raises DataRefusedError."""
    split = split_by_time(rows, model, until)
    return Ready(split=split, checked=check(split.seen, split.fitted, name, model))


def select(
    ready: Ready,
    model: ModelSettings,
    *,
    memory: Memory | None = None,
    progress: Say = lambda message: None,
    on_trial: Callable[[SearchTrial], None] = lambda trial: None,
) -> Selected:
    """Search for window and settings, fit every candidate with the best, and choose.

    The rows of the gate are never looked at. Raises NoCandidateError when every candidate is
    beyond the overfitting guard.
    """
    split, whole = ready.split, ready.checked
    known = _ages(split, model)
    searched = search(
        whole,
        known,
        split.fitted,
        model,
        memory or OwnMemory(),
        progress,
        on_trial,
    )
    window, fitted = searched.window, split.fitted
    if searched.trials and len(searched.plan.windows) > 1:
        progress(f"window {window}, of {', '.join(map(str, searched.plan.windows))}")
    before = known[:fitted] - known[fitted]
    start = first_row(window, before)
    if not is_enough(whole, start, fitted):  # of a single window that is short
        start = 0
    seen = whole.since(start, weights(window, known[start:]))
    candidates = fit_candidates(seen, fitted - start, model, progress, searched.settings)
    baseline = baseline_loss(seen, candidates[0], model)
    best = choose(candidates, baseline, model)
    later = _dropped(window, known, fitted, whole, start)
    return Selected(
        best=best.since(later),
        candidates=tuple(candidate.since(later) for candidate in candidates),
        baseline=baseline,
        checked=replace(
            seen.since(later, None if seen.weights is None else seen.weights[later:]),
            contract=best.contract,
        ),
        split=replace(split, start=split.start + start + later),
        searched=searched,
    )


def _dropped(
    window: TrainingWindow, known: np.ndarray, fitted: int, whole: Checked, start: int
) -> int:
    """Tell how many more rows are too old, now that the window ends behind the validation rows.

    At least as many fitted rows stay as validate, so that losses on both can be compared.
    """
    wanted = max(start, min(first_row(window, known), 2 * fitted - len(known)))
    return wanted - start if is_enough(whole, wanted, len(known)) else 0


def _ages(split: Split, model: ModelSettings) -> np.ndarray:
    times = None if model.time is None else split.seen[model.time]
    return ages(times, len(split.seen), split.trained_until)
