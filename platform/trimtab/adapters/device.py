"""Which device a model runs on: the GPU where one works and has room, else the CPU, and why."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trimtab.records.devices import WantedDevice, ordinal_of

from .cuda_driver import CudaDriver, CudaDriverError

logger = logging.getLogger(__name__)

Probe = Callable[[int], str | None]
"""Looks at one thing that a GPU, by its ordinal, needs; gives the reason why it cannot be used."""

COPIES = 3
"""Of a model's file, that memory must hold: the model, and what is built while it is copied."""
WORKING_BYTES = 256 << 20
"""For code and buffers of a prediction, whatever the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceChoice:
    """Where a model runs."""

    device: str
    """`cpu`, `cuda` or, where one was named, `cuda:1`."""
    note: str
    """Why, for people."""
    awaits_room: bool = False
    """The GPU works and is too full: it is worth another look once something else has left it."""


def resolve(
    wanted: WantedDevice, probes: Sequence[Probe], room: Probe | None = None
) -> DeviceChoice:
    """Choose the device; every probe must be content before the GPU is taken, `room` the last.

    >>> resolve("auto", [lambda ordinal: "there is no driver"])
    DeviceChoice(device='cpu', note='CPU: there is no driver', awaits_room=False)

    A GPU that was asked for and cannot be used is said aloud, and the CPU answers instead.
    """
    if wanted == "cpu":
        return DeviceChoice(device="cpu", note="CPU, as set")
    ordinal = ordinal_of(wanted)
    hindrance = next((reason for probe in probes if (reason := _ask(probe, ordinal))), None)
    fullness = _ask(room, ordinal) if room and not hindrance else None
    why = hindrance or fullness
    if why is None:
        device = "cuda" if wanted == "auto" else wanted
        return DeviceChoice(device=device, note="GPU found and working")
    if wanted == "auto":
        return DeviceChoice(device="cpu", note=f"CPU: {why}", awaits_room=fullness is not None)
    logger.warning("device = %s is set, and cannot be used: %s. The CPU is used.", wanted, why)
    note = f"CPU instead of {wanted}, which was asked for: {why}"
    return DeviceChoice(device="cpu", note=note, awaits_room=fullness is not None)


def choose(wanted: WantedDevice, model_bytes: int) -> DeviceChoice:
    """Choose for a model with a file of so many bytes on this machine, as it is now."""
    return resolve(wanted, PROBES, room_for(bytes_needed(model_bytes)))


def bytes_needed(model_bytes: int) -> int:
    """Estimate, on the safe side, what a model takes of a GPU's memory."""
    return COPIES * model_bytes + WORKING_BYTES


def driver(ordinal: int, load: Callable[[], CudaDriver] = CudaDriver.load) -> str | None:
    """Ask NVIDIA's driver for its devices."""
    try:
        count = load().count
    except CudaDriverError as error:
        return str(error)
    if ordinal < count:
        return None
    if not count:
        return "the NVIDIA driver shows no GPU to this process"
    return f"the NVIDIA driver shows this process {count} GPUs, cuda:0 to cuda:{count - 1}"


def room_for(needed: int, load: Callable[[], CudaDriver] = CudaDriver.load) -> Probe:
    """Make a probe that asks whether so many bytes are free on a GPU."""

    def probe(ordinal: int) -> str | None:
        free = load().free_bytes(ordinal)
        if free >= needed:
            return None
        return f"the GPU has {free >> 20} MiB free, and the model may need {needed >> 20} MiB"

    return probe


def xgboost_build(ordinal: int) -> str | None:
    """Ask XGBoost whether it was built for GPUs."""
    import xgboost  # a second and 100 MB that a linear model does not need

    return None if xgboost.build_info().get("USE_CUDA") else "XGBoost was built without CUDA"


def _ask(probe: Probe, ordinal: int) -> str | None:
    """A probe that breaks is a GPU that cannot be relied on."""
    try:
        return probe(ordinal)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


PROBES: tuple[Probe, ...] = (driver, xgboost_build)
