"""Write `commands.md` from the help of every verb: `python docs/reference/generate_commands.py`."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from trimtab.cli.group import trimtab

PAGE = Path(__file__).with_name("commands.md")
INTRODUCTION = """\
# Commands

Written by `docs/reference/generate_commands.py` from what `--help` says; change it there.

Every verb ends with 0 when it is done, 1 when it failed, 2 for wrong use or settings, and 3 when
it was refused: by the gate, by a rule, or because somebody should look.
"""
_WIDTH = 88


def page() -> str:
    """Give the whole page."""
    root = click.Context(trimtab, info_name="trimtab", terminal_width=_WIDTH)
    return "\n".join([INTRODUCTION, *_verbs(root, 2)])


def _verbs(parent: click.Context, depth: int) -> Iterator[str]:
    """Give the section of every verb, and below it those of its own verbs."""
    group = parent.command
    assert isinstance(group, click.Group)
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=parent, terminal_width=_WIDTH)
        yield f"{'#' * depth} {context.command_path}\n"
        yield f"```text\n{command.get_help(context)}\n```\n"
        if isinstance(command, click.Group):
            yield from _verbs(context, depth + 1)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE}\n")
