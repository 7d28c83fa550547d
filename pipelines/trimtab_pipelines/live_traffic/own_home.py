"""A home of its own for a platform that lives for a while, so that it touches no other."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trimtab.settings import Environment
from trimtab.supervisor.lock import end_leftovers, sole_owner

CLOCK = "clock"
_STORES = ("home", "database_url", "tracking_uri", "inference_log", "clock")
"""What the environment may say of where a platform keeps things."""


def fresh_home(home: Path) -> None:
    """Empty a home; ends what a killed platform left running in it. Raises AlreadyUpError."""
    with sole_owner(home / "run"):
        end_leftovers(home / "run")
        for old in home.iterdir():
            if old.is_dir() and old.name != "run":
                shutil.rmtree(old)
            elif old.is_file():
                old.unlink()


def at_home(environment: Environment, home: Path) -> Environment:
    """Give the environment of a platform whose stores and clock are all in this home."""
    stores = dict.fromkeys(_STORES) | {"home": home, "clock": home / CLOCK}
    return environment.model_copy(update=stores)


@contextmanager
def own_stores(**variables: str) -> Iterator[None]:
    """Keep what is started inside from the stores that the environment names.

    Processes inherit the environment: without this, they would write into the stores of the
    project's own platform. `variables` are set besides, for as long.
    """
    hidden = {f"TRIMTAB_{name.upper()}" for name in _STORES}
    before = {name: os.environ.get(name) for name in (*hidden, *variables)}
    for name in hidden:
        os.environ.pop(name, None)
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
