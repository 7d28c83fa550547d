"""What is served: versions that the project's own trainer made, in their bentos."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trimtab.records.documents import from_json
from trimtab.settings import Environment, Settings, load
from trimtab_services.bundle import VERSION_FOLDER, installed_code, read_bundle, source_of
from trimtab_services.pointer import Pointer

from .shapes import SHAPES, Shape

ROOT = Path(__file__).parents[3]
ASKED_ROWS = 2_000
"""So many different rows are asked about."""
EXPECTED = "(expected)"
"""The column with what the trainer's own pipeline says: the probability of True."""
DONE_FILE = "subjects.json"
_LOG_FILE = "preparation.log"


class PreparationError(Exception):
    """There is nothing to measure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version in its bento, and its learner alone, as peers load it."""

    number: str
    manifest_sha256: str
    bento: Path
    learner: Path
    """XGBoost's own JSON."""

    @property
    def asked(self) -> Path:
        """Rows to ask about, with their answers, as Parquet."""
        return self.learner.with_name("asked.parquet")

    @property
    def files(self) -> Path:
        """The folder of the MLflow model, as the registry has it."""
        return source_of(self.bento) / VERSION_FOLDER

    def pointer(self, *, epoch: int) -> Pointer:
        """Point an endpoint's process at it."""
        return Pointer(
            epoch=epoch,
            version=self.number,
            manifest_sha256=self.manifest_sha256,
            bento=self.bento,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The versions of one model; kept in `subjects.json` when all of them are there."""

    model: str
    trees: int
    versions: tuple[Version, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AllPrepared:
    """The content of `subjects.json`."""

    models: tuple[Prepared, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A model that can be served."""

    shape: Shape
    settings: Settings
    trees: int
    versions: tuple[Version, ...]

    @property
    def first(self) -> Version:
        """The version that everybody serves."""
        return self.versions[0]


def settings_of(folder: Path) -> Settings:
    """Load the benchmark's project, whatever the environment of the caller says of others."""
    own = Environment(home=folder / "home", tracking_uri=None, inference_log=None, clock=None)
    return load(folder, own)


def subjects(folder: Path) -> Sequence[Subject]:
    """Give what is served, made in a process of its own where a folder has none yet.

    Bentos carry the code that serves them: kept ones of other code are built again. Raises
    PreparationError.
    """
    prepared = _read(folder)
    if prepared is None:
        shutil.rmtree(folder / "home" / "bentos", ignore_errors=True)
        _prepare(folder)
        prepared = from_json(AllPrepared, (folder / DONE_FILE).read_bytes())
    models, settings = {m.model: m for m in prepared.models}, settings_of(folder)
    return [
        Subject(
            shape=shape,
            settings=settings,
            trees=models[shape.model].trees,
            versions=models[shape.model].versions,
        )
        for shape in SHAPES
    ]


def _read(folder: Path) -> AllPrepared | None:
    """Read what was made before; None unless all of it is there, with the code of today."""
    try:
        prepared = from_json(AllPrepared, (folder / DONE_FILE).read_bytes())
        bentos = [version.bento for model in prepared.models for version in model.versions]
        codes = {read_bundle(source_of(bento)).code_sha256 for bento in bentos}
    except (OSError, ValueError):
        return None
    return prepared if codes == {installed_code()} else None


def _prepare(folder: Path) -> None:
    command = [sys.executable, "-m", "tests.benchmarks.serving.preparation", str(folder)]
    with (folder / _LOG_FILE).open("wb") as log:
        done = subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, check=False)
    if done.returncode:
        said = (folder / _LOG_FILE).read_text(errors="replace").strip().splitlines()
        raise PreparationError("training or building failed:\n" + "\n".join(said[-15:]))
