"""Which device a model runs on: the GPU where one works, else the CPU, and why."""

import ctypes
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

logger = logging.getLogger(__name__)

Wanted = Literal["auto", "cpu", "cuda"]
Probe = Callable[[], str | None]
"""Looks at one thing a GPU needs; gives the reason why it cannot be used, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceChoice:
    """Where a model runs."""

    device: Literal["cpu", "cuda"]
    note: str
    """Why, for people."""


def resolve(wanted: Wanted, probes: Sequence[Probe]) -> DeviceChoice:
    """Choose the device; every probe must be content before the GPU is taken.

    >>> resolve("auto", [lambda: "there is no driver"])
    DeviceChoice(device='cpu', note='CPU: there is no driver')

    A GPU that was asked for and cannot be used is said aloud, and the CPU answers instead.
    """
    if wanted == "cpu":
        return DeviceChoice(device="cpu", note="CPU, as set")
    hindrance = next((reason for probe in probes if (reason := _ask(probe))), None)
    if hindrance is None:
        return DeviceChoice(device="cuda", note="GPU found and working")
    if wanted == "cuda":
        logger.warning("device = cuda is set, and cannot be used: %s. The CPU is used.", hindrance)
        return DeviceChoice(device="cpu", note=f"CPU instead of the GPU asked for: {hindrance}")
    return DeviceChoice(device="cpu", note=f"CPU: {hindrance}")


def _ask(probe: Probe) -> str | None:
    """A probe that breaks is a GPU that cannot be relied on."""
    try:
        return probe()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def driver() -> str | None:
    """Ask NVIDIA's driver for its devices."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "there is no NVIDIA driver (libcuda.so.1)"
    if error := cuda.cuInit(0):
        return f"the NVIDIA driver does not start (CUDA error {error})"
    count = ctypes.c_int(0)
    if error := cuda.cuDeviceGetCount(ctypes.byref(count)):
        return f"the NVIDIA driver does not list its devices (CUDA error {error})"
    return None if count.value else "the NVIDIA driver sees no GPU"


def xgboost_build() -> str | None:
    """Ask XGBoost whether it was built for GPUs."""
    import xgboost  # a second and 100 MB that a linear model does not need

    return None if xgboost.build_info().get("USE_CUDA") else "XGBoost was built without CUDA"


PROBES: tuple[Probe, ...] = (driver, xgboost_build)
