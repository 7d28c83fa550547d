"""`trimtab.toml`: what a user declares, checked; the comment under a field is its manual."""

from typing import Annotated

from pydantic import (
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from trimtab.records.contracts import Task
from trimtab.records.triggers import Cause

from .hosts import is_loopback
from .learning import (
    CANDIDATES,
    METRICS,
    Candidate,
    GateSettings,
    Metric,
    PromotionSettings,
    RetrainSettings,
    TrainSettings,
)
from .section import Section
from .serving import CaptureSettings, MonitorSettings, ServeSettings

MODEL_NAME = r"^[a-z][a-z0-9-]{0,47}$"
ModelName = Annotated[str, StringConstraints(pattern=MODEL_NAME)]
"""Lower case, so that one name serves MLflow, the Bento, URLs and folders alike."""


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
        return self.gate.metric or METRICS[self.task][0]

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The learners that compete."""
        return self.train.candidates or CANDIDATES[self.task]

    @property
    def reserved(self) -> set[str]:
        """The columns of the source that are no inputs."""
        named = (self.target, self.time, self.key, self.label_time, *self.exclude)
        return {name for name in named if name is not None}

    @model_validator(mode="after")
    def _fits_task(self) -> "ModelSettings":
        unfit = [c for c in self.candidates if c not in CANDIDATES[self.task]]
        if unfit:
            fitting = ", ".join(CANDIDATES[self.task])
            raise ValueError(f"train.candidates: {unfit[0]} is not for {self.task}; use {fitting}")
        if self.metric not in METRICS[self.task]:
            fitting = ", ".join(METRICS[self.task])
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
