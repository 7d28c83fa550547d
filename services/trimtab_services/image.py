"""What the container image of a bento is made from: bases by exact tag, tools, environment."""

import sys

from trimtab.records.devices import is_gpu, ordinal_of

UV = "0.13.8"
"""The uv that installs the packages, and is gone from the image afterwards."""
UV_FILE = "uv.toml"
"""Tells uv, wherever it installs a bento's packages, what must hold."""
NVIDIA = {"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}
"""Lets NVIDIA's container toolkit hand the driver in, where there is one."""
_PYTHON = {"3.11": "3.11.14", "3.12": "3.12.12", "3.13": "3.13.9"}
_CUDA = {12: "12.9.1", 13: "13.0.1"}
"""By the major version that XGBoost was built with: drivers keep their promise within one."""


def python_version() -> str:
    """Give the Python of the image: a patch of the minor that builds. For example 3.11.14."""
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    return _PYTHON.get(minor, minor)


def python_image() -> str:
    """Give the tag of an image with that Python."""
    return f"python:{python_version()}-slim-bookworm"


def cuda_image() -> str:
    """Give the tag of an image for XGBoost's CUDA, without a Python; of python_image() if none."""
    import xgboost  # known only to it

    built_with = xgboost.build_info().get("CUDA_VERSION")
    if not built_with:
        return python_image()
    return f"nvidia/cuda:{_CUDA.get(built_with[0], max(_CUDA.values()))}-base-ubuntu24.04"


def base_image(device: str) -> str:
    """Give the tag of the image that a bento for a device runs on.

    `auto` runs on plain Python: XGBoost's wheel brings its part of CUDA along, and takes a GPU
    where the driver is handed in.
    """
    return cuda_image() if is_gpu(device) else python_image()


def gpus_needed(device: str) -> int:
    """Tell how many GPUs a bento asks for: as many as make the one that it names visible.

    >>> gpus_needed("auto"), gpus_needed("cuda"), gpus_needed("cuda:1")
    (0, 1, 2)
    """
    return ordinal_of(device) + 1 if is_gpu(device) else 0


def uv_settings(*, with_hashes: bool) -> str:
    """Write the file UV_FILE: exactly the pins, no sources, and what the lock can promise."""
    lines = ["[pip]", "no-deps = true # the pins are complete", 'only-binary = [":all:"]']
    return "\n".join([*lines, *["require-hashes = true"] * with_hashes, ""])


def has_python(base: str) -> bool:
    """Tell whether a base image brings the Python that the bento was proven with."""
    return base.startswith("python:")


def uv_installation(base: str) -> str:
    """Give the shell command that puts UV into a base image."""
    if has_python(base):
        return f"pip install --no-cache-dir uv=={UV}"
    packages = "apt-get install -q -y --no-install-recommends ca-certificates python3-venv"
    return (
        f"apt-get update && {packages} && rm -rf /var/lib/apt/lists/* "
        f"&& python3 -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir uv=={UV} "
        "&& ln -s /opt/uv/bin/uv /usr/local/bin/uv"
    )


def uv_removal(base: str) -> str:
    """Give the shell command that takes out what only a build needs."""
    if has_python(base):
        return "pip uninstall --yes --quiet uv pip && rm -rf /root/.cache"
    return "rm -rf /opt/uv /usr/local/bin/uv /root/.cache"
