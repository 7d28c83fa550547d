"""What a search tries next: a function of the trials that are done, and of nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from trimtab.policy.training_windows import is_clearly_better, overall
from trimtab.records.searches import SearchState, SearchTrial, SearchValue
from trimtab.records.training_windows import TrainingWindow
from trimtab.settings.learning import Candidate

from .learners import space_of, usual

_AT_RANDOM = 6
"""Trials in the chosen window before the sampler reckons from them."""
_WHOLE_BEFORE_PRUNING = 3
_STATES = {
    SearchState.DONE: TrialState.COMPLETE,
    SearchState.PRUNED: TrialState.PRUNED,
    SearchState.FAILED: TrialState.FAIL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a trial is to try."""

    candidate: Candidate
    window: TrainingWindow
    settings: Mapping[str, SearchValue]
    trial: optuna.Trial | None = None
    """Optuna's view of it; None for the first trials, which are compared whole."""

    def is_behind(self, place: int, loss: float) -> bool:
        """Tell whether others did better up to a block; the newest is the first."""
        if self.trial is None:
            return False
        self.trial.report(loss, place)
        return self.trial.should_prune()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The window first, then the settings within it.

    Every candidate is tried with its usual settings in the first window, and the best of them in
    each other window. The rest of the trials look for settings in the window that came out, by
    Optuna's tree-structured Parzen estimator (Bergstra et al., "Algorithms for hyper-parameter
    optimization", 2011), pruned by the median.
    """

    candidates: Sequence[Candidate]
    windows: Sequence[TrainingWindow]
    trials: int
    blocks: int
    seed: int

    def next(self, done: Sequence[SearchTrial]) -> Choice | None:
        """Choose what to try; None when all trials are done.

        The same trials lead to the same choice, whichever process did them.
        """
        number = len(done)
        if number >= self.trials:
            return None
        if number < len(self.candidates):
            return self._usual(self.candidates[number], self.windows[0])
        other = number - len(self.candidates) + 1
        leader = self._leader(done)
        if leader is not None and other < len(self.windows):
            return self._usual(leader.candidate, self.windows[other])
        return self._search(done)

    def window(self, done: Sequence[SearchTrial]) -> TrainingWindow:
        """Give the first window, unless the best of the others is clearly better."""
        compared = self.of_windows(done)
        if not compared:
            return self.windows[0]
        first, *others = compared
        better = [t for t in others if is_clearly_better(t, first, self.blocks)]
        best = min(better, key=_loss, default=first)
        return next(w for w in self.windows if str(w) == best.window)

    def of_windows(self, done: Sequence[SearchTrial]) -> Sequence[SearchTrial]:
        """Give the trials of the first windows' best candidate, one in each window."""
        leader, first = self._leader(done), len(self.candidates)
        if leader is None:
            return []
        others = done[first : first + len(self.windows) - 1]
        return [leader, *(trial for trial in others if trial.is_whole)]

    def _usual(self, candidate: str, window: TrainingWindow) -> Choice:
        name = next(known for known in self.candidates if known == candidate)
        return Choice(candidate=name, window=window, settings=usual(name))

    def _leader(self, done: Sequence[SearchTrial]) -> SearchTrial | None:
        whole = [trial for trial in done[: len(self.candidates)] if trial.is_whole]
        return min(whole, key=_loss, default=None)

    def _search(self, done: Sequence[SearchTrial]) -> Choice:
        window = self.window(done)
        within = [trial for trial in done if trial.window == str(window)]
        study = self._study(within, number=len(done))
        untried = [c for c in self.candidates if c not in {t.candidate for t in within}]
        if untried:
            study.enqueue_trial(_named(untried[0], usual(untried[0])))
        trial = study.ask()
        chosen = trial.suggest_categorical("candidate", list(self.candidates))
        candidate = next(known for known in self.candidates if known == chosen)
        settings = {
            name: _suggested(trial, f"{candidate}.{name}", bounds)
            for name, bounds in space_of(candidate).items()
        }
        return Choice(candidate=candidate, window=window, settings=settings, trial=trial)

    def _study(self, within: Sequence[SearchTrial], number: int) -> optuna.Study:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(
            sampler=TPESampler(n_startup_trials=_AT_RANDOM, seed=self.seed * 1000 + number),
            pruner=MedianPruner(n_startup_trials=_WHOLE_BEFORE_PRUNING),
        )
        study.add_trials([self._as_optuna(trial) for trial in within])
        return study

    def _as_optuna(self, trial: SearchTrial) -> FrozenTrial:
        known = next(name for name in self.candidates if name == trial.candidate)
        bounds: dict[str, BaseDistribution] = {
            "candidate": CategoricalDistribution(list(self.candidates))
        }
        bounds |= {f"{known}.{name}": space for name, space in space_of(known).items()}
        reached = {
            place: overall(trial.blocks[: place + 1], self.blocks)
            for place in range(len(trial.blocks))
        }
        return create_trial(
            state=_STATES[trial.state],
            params=_named(known, trial.settings),
            distributions=bounds,
            value=trial.loss if trial.is_whole else None,
            intermediate_values=reached,
        )


def _suggested(trial: optuna.Trial, name: str, bounds: FloatDistribution | IntDistribution) -> Any:
    if isinstance(bounds, IntDistribution):
        return trial.suggest_int(name, bounds.low, bounds.high, log=bounds.log)
    return trial.suggest_float(name, bounds.low, bounds.high, log=bounds.log)


def _named(candidate: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {"candidate": candidate, **{f"{candidate}.{k}": v for k, v in settings.items()}}


def _loss(trial: SearchTrial) -> float:
    return np.inf if trial.loss is None else trial.loss
