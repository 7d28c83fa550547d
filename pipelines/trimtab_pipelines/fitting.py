"""Fit every candidate on the older rows and measure it on the newer ones."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from sklearn.pipeline import Pipeline

from trimtab.adapters.device import DeviceChoice
from trimtab.adapters.predictor import Answers, Predictor, answers_of
from trimtab.policy.losses import losses
from trimtab.records.contracts import Contract
from trimtab.records.searches import SearchValue
from trimtab.settings.learning import Candidate
from trimtab.settings.project import ModelSettings

from .candidates import Recipe
from .check import Checked
from .unlabelled import settled

_HERE = DeviceChoice(device="cpu", note="CPU, where it was trained")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A candidate that was fitted on the training rows alone, with what it says of all rows."""

    recipe: Recipe
    pipeline: Pipeline
    contract: Contract
    """What the fit has settled included."""
    answers: Answers
    """For training and validation rows, in their order."""
    losses: np.ndarray
    fitted: int
    """How many of the rows, the oldest, it was fitted on."""

    @property
    def name(self) -> Candidate:
        """Which candidate it is."""
        return self.recipe.candidate

    @property
    def train_loss(self) -> float:
        """Mean loss on the rows it was fitted on."""
        return float(self.losses[: self.fitted].mean())

    @property
    def validation_loss(self) -> float:
        """Mean loss on the newer rows, which it was not fitted on."""
        return float(self.losses[self.fitted :].mean())

    @property
    def gap(self) -> float:
        """By how much it does worse on rows it does not know."""
        return self.validation_loss - self.train_loss

    def since(self, start: int) -> "Fitted":
        """Leave out what it says of the rows before `start`."""
        shares = self.answers.probabilities
        kept = Answers(
            predictions=self.answers.predictions[start:],
            probabilities=None if shares is None else shares[start:],
        )
        return replace(self, answers=kept, losses=self.losses[start:], fitted=self.fitted - start)


def fit_candidates(
    checked: Checked,
    fitted: int,
    model: ModelSettings,
    progress: Callable[[str], None],
    settings: Mapping[str, Mapping[str, SearchValue]] | None = None,
) -> list[Fitted]:
    """Fit all candidates of a model on the first `fitted` rows.

    `settings` are, by candidate, what a search has found.
    """
    found = []
    for name in model.candidates:
        recipe = Recipe(
            candidate=name,
            contract=checked.contract,
            metric=model.metric,
            train=model.train,
            settings=(settings or {}).get(name, {}),
        )
        candidate = _fit(recipe, checked, fitted)
        progress(
            f"{name}: {model.metric} {candidate.validation_loss:.4f} on validation rows, "
            f"{candidate.train_loss:.4f} on training rows"
        )
        found.append(candidate)
    return found


def predictor_of(contract: Contract, pipeline: Pipeline) -> Predictor:
    """Wrap a pipeline that was fitted here, so that the trainer asks as everybody asks."""
    return Predictor(contract, pipeline, _HERE)


def _fit(recipe: Recipe, checked: Checked, fitted: int) -> Fitted:
    learned = recipe.fit(checked.inputs, checked.truth, fitted, checked.weights)
    contract = settled(checked.contract, learned.output[:fitted], recipe.train)
    answers = answers_of(contract, learned.output)
    found = losses(
        recipe.metric,
        contract,
        answers.probabilities,
        answers.predictions,
        checked.labels.to_numpy(dtype=object),
    )
    return Fitted(
        recipe=recipe,
        pipeline=learned.pipeline,
        contract=contract,
        answers=answers,
        losses=found,
        fitted=fitted,
    )
