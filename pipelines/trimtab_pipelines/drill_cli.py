"""The verb `drill`."""

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import click

from trimtab.cli import project_option
from trimtab.records.drills import Change
from trimtab.settings import Settings

Value = TypeVar("Value", float, str)


class OfChange(click.ParamType[tuple[Change, Value]], Generic[Value]):
    """A value for one change: CHANGE=VALUE."""

    def __init__(self, name: str, kind: Callable[[str], Value], example: str) -> None:
        self.name = f"CHANGE={name}"
        self._kind: Callable[[str], Value] = kind
        self._example = example

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Change, Value]:
        """Read it; a bad one is a usage error."""
        if isinstance(value, tuple):
            return value
        change, sign, wanted = str(value).partition("=")
        if not sign or not wanted:
            self.fail(f"{value!r}: write it as {self.name}, as in {self._example}", param, ctx)
        try:
            return Change(change), self._kind(wanted)
        except ValueError:
            known = ", ".join(Change)
            what = f"{wanted!r} is no number" if change in set(Change) else f"no change {change!r}"
            self.fail(f"{what} (changes: {known})", param, ctx)


@click.command(epilog="Example: trimtab drill late-arrival --change null-burst --change nothing")
@click.argument("model")
@click.option(
    "--change",
    "changes",
    type=click.Choice([change.value for change in Change]),
    multiple=True,
    help="Make only this change; may be repeated. [default: all that fit the model]",
)
@click.option(
    "--size",
    "sizes",
    type=OfChange("SIZE", float, "mean-shift=2"),
    multiple=True,
    help="How large a change is: standard deviations, a share of the rows, or for a unit the "
    "factor. null-burst=0.3",
)
@click.option(
    "--column",
    "columns",
    type=OfChange("NAME", str, "mean-shift=price"),
    multiple=True,
    help="The input to change. mean-shift=price [default: what the model goes by most]",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Write all that was seen to this file, for scripts.",
)
@click.option("--keep", is_flag=True, help="Keep the platform's data, to look into it afterwards.")
@project_option
def drill(
    settings: Settings,
    model: str,
    changes: tuple[str, ...],
    sizes: tuple[tuple[Change, float], ...],
    columns: tuple[tuple[Change, str], ...],
    json_file: Path | None,
    keep: bool,
) -> None:
    """Prove that the platform reacts to known changes as it should, and then settles.

    A platform of its own, with the settings of MODEL, trains a version on a part of the model's
    history and serves it. The rest of the history is sent to its endpoint as live traffic, with
    one change after the other in it, each on the platform as it was before; time is compressed,
    and labels come as late as they did. The project's own platform is left alone.

    \b
    nothing       must lead to nothing
    cycle         a season that training knew: must lead to nothing
    mean-shift    drift, an alert, and retraining by the rules of the settings
    new-category  the same
    null-burst    broken data, an alert, and no training
    unit-change   the same
    label-flip    lost quality, an alert, and retraining; the inputs are as ever

    Exit codes: 0 all as it should, 1 not, 2 it cannot be drilled.
    """
    from .drill.choosing import Wishes
    from .drill.command import run

    settings.model(model)
    if json_file is not None and not json_file.parent.is_dir():
        raise click.BadParameter(f"there is no folder {json_file.parent}", param_hint="--json")
    wishes = Wishes(
        changes=tuple(dict.fromkeys(map(Change, changes))),
        sizes=dict(sizes),
        columns=dict(columns),
    )
    run(settings, model, wishes, json_file=json_file, keep=keep)
