"""Environments of their own, for peers whose dependencies do not agree with ours."""

import os
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from uv import find_uv_bin

_WITHOUT_NCCL = "nvidia-nccl-cu12; python_version < '0'\n"
_SECONDS = 300


class NotInstalledError(Exception):
    """A peer is not to be had here."""


def cache() -> Path:
    """Give the folder that keeps what benchmarks need between runs."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "trimtab-benchmarks"


def environment(pinned: Sequence[str], same: Sequence[str] = ()) -> Path:
    """Give the folder of an environment, installed once for all runs. Raises NotInstalledError.

    `same` are packages in the versions that are installed here, so that only the peers differ.
    """
    folder = cache() / pinned[0].replace("==", "-")
    done = folder / "installed"
    pins = [*pinned, *(f"{name}=={version(name)}" for name in same)]
    if not (done.exists() and done.read_text() == "\n".join(pins)):
        _install(folder, pins)
        done.write_text("\n".join(pins))
    return folder


def _install(folder: Path, pins: list[str]) -> None:
    _uv("venv", "--clear", "--python", "3.11", str(folder))
    overrides = folder / "overrides.txt"
    overrides.write_text(_WITHOUT_NCCL)
    python = ("--python", str(folder / "bin" / "python"))
    _uv("pip", "install", "--compile-bytecode", *python, "--override", str(overrides), *pins)


def _uv(*arguments: str) -> None:
    try:
        done = subprocess.run(
            [find_uv_bin(), *arguments],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalledError(f"uv did not install it: {error}") from None
    if done.returncode:
        raise NotInstalledError(f"uv did not install it: {done.stderr.strip()[-500:]}")
