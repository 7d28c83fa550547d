"""What verbs print of a contest and of a move of the champion."""

from typing import TYPE_CHECKING

from rich.text import Text

from trimtab.cli import console
from trimtab.settings import Settings

if TYPE_CHECKING:
    from trimtab.records.promotions import Promotion

    from .contest import Contest


def show_contest(contest: "Contest") -> None:
    """Print the gate's table."""
    from .gate_table import as_table

    console.print(as_table(contest.result, contest.opponent))


def show_moved(settings: Settings, promotion: "Promotion") -> None:
    """Say which version is champion now, and whether it has to prove itself."""
    said = f"champion now (it was {promotion.previous or 'none'})"
    conclude(settings, promotion.model, promotion.version, said, promotion.reasons)


def conclude(
    settings: Settings, model: str, version: str | None, said: str, reasons: tuple[str, ...]
) -> None:
    """Print what came of it, with the reasons and where to look."""
    from trimtab.adapters.mlflow_links import version_page

    what = f"version {version}" if version else "no version"
    console.print(f"[bold]{model}[/]: {what}: [bold]{said}[/]")
    for reason in reasons:
        console.print(Text(f"  - {reason}"))
    if version:
        console.print(f"  {version_page(settings.tracking_uri, model, version)}", style="dim")
