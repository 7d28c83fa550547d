"""What verbs print: the story of the loop, line by line."""

from collections.abc import Iterator
from itertools import takewhile
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from trimtab.ports import Database
    from trimtab.records.ledger import LedgerEntry

_PIPED_WIDTH = 160
"""A pipe has no width of its own, and what is cut or wrapped in it is hard to search."""

console = Console(highlight=False)
if not console.is_terminal:
    console.width = get_terminal_size(fallback=(_PIPED_WIDTH, 0)).columns  # or $COLUMNS

_COLOURS = {
    "opened": "yellow",
    "escalated": "red",
    "failed": "red",
    "rejected": "yellow",
    "declined": "dim",
    "promoted": "green",
    "resolved": "green",
    "served": "cyan",
}

_UNTOLD = {"window measured"}  # late labels come with nearly every window


def narrate(entry: "LedgerEntry") -> Text:
    """Put a ledger entry in one line: when, what happened to which model, and why."""
    colour = _COLOURS.get(entry.event.rpartition(" ")[2], "default")
    line = Text()
    line.append(f"{entry.at:%Y-%m-%d %H:%M}  ", style="dim")
    line.append(f"{entry.model}: ", style="bold")
    line.append(f"{entry.event} {entry.subject}", style=colour)
    if entry.reasons:
        line.append(f"  {'; '.join(entry.reasons)}", style="dim")
    return line


def tell(entry: "LedgerEntry") -> None:
    """Print a ledger entry: cut to the terminal's width there, whole where it is piped on."""
    cut = console.is_terminal
    console.print(
        narrate(entry), no_wrap=cut, overflow="ellipsis" if cut else None, soft_wrap=not cut
    )


class Story:
    """The ledger as it grows: each call gives what is new since the last."""

    def __init__(self, database: "Database") -> None:
        self._database = database
        with database.transaction() as stores:
            self._told = next(iter(stores.ledger.entries(limit=1)), None)

    def news(self) -> "Iterator[LedgerEntry]":
        """Give the entries that were not told yet, oldest first."""
        with self._database.transaction() as stores:
            newest = stores.ledger.entries(limit=200)
        fresh = list(takewhile(lambda entry: entry != self._told, newest))
        if fresh:
            self._told = fresh[0]
        return (entry for entry in reversed(fresh) if entry.event not in _UNTOLD)
