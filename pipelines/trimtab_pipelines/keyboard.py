"""What verbs of pipelines share: who is at the keyboard, and MLflow for as long as one runs."""

import getpass
import os
import time
from collections.abc import Callable

import click
from rich.markup import escape

from trimtab.cli import console
from trimtab.errors import RegistryUnreachableError
from trimtab.records.urls import without_userinfo
from trimtab.settings import Settings


def require_mlflow(settings: Settings) -> None:
    """Have MLflow there until the verb ends, if need be by starting it.

    Finds out within seconds whether one that should run does. Raises RegistryUnreachableError.
    """
    from .borrowed_server import mlflow_at_hand

    with console.status("MLflow"):
        click.get_current_context().with_resource(mlflow_at_hand(settings, console.print))
    uri = settings.tracking_uri
    if not uri.startswith("http"):
        return
    import httpx2

    try:
        httpx2.get(f"{uri.rstrip('/')}/health", timeout=5.0)
    except httpx2.HTTPError:
        raise RegistryUnreachableError(without_userinfo(uri)) from None


def actor() -> str:
    """Name the person at the keyboard."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may have no name for its user
        return f"uid {os.getuid()}"


def teller(update: Callable[[str], None]) -> Callable[[str], None]:
    """Print each step with the time it came at, and show the last one as going on."""
    began = time.monotonic()

    def say(step: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:6.1f} s[/]  {escape(step)}")
        update(escape(step))

    return say
