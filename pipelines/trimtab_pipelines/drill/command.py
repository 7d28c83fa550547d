"""`trimtab drill`: known changes, one after the other, and whether the platform reacted well."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from trimtab.cli import console
from trimtab.errors import ExitCode, SettingsError
from trimtab.records.documents import from_json
from trimtab.records.drills import Change, Drilled
from trimtab.records.reference import Reference
from trimtab.settings import Settings
from trimtab.supervisor import until_signal
from trimtab.supervisor.lock import end_leftovers, sole_owner
from trimtab_pipelines.live_traffic.own_home import own_stores

from .choosing import Chosen, Wishes, check_sizes, choose
from .material import KEY, Material, lay_out, read_history
from .receiver import receiving
from .stage import Base, Stage, windows_needed, with_cycle
from .table import as_json, show

if TYPE_CHECKING:
    from trimtab.records.schema import Schema


@dataclass(slots=True)
class _Held:
    """What has come of the drill so far; a Ctrl-C leaves it as it is."""

    drilled: list[Drilled] = field(default_factory=list)
    chosen: Chosen | None = None


def run(
    settings: Settings, model: str, wishes: Wishes, *, json_file: Path | None, keep: bool
) -> None:
    """Hold a drill and print what came of it.

    Raises SettingsError for what cannot be drilled, and SystemExit(1) where the platform did not
    react as it should.
    """
    if settings.model(model).time is None:
        raise SettingsError(f"models.{model}.time is not set: traffic is made up by time.")
    check_sizes(wishes)
    held = _Held()
    with _own_folder(settings.home.root / "drill", keep=keep) as folder, receiving() as receiver:
        with console.status(f"{model}: reading its history"):
            rows = read_history(settings, model, folder / "history.parquet")
        least, most = windows_needed(settings.model(model))
        material = lay_out(rows, settings.model(model), least=least, most=most)
        del rows
        schema = _schema(material, settings, model)
        choose(wishes, schema, {}, material.training, settings.model(model))  # what is unfit, now
        with console.status(model) as status, own_stores(TRIMTAB_WEBHOOK_KEY=receiver.key):
            stage = Stage(
                settings=settings,
                model=model,
                folder=folder,
                receiver=receiver,
                say=_teller(status.update, model),
                keep=keep,
            )
            drill = _hold(stage, material, wishes, schema, held)
            try:
                is_whole = asyncio.run(until_signal(drill))
            finally:  # what was seen until an error is worth knowing, too
                status.stop()
                _tell(model, held, json_file)
    if not is_whole:
        console.print("Stopped.")
    if not is_whole or any(one.faults for one in held.drilled):
        raise SystemExit(ExitCode.FAILED)


def _tell(model: str, held: _Held, json_file: Path | None) -> None:
    left_out = held.chosen.left_out if held.chosen else {}
    if held.drilled:
        show(console, model, held.drilled, left_out)
    if json_file is not None:
        json_file.write_bytes(as_json(model, held.drilled, left_out))


async def _hold(
    stage: Stage, material: Material, wishes: Wishes, schema: "Schema", held: _Held
) -> None:
    """Found the platform, and make one change after the other."""
    declared = stage.declared
    assert declared.time is not None
    plain = await stage.found(material, "plain")
    importance = _importance(plain)
    held.chosen = choose(wishes, schema, importance, material.training, declared)
    for injection in held.chosen.injections:
        base = plain
        if injection.change is Change.CYCLE:
            swinging = with_cycle(material, injection, declared.time)
            base = await stage.found(swinging, "cycle")
        done = await stage.drill(base, injection)
        held.drilled.append(done)
        console.print(_line(done), markup=False)


def _line(done: Drilled) -> str:
    seen = done.observed
    return f"{seen.change}: {seen.done}: {'; '.join(done.faults) or 'reacted as it should'}"


def _importance(base: Base) -> dict[str, float]:
    """Read what each input means to the version that was founded."""
    return from_json(Reference, (base.version / "reference.json").read_bytes()).importance


def _schema(material: Material, settings: Settings, model: str) -> "Schema":
    """Find the contract that the training will find."""
    from trimtab_pipelines.columns import infer_schema

    reserved = settings.model(model).reserved | {KEY}
    inputs = material.training
    return infer_schema(inputs.drop(columns=[n for n in inputs.columns if n in reserved]))


@contextmanager
def _own_folder(folder: Path, *, keep: bool) -> Iterator[Path]:
    """Give the drill a folder to itself, empty; afterwards it is gone, unless it is kept."""
    with sole_owner(folder / "run"):
        end_leftovers(folder / "home" / "run")
        _empty(folder)
        try:
            yield folder
        finally:
            if not keep:
                _empty(folder)


def _empty(folder: Path) -> None:
    for old in folder.iterdir():
        if old.is_dir() and old.name != "run":
            shutil.rmtree(old)
        elif old.is_file():
            old.unlink()


def _teller(update: Callable[[str], None], model: str) -> Callable[[str], None]:
    """Show what goes on; where nobody watches a terminal, nothing is repeated."""

    def say(step: str) -> None:
        update(f"[bold]{model}[/]: {escape(step)}")
        if not console.is_terminal:
            console.print(f"{model}: {step}", markup=False)

    return say
