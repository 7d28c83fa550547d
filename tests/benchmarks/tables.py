"""A table of figures, for a terminal or for a page."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table as RichTable


@dataclass(slots=True, kw_only=True)
class Table:
    """A table that can be printed in two ways."""

    title: str
    head: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)

    def markdown(self) -> str:
        """Write it for a page."""
        lines = [self.head, ["---", *["---:"] * (len(self.head) - 1)], *self.rows]
        return "\n".join([f"**{self.title}**", "", *(f"| {' | '.join(row)} |" for row in lines)])

    def show(self, console: Console) -> None:
        """Print it on a terminal."""
        shown = RichTable(title=self.title, title_justify="left")
        for i, name in enumerate(self.head):
            shown.add_column(name, justify="right" if i else "left")
        for row in self.rows:
            shown.add_row(*row)
        console.print(shown)
