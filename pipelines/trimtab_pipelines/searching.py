"""The search: which window and which settings of the learners do best on blocks of time."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from threadpoolctl import threadpool_limits
from xgboost.core import XGBoostError

from trimtab.adapters.predictor import answers_of
from trimtab.policy.losses import losses
from trimtab.policy.training_windows import overall
from trimtab.records.searches import SearchState, SearchTrial, SearchValue
from trimtab.records.training_windows import TrainingWindow
from trimtab.settings.project import ModelSettings

from .blocks import Block, SearchedRows, cut, offered
from .candidates import Prepared, Recipe
from .check import Checked
from .choices import Choice, Plan
from .search_memory import Memory

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What a search has found."""

    plan: Plan
    trials: tuple[SearchTrial, ...]
    rows: int
    """On how many rows it was searched."""

    @property
    def window(self) -> TrainingWindow:
        """The window that versions are made from."""
        return self.plan.window(self.trials)

    @property
    def seconds(self) -> float:
        """How long the trials took, those before an interruption included."""
        return sum(trial.seconds for trial in self.trials)

    def best(self, candidate: str) -> SearchTrial | None:
        """Give the best trial of a candidate; one in the chosen window, if there is any."""
        whole = [t for t in self.trials if t.candidate == candidate and t.is_whole]
        within = [t for t in whole if t.window == str(self.window)]
        return min(within or whole, key=_loss, default=None)

    @property
    def of_windows(self) -> Sequence[SearchTrial]:
        """Give the trials by which the window was chosen: one learner with its usual settings."""
        return self.plan.of_windows(self.trials)

    @property
    def settings(self) -> Mapping[str, Mapping[str, SearchValue]]:
        """Give the best settings of each candidate."""
        found = {name: self.best(name) for name in self.plan.candidates}
        return {name: trial.settings for name, trial in found.items() if trial is not None}


def search(
    checked: Checked,
    ages: np.ndarray,
    fitted: int,
    model: ModelSettings,
    memory: Memory,
    progress: Say,
    on_trial: Callable[[SearchTrial], None] = lambda trial: None,
) -> Searched:
    """Try settings until all trials are done or the time is over.

    `memory` holds the trials done before an interruption, and each one as soon as it is done: the
    search goes on as if there had been none. Nothing is tried where there is nothing to choose
    from, or where no block of time could be asked about.
    """
    wanted = model.train.search
    rows = cut(checked, ages, fitted, blocks=wanted.blocks, max_rows=wanted.max_rows)
    is_idle = not model.task.has_labels or not rows.blocks
    plan = Plan(
        candidates=model.candidates,
        windows=tuple(offered(rows, model.train.window)),
        trials=0 if is_idle else wanted.trials,
        blocks=len(rows.blocks),
        seed=model.train.seed,
    )
    done = list(memory.trials())[: plan.trials]
    if done:
        progress(f"the search goes on behind trial {len(done)}")
    asking = _Asking(
        rows=rows,
        model=model,
    )
    limit = wanted.time_limit.total_seconds()
    with threadpool_limits(max(1, (os.cpu_count() or 1) // 2)):
        while (choice := plan.next(done)) is not None:
            spent = sum(trial.seconds for trial in done)
            if done and spent >= limit:
                progress(f"the search ends: {limit:.0f} s are over")
                break
            trial = asking.attempt(choice, number=len(done), seconds=limit - spent)
            memory.add(trial)
            done.append(trial)
            on_trial(trial)
            progress(_said(done, plan, model, limit))
    return Searched(plan=plan, trials=tuple(done), rows=len(rows.checked.inputs))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """Fits and asks what trials choose; rows are prepared once for all of them."""

    rows: SearchedRows
    model: ModelSettings
    known: dict[tuple[bool, int, int], Prepared] = field(default_factory=dict)

    def attempt(self, choice: Choice, *, number: int, seconds: float) -> SearchTrial:
        """Ask about one block after the other, until it shows that others do better."""
        began, found = time.monotonic(), list[tuple[float, ...]]()
        state, reason = SearchState.DONE, ""
        try:
            for place, block in enumerate(self.rows.blocks):
                found.append(self._pieces(choice, block))
                if place + 1 == len(self.rows.blocks):
                    break
                if choice.is_behind(place, self._overall(found)):
                    state, reason = SearchState.PRUNED, "behind the others on the newest rows"
                    break
                if number and time.monotonic() - began > seconds:
                    state, reason = SearchState.PRUNED, "the time was over"
                    break
        except (ValueError, ArithmeticError, XGBoostError) as error:
            state, reason = SearchState.FAILED, f"{type(error).__name__}: {error}"[:500]
        loss = self._overall(found) if found and state is not SearchState.FAILED else None
        return SearchTrial(
            number=number,
            candidate=choice.candidate,
            window=str(choice.window),
            settings=choice.settings,
            state=state,
            blocks=tuple(found),
            loss=loss,
            seconds=time.monotonic() - began,
            reason=reason,
        )

    def _overall(self, found: Sequence[tuple[float, ...]]) -> float:
        return overall(found, len(self.rows.blocks))

    def _pieces(self, choice: Choice, block: Block) -> tuple[float, ...]:
        checked = self.rows.checked
        recipe = Recipe(
            candidate=choice.candidate,
            contract=checked.contract,
            metric=self.model.metric,
            train=self.model.train,
            settings=choice.settings,
        )
        first = self.rows.first(choice.window, block)
        prepared = self._prepared(recipe, first, block)
        truth = checked.truth[first : block.end]
        counted = self.rows.weights(choice.window, block)
        learner = recipe.learn(prepared, truth, block.start - first, counted)
        answers = answers_of(checked.contract, recipe.answers(learner, prepared))
        labels = checked.labels.iloc[block.start : block.end].to_numpy(dtype=object)
        found = losses(
            recipe.metric, checked.contract, answers.probabilities, answers.predictions, labels
        )
        if not np.isfinite(found).all():
            raise ArithmeticError("a loss is no finite number")
        return block.pieces(found)

    def _prepared(self, recipe: Recipe, first: int, block: Block) -> Prepared:
        key = (recipe.takes_gaps, first, block.start)
        if key not in self.known:
            inputs = self.rows.checked.inputs
            self.known[key] = recipe.prepare(
                inputs.iloc[first : block.start], inputs.iloc[block.start : block.end]
            )
        return self.known[key]


def _loss(trial: SearchTrial) -> float:
    return np.inf if trial.loss is None else trial.loss


def _said(done: Sequence[SearchTrial], plan: Plan, model: ModelSettings, limit: float) -> str:
    """Tell how far it is: `trial 7 of 20: xgboost, all: log_loss 0.5101; best 0.5093, ...`."""
    trial, best = done[-1], min(done, key=lambda t: _loss(t) if t.is_whole else np.inf)
    spent = sum(each.seconds for each in done)
    left = min(spent / len(done) * (plan.trials - len(done)), max(0.0, limit - spent))
    came = "failed" if trial.loss is None else f"{model.metric} {trial.loss:.4f}"
    if trial.state is SearchState.PRUNED:
        came += ", pruned"
    known = f"best {_loss(best):.4f}" if best.is_whole else "none is done yet"
    where = f"trial {len(done)} of {plan.trials}: {trial.candidate}, {trial.window}"
    end = f", about {left:.0f} s left" if len(done) < plan.trials else ""
    return f"{where}: {came}; {known}{end}"
