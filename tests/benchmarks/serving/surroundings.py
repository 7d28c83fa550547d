"""What the figures depend on: the machine, in words, and the versions."""

import os
import platform
from importlib.metadata import version

_PACKAGES = ("bentoml", "fastapi", "mlflow", "numpy", "scikit-learn", "uvicorn", "xgboost")


def versions() -> dict[str, str]:
    """Name the versions that the figures were taken with."""
    return {"Python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}


def machine() -> str:
    """Describe the machine without naming it."""
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{cores} core{'s' if cores > 1 else ''}, {memory:.0f} GiB of memory"
