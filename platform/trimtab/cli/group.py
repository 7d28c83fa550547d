"""The command itself: finds its verbs by entry point and ends with a code that means something."""

import sys
from importlib.metadata import EntryPoint, entry_points

import click

from trimtab.errors import ExitCode, TrimtabError

COMMANDS = "trimtab.commands"
"""The entry points by which components bring their verbs: name = module:command."""


class VerbGroup(click.Group):
    """A group whose verbs are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the verbs of all components that are installed."""
        return sorted(_verbs())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb's module; these import no framework until the verb runs."""
        point = _verbs().get(cmd_name)
        command: click.Command | None = point.load() if point else None
        return command


@click.group(
    cls=VerbGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: trimtab init data.csv, then: trimtab up. "
    "Exit codes: 0 done, 1 failed, 2 wrong use or settings, 3 refused.",
)
@click.version_option(package_name="trimtab")
def trimtab() -> None:
    """Keep a model on course: train, register, package, serve, watch, retrain."""


def main() -> None:
    """Run the command; a known error becomes one message and its exit code."""
    try:
        trimtab()
    except TrimtabError as error:
        click.secho("Error: ", fg="red", bold=True, err=True, nl=False)
        click.echo(str(error), err=True)
        sys.exit(error.exit_code)
    except OSError as error:  # a home that cannot be written, a full disk
        click.secho("Error: ", fg="red", bold=True, err=True, nl=False)
        click.echo(str(error), err=True)
        sys.exit(ExitCode.FAILED)


def _verbs() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=COMMANDS)}
