"""`trimtab.toml`: what a user declares, checked; the comment under a field is its manual."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    field_validator,
    model_validator,
)

from trimtab.records.amounts import NO_MARGIN, MarginSetting, Seconds, Size
from trimtab.records.contracts import Task
from trimtab.records.devices import WantedDevice
from trimtab.records.durations import Duration, Rate, RateSetting, format_duration
from trimtab.records.training_windows import TrainingWindow, WindowsSetting
from trimtab.records.triggers import AllOf, Cause

from .hosts import is_loopback

MODEL_NAME = r"^[a-z][a-z0-9-]{0,47}$"
ModelName = Annotated[str, StringConstraints(pattern=MODEL_NAME)]
"""Lower case, so that one name serves MLflow, the Bento, URLs and folders alike."""

Candidate = Literal[
    "logistic", "ridge", "xgboost", "extra_trees", "kmeans", "isolation_forest", "pca"
]
_CANDIDATES: dict[Task, tuple[Candidate, ...]] = {
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
_METRICS: dict[Task, tuple[Metric, ...]] = {
    Task.BINARY: ("log_loss", "brier"),
    Task.MULTICLASS: ("log_loss", "brier"),
    Task.REGRESSION: ("squared_error", "absolute_error"),
    Task.CLUSTERING: ("ambiguity",),
    Task.ANOMALY: ("rate_shift",),
    Task.EMBEDDING: ("reconstruction_error",),
}


class Section(BaseModel):
    """A table of `trimtab.toml`: frozen, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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


class MonitorSettings(Section):
    """How live traffic is watched."""

    window: Duration = timedelta(days=1)
    """The slice of time that is judged at once."""
    false_alarms: RateSetting = Rate.parse("1 per quarter")
    """The budget: how often an alarm may be raised although nothing changed."""
    k: Annotated[int, Field(ge=1)] = 2
    """An incident opens when this many ..."""
    n: Annotated[int, Field(ge=1)] = 3
    """... of this many windows in a row are not well."""
    min_rows: Annotated[int, Field(ge=30)] = 200
    """Windows with fewer rows are `not_enough_rows`."""
    lateness: Duration = timedelta(minutes=5)
    """How long after its end a window waits for stragglers."""

    @model_validator(mode="after")
    def _k_of_n(self) -> "MonitorSettings":
        if self.k > self.n:
            raise ValueError(f"k = {self.k} of n = {self.n} windows can never happen")
        return self


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


class ServeSettings(Section):
    """Where the endpoint listens."""

    host: str = "127.0.0.1"
    """Anything but loopback needs a key: `trimtab key create`, or TRIMTAB_API_KEY."""
    port: Annotated[int, Field(ge=1, le=65535)] = 3000
    """Each model has an endpoint of its own, so each needs its own port."""
    device: WantedDevice = "auto"
    """`auto` takes a GPU where there is one, `cpu` none; `cuda` and `cuda:1` ask for the first and
    the second that the process sees. Where it cannot be had, the CPU answers and says so."""
    max_rows: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Most rows in one request."""
    max_body: Annotated[int, Field(ge=1024, le=64 << 20)] = 1 << 20
    """Most bytes in one request; while a large one is answered, all others wait."""
    keep_versions: Annotated[int, Field(ge=2)] = 5
    """So many champions, and so many of the newest versions, stay packaged on this machine; what
    comes back after that is fetched from MLflow and built again."""
    spare: bool = True
    """Keeps a second process with the version in memory, which takes over when the first dies."""


class CaptureSettings(Section):
    """What is kept of the requests, and for how long."""

    drop: tuple[str, ...] = ()
    """Inputs that never reach the disk; the monitor does not judge them."""
    hash: tuple[str, ...] = ()
    """Inputs of text that are kept as a keyed hash, so that equal values can still be told."""
    hash_keys: bool = False
    """Keep the keys of requests and labels as their keyed hash. Set it before the first request:
    labels find their predictions only where both were hashed."""
    retention: Duration | None = None
    """Rows of the inference log that are older are removed; by default none are."""

    @property
    def needs_key(self) -> bool:
        """Tell whether anything is hashed."""
        return bool(self.hash) or self.hash_keys

    def redacts(self, names: Iterable[str]) -> list[str]:
        """Name the inputs, of those given, whose values are not in the log as they came."""
        return [name for name in names if name in self.drop or name in self.hash]

    @model_validator(mode="after")
    def _one_way_each(self) -> "CaptureSettings":
        if both := set(self.drop) & set(self.hash):
            raise ValueError(f"{min(both)!r} is named in drop and in hash")
        return self


class ModelSettings(Section):
    """One model."""

    task: Task
    """What the model is asked for: one of two classes, one of many, or a number. Without labels:
    the cluster that a row belongs to, how odd it is, or its place in fewer dimensions."""
    source: str
    """Parquet or CSV (any fsspec URL, globs allowed), `sql:SELECT ...` with `source_url`, or
    `module:function` in the project's folder."""
    source_url: str | None = None
    """SQLAlchemy URL of a `sql:` source; `env:NAME` reads it from the environment."""
    target: str | None = None
    """Column to predict; rows without it are not used. Clustering, anomaly and embedding have
    none."""
    time: str | None = None
    """Column by which rows are split; without it, rows are taken to be in time order."""
    key: str | None = None
    """Column that ties a prediction to its label."""
    label_time: str | None = None
    """Column that says when the target became known; rows are not used before it."""
    exclude: tuple[str, ...] = ()
    """Columns that are no inputs: what is known only afterwards, names, notes."""
    train: TrainSettings = TrainSettings()
    gate: GateSettings = GateSettings()
    monitor: MonitorSettings = MonitorSettings()
    retrain: RetrainSettings = RetrainSettings()
    promotion: PromotionSettings = PromotionSettings()
    serve: ServeSettings = ServeSettings()
    capture: CaptureSettings = CaptureSettings()

    @property
    def metric(self) -> Metric:
        """The loss by which versions are compared."""
        return self.gate.metric or _METRICS[self.task][0]

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The learners that compete."""
        return self.train.candidates or _CANDIDATES[self.task]

    @property
    def reserved(self) -> set[str]:
        """The columns of the source that are no inputs."""
        named = (self.target, self.time, self.key, self.label_time, *self.exclude)
        return {name for name in named if name is not None}

    @model_validator(mode="after")
    def _fits_task(self) -> "ModelSettings":
        unfit = [c for c in self.candidates if c not in _CANDIDATES[self.task]]
        if unfit:
            fitting = ", ".join(_CANDIDATES[self.task])
            raise ValueError(f"train.candidates: {unfit[0]} is not for {self.task}; use {fitting}")
        if self.metric not in _METRICS[self.task]:
            fitting = ", ".join(_METRICS[self.task])
            raise ValueError(f"gate.metric: {self.metric} is not for {self.task}; use {fitting}")
        if self.task.has_labels != (self.target is not None):
            wrong = "needs the column to predict" if self.task.has_labels else "has no labels"
            raise ValueError(f"target: {self.task} {wrong}")
        if not self.task.has_labels and self.train.window[0].kind == "weighted":
            raise ValueError(f"train.window: rows of {self.task} are not weighted")
        if self.target is not None and self.target in (self.time, self.key, *self.exclude):
            raise ValueError(f"target: {self.target!r} is also named as time, key or excluded")
        asks = [c.cause for entry in self.retrain.on for c in entry.conditions]
        if not self.task.has_labels and Cause.LABELS in asks:
            raise ValueError(f"retrain.on: {self.task} has no labels that could be new")
        if self.time is not None and self.time == self.key:
            raise ValueError(f"key: {self.key!r} is also named as time; a key is one row's alone")
        if self.source.startswith("sql:") and self.source_url is None:
            raise ValueError("source_url: a sql: source needs the URL of its database")
        return self


class AlertSettings(Section):
    """Where alerts go, besides the terminal and the log."""

    urls: tuple[str, ...] = ()
    """`https://...` is a webhook, signed with TRIMTAB_WEBHOOK_KEY; everything else is for
    Apprise: `slack://...`, `workflows://...` (Teams), `mailto://...`. `env:NAME` reads one from the
    environment, which keeps its secret out of this file."""
    allow_private: bool = False
    """Lets alerts go to this machine, to private networks and through proxies. Without it such
    targets are refused when they are connected to, whatever their names resolve to."""
    mlflow_url: str | None = None
    """Where people open MLflow, for the links in alerts; by default where the workers reach it."""


class PlatformSettings(Section):
    """The processes that all models share."""

    host: str = "127.0.0.1"
    """Where the MLflow server that `trimtab up` starts listens: loopback only, as it has no
    authentication."""
    mlflow_port: Annotated[int, Field(ge=1, le=65535)] = 5000
    """Its port, for the UI as well."""
    monitor_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Where, on the same host, the monitor shows its gauges to Prometheus; by default nowhere."""

    @property
    def address(self) -> str:
        """Host and port of the MLflow server, as URLs write them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.mlflow_port}"

    @field_validator("host")
    @classmethod
    def _is_loopback(cls, host: str) -> str:
        if not is_loopback(host):
            raise ValueError(
                f"{host} can be reached by others, and MLflow's server has no authentication "
                "here; put it behind one of your own and set TRIMTAB_TRACKING_URI"
            )
        return host


class DemoSettings(Section):
    """What `trimtab demo` replays."""

    model: ModelName
    """Whose past is replayed."""
    start: str
    """Rows before this date train the first version; the later ones become live traffic."""
    until: str | None = None
    """Where the replay ends; by default with the data."""


class Project(Section):
    """The whole file."""

    models: dict[ModelName, ModelSettings]
    alerts: AlertSettings = AlertSettings()
    platform: PlatformSettings = PlatformSettings()
    demo: DemoSettings | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> "Project":
        if not self.models:
            raise ValueError("models: none is declared; each has a table of its own, [models.NAME]")
        taken = {self.platform.mlflow_port: "platform.mlflow_port"}
        if self.platform.monitor_port in taken:
            raise ValueError("platform.monitor_port and platform.mlflow_port are the same")
        if self.platform.monitor_port is not None:
            taken[self.platform.monitor_port] = "platform.monitor_port"
        for name, model in self.models.items():
            setting = f"models.{name}.serve.port"
            other = taken.setdefault(model.serve.port, setting)
            if other != setting:
                raise ValueError(f"{setting} and {other} are both {model.serve.port}")
        if self.demo and self.demo.model not in self.models:
            raise ValueError(f"demo.model: {self.demo.model!r} is not a declared model")
        if self.demo and not self.models[self.demo.model].task.has_labels:
            raise ValueError(
                "demo.model: the replay compares versions by their labels; there are none"
            )
        return self
