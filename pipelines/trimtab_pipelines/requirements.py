"""What a version needs to be loaded elsewhere, and which code it came from."""

import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from sklearn.pipeline import Pipeline

_ALWAYS = ("numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "skops")


def pinned_requirements(pipeline: Pipeline) -> list[str]:
    """List the packages that the model really needs, as they are installed here."""
    names = [*_ALWAYS, *(["xgboost"] if hasattr(pipeline[-1], "get_booster") else [])]
    return [f"{name}=={version(name)}" for name in names]


def code_version(folder: Path) -> Mapping[str, str]:
    """Give the version of Trimtab and, where the project is in git, its commit."""
    found = {"trimtab.code": version("trimtab"), "mlflow.source.name": str(folder)}
    commit = _git(folder, "rev-parse", "HEAD")
    if commit:
        is_changed = bool(_git(folder, "status", "--porcelain", "--", "."))
        found["mlflow.source.git.commit"] = commit
        found["trimtab.uncommitted_changes"] = str(is_changed).lower()
    return found


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""  # no git, or no repository: the run says nothing of it
    return done.stdout.strip()
