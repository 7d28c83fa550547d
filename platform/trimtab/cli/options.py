"""Options that verbs share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from trimtab.settings import Settings, load

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


def _load(_ctx: click.Context, _param: click.Parameter, folder: Path) -> Settings:
    return load(folder)
