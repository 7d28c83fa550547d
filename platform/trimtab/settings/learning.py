"""How versions are made, judged, asked for and put in place."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    field_validator,
    model_validator,
)

from trimtab.records.amounts import NO_MARGIN, MarginSetting, Seconds, Size
from trimtab.records.contracts import Task
from trimtab.records.durations import Duration, Rate, RateSetting, format_duration
from trimtab.records.training_windows import TrainingWindow, WindowsSetting
from trimtab.records.triggers import AllOf

from .section import Section

Candidate = Literal[
    "logistic", "ridge", "xgboost", "extra_trees", "kmeans", "isolation_forest", "pca"
]
CANDIDATES: dict[Task, tuple[Candidate, ...]] = {
    Task.BINARY: ("logistic", "xgboost", "extra_trees"),
    Task.MULTICLASS: ("logistic", "xgboost", "extra_trees"),
    Task.REGRESSION: ("ridge", "xgboost", "extra_trees"),
    Task.CLUSTERING: ("kmeans",),
    Task.ANOMALY: ("isolation_forest",),
    Task.EMBEDDING: ("pca",),
}
Metric = Literal[
    "log_loss",
    "brier",
    "squared_error",
    "absolute_error",
    "ambiguity",
    "rate_shift",
    "reconstruction_error",
]
METRICS: dict[Task, tuple[Metric, ...]] = {
    Task.BINARY: ("log_loss", "brier"),
    Task.MULTICLASS: ("log_loss", "brier"),
    Task.REGRESSION: ("squared_error", "absolute_error"),
    Task.CLUSTERING: ("ambiguity",),
    Task.ANOMALY: ("rate_shift",),
    Task.EMBEDDING: ("reconstruction_error",),
}


class SearchSettings(Section):
    """How long a training looks for good settings of its learners, and for the best window."""

    trials: Annotated[int, Field(ge=0, le=1000)] = 20
    """How many choices of learner, window and settings are tried; 0 takes the learners' usual
    settings and the first window."""
    time_limit: Duration = timedelta(minutes=1)
    """No trial begins after this time. The same rows and the same seed give the same model only
    where all trials fit in: how many do otherwise depends on the machine."""
    blocks: Annotated[int, Field(ge=1, le=10)] = 3
    """On how many blocks of time, each as long as the validation rows and the last of them, a trial
    is asked after fitting on what was before."""
    max_rows: Annotated[int, Field(ge=500)] = 40_000
    """Of more rows, every second, third ... is searched on; versions are made from all."""


class TrainSettings(Section):
    """How versions are made."""

    candidates: tuple[Candidate, ...] = ()
    """Which learners compete; empty means all that fit the task."""
    window: Annotated[WindowsSetting, Field(min_length=1)] = tuple(
        map(TrainingWindow.parse, ("all", "recent", "weighted"))
    )
    """How far back training looks: `all`; `recent`, the newest third, or a length such as `90d`;
    `weighted`, all rows, but older ones count less, by half every `30d` in `weighted 30d`. Of
    several, the search takes the first, unless another is clearly better."""
    validation: Annotated[float, Field(gt=0, lt=0.5)] = 0.15
    """Share of the training rows, the newest, on which candidates are compared."""
    max_gap: Annotated[float, Field(gt=0)] = 0.5
    """Overfitting guard: how much larger the validation loss may be than the training loss,
    relative to the baseline's loss; a candidate beyond it is not chosen."""
    clusters: Literal["auto"] | Annotated[int, Field(ge=2, le=100)] = "auto"
    """How many clusters there are; `auto` takes the number, up to 10, that tells them apart best
    (silhouette)."""
    contamination: Annotated[float, Field(gt=0, lt=0.5)] = 0.02
    """Share of the training rows that count as anomalies, the oddest. The smaller it is, the more
    rows the gate needs to prove that it holds."""
    dimensions: Literal["auto"] | Annotated[int, Field(ge=1, le=1000)] = "auto"
    """How many numbers an embedding has; `auto` takes as few as hold nine tenths of the variance
    of the prepared inputs."""
    seed: int = 0
    """The same rows and the same seed give the same model."""
    search: SearchSettings = SearchSettings()

    @model_validator(mode="after")
    def _windows_differ(self) -> "TrainSettings":
        if len(set(self.window)) < len(self.window):
            raise ValueError("window: one is named twice")
        return self


class GateSettings(Section):
    """When a challenger may replace the champion."""

    metric: Metric | None = None
    """The loss that decides; by default log_loss, or squared_error for regression. Without labels
    there is one for each task: ambiguity for clustering, rate_shift for anomaly,
    reconstruction_error for embedding."""
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    """The challenger must be better with this confidence, on the same rows. All looks that there
    will ever be at the same rows share the error that it leaves, so each is asked for more."""
    margin: MarginSetting = NO_MARGIN
    """By more than how much it must be better: `0.01` of the loss, or `2%` of the champion's."""
    window: Duration | None = None
    """The newest rows, kept from training, that both are judged on; by default a tenth, or
    `min_rows` where that is more."""
    min_rows: Annotated[int, Field(ge=20)] = 100
    """Fewer rows than this prove nothing."""
    slices: tuple[str, ...] = ()
    """Columns within whose values the challenger must not be worse; the monitor measures losses
    within them, too."""
    slice_margin: MarginSetting = NO_MARGIN
    """How much worse than the champion it may be within a slice; written like `margin`."""
    calibration_margin: Annotated[float, Field(ge=0, le=1)] = 0.02
    """How much further off its probabilities may be from what happens than the champion's are."""
    max_latency: Seconds | None = None
    """Longest usual time for an answer to one row, such as `5ms`, on the machine that judges."""
    max_slowdown: Annotated[float, Field(gt=0)] | None = None
    """Most that this time may be as a multiple of the champion's: `2` is twice as slow."""
    max_size: Size | None = None
    """Most that the version's files may take, such as `50 MB`."""


AskWhen = Annotated[AllOf, BeforeValidator(AllOf.parse), PlainSerializer(str, return_type=str)]


class RetrainSettings(Section):
    """When a new version may be asked for, and when it is trained. A person may always ask."""

    on: tuple[AskWhen, ...] = (AllOf.parse("drift"), AllOf.parse("quality"))
    """What asks for a new version; any entry is enough, and `and` within one joins conditions:
    `["quality", "drift and 1000 new labels", "every 30d"]`. There are `drift`, `quality`,
    `measured quality`, `estimated quality`, `every 30d` (since the last training or promotion) and
    `1000 new labels`. Broken data never asks."""
    cooldown: Duration = timedelta(days=3)
    """Shortest time between two trainings of one model; a preview that says no is made again after
    a quarter, a half, and all of it."""
    budget: RateSetting = Rate.parse("4 per month")
    """How many trainings there may be."""
    min_new_rows: Annotated[int, Field(ge=1)] = 500
    """Labelled rows that the champion has not seen."""
    completeness: Annotated[float, Field(ge=0, lt=1)] = 0.95
    """Rows are used when they are so old that this share of their labels has come, as far as it is
    known how late labels come: the labels that come first are not like the others. 0 uses every
    labelled row."""
    preview: bool = True
    """Before a training is paid for, a cheap fit on few rows must predict a gain. A person is shown
    what it predicts, and not stopped."""
    give_up_after: Annotated[int, Field(ge=1)] = 5
    """After this many losing challengers in a row a person is asked instead."""
    approval: Literal["automatic", "manual"] = "automatic"
    """`manual`: a winner waits for `trimtab approve` or `trimtab reject`."""

    @field_validator("on", mode="before")
    @classmethod
    def _is_list(cls, on: object) -> object:
        if isinstance(on, str):
            raise ValueError(f'write a list: on = ["{on}"]')
        return on

    @model_validator(mode="after")
    def _can_be(self) -> "RetrainSettings":
        for every in (c.every for entry in self.on for c in entry.conditions if c.every):
            if every < self.cooldown:
                raise ValueError(
                    f"on: every {format_duration(every)} would always wait for the cooldown of "
                    f"{format_duration(self.cooldown)}; make that shorter"
                )
        return self


def _bake(text: object) -> object:
    return "off" if str(text).strip() in ("0", "off") else text


class PromotionSettings(Section):
    """How the champion moves, and how a new one has to prove itself."""

    bake: Annotated[Literal["off"] | Duration, BeforeValidator(_bake)] = timedelta(days=1)
    """So long a new champion is watched beside what the one before would have answered; one that
    is proven worse is rolled back. `off`, or `0`, for never."""
    confidence: Annotated[float, Field(ge=0.8, lt=1)] = 0.95
    """A champion that is as good as the one before stays with at least this probability, over
    all looks and all questions of its bake."""
    max_slowdown: Annotated[float, Field(gt=1)] = 2.0
    """How many times as long as the one before a champion may let callers wait, at p50 and at p99,
    before its bake takes it back."""
    hand_moves: Literal["put back", "adopt"] = "put back"
    """What becomes of an alias `champion` that somebody moves in MLflow: it is put back, or the
    version is adopted once it has passed the checks that `trimtab promote` makes."""
    approval_within: Duration = timedelta(days=14)
    """A winner that nobody approves in this time is rejected: while one waits, nothing else is
    trained."""

    @property
    def bakes_for(self) -> timedelta | None:
        """The length of a bake; None where there is none."""
        return self.bake if isinstance(self.bake, timedelta) else None
