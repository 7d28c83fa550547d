"""How a model is served, captured and watched."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    model_validator,
)

from trimtab.records.devices import WantedDevice
from trimtab.records.durations import Duration, Rate, RateSetting
from trimtab.records.triggers import AllOf

from .section import Section


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
