"""`trimtab build` and `trimtab serve`: a version packaged, and a champion served."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trimtab.cli import console, project_option

if TYPE_CHECKING:
    from trimtab.ports import ModelRegistry
    from trimtab.settings import Settings


@click.command(epilog="Example: trimtab build late-arrival. Exit code 3: the bento is refused.")
@click.argument("model")
@click.option("--version", help="The version to package. [default: the champion]")
@click.option(
    "--export",
    "target",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder to put the bento into as an archive, ready to be deployed elsewhere.",
)
@project_option
def build(settings: "Settings", model: str, version: str | None, target: Path | None) -> None:
    """Package a version of MODEL as a bento, and prove it.

    The proof runs in a clean process with the bento's own code: the files must be those of the
    manifest, the packages those of the training run, and the golden rows must get the trainer's
    answers. A bento that fails is thrown away. Serve one anywhere with: bentoml serve FOLDER

    An exported bento comes with its Containerfile, the lock of its packages, a bill of materials,
    the proof and checksums; docs/deploy.md says how to run it.
    """
    from trimtab.adapters.opening import open_registry

    from .bento import build, read_proof

    settings.model(model)
    registry = open_registry(settings)
    chosen, manifest_sha256 = _choose(settings, registry, model, version)
    folder = build(settings, registry, model, chosen, manifest_sha256)
    proof = read_proof(folder)
    console.print(f"{model} version {chosen}: {proof.message}, on {proof.device}.")
    engine = "fast path" if proof.engine == "lowered" else proof.engine
    console.print(f"Requests are answered by its {engine}: {proof.note}.", markup=False)
    for difference in proof.differing:
        console.print(f"Worth knowing: {difference}.", markup=False)
    click.echo(_export(folder, target) if target else folder)


@click.command(epilog="Example: trimtab serve late-arrival. Several models at once: trimtab up.")
@click.argument("model")
@project_option
def serve(settings: "Settings", model: str) -> None:
    """Serve the champion of MODEL, and each one that follows it, until Ctrl-C.

    Nothing is trained or watched; requests are captured. The endpoint answers POST /predict and
    describes itself under /docs.json.
    """
    from .worker import Ending, run

    ending = Ending()
    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, ending.ask)
    chosen = settings.model(model).serve
    console.print(f"{model} will answer at http://{chosen.host}:{chosen.port} - stop with Ctrl-C")
    run(settings, [model], ending, lambda _, what: console.print(what))


def _export(bento: Path, target: Path) -> Path:
    from .export import export

    exported = export(bento, target)
    if exported.unlocked:
        console.print(f"The lock has versions and no hashes: {exported.unlocked}", markup=False)
    console.print(f"Exported: {', '.join(sorted(p.name for p in exported.folder.iterdir()))}.")
    return exported.folder


def _choose(
    settings: "Settings", registry: "ModelRegistry", model: str, version: str | None
) -> tuple[str, str]:
    """Find a version and the hash of its manifest: the one that was judged, for the champion."""
    from trimtab.adapters.opening import open_database
    from trimtab.errors import NoChampionError, UnknownVersionError

    with open_database(settings).transaction() as stores:
        promotion = stores.promotions.current(model)
    if promotion is not None and version in (None, promotion.version):
        return promotion.version, promotion.manifest_sha256
    if version is None:
        raise NoChampionError(model)
    for known in registry.versions(model):
        if known.version == version:
            return version, known.manifest_sha256
    raise UnknownVersionError(model, version)
