"""Options that verbs share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from trimtab.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])


def project_option(command: Command) -> Command:
    """Add `--project`; the verb receives the loaded `settings`."""
    return click.option(
        "--project",
        "settings",
        type=click.Path(path_type=Path, file_okay=False),
        default=".",
        envvar="TRIMTAB_PROJECT",
        show_default=True,
        callback=_load,
        help="Folder that holds trimtab.toml.",
    )(command)


def _load(_ctx: click.Context, _param: click.Parameter, folder: Path) -> "Settings":
    from trimtab.settings import TELEMETRY_OFF, load  # a third of a second: not for --help

    os.environ.update(TELEMETRY_OFF)  # before the verb imports a framework
    return load(folder)
