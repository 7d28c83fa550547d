"""The contest of a challenger with the champion, judged by the gate and written down."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from trimtab.errors import UnknownVersionError
from trimtab.ports import ModelRegistry
from trimtab.records.documents import to_json
from trimtab.records.gate import GateResult
from trimtab.records.promotions import Promotion
from trimtab.records.versions import ModelVersion

from .bench import Bench
from .contenders import load_contender
from .gate_table import BASELINE, as_markdown
from .judging import judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """What came of one comparison."""

    challenger: ModelVersion
    against: Promotion | None
    """The champion it was compared with; None for the baseline."""
    result: GateResult

    @property
    def opponent(self) -> str:
        """Name what it was compared with."""
        return f"champion {self.against.version}" if self.against else BASELINE


def try_out(bench: Bench, challenger: ModelVersion, rows: pd.DataFrame) -> Contest:
    """Judge a version against the champion in force, and write the answer beside the version."""
    settings, model = bench.settings, challenger.model
    with bench.database.transaction() as stores:
        against = stores.promotions.current(model)
    champion = None
    if against is not None:
        known = find_version(bench.registry, model, against.version)
        champion = load_contender(bench.registry, settings.home, known, against.manifest_sha256)
    contender = load_contender(bench.registry, settings.home, challenger)
    result = judge(settings.model(model), rows, contender, champion)
    contest = Contest(challenger=challenger, against=against, result=result)
    _publish(bench, contest)
    return contest


def find_version(registry: ModelRegistry, model: str, version: str) -> ModelVersion:
    """Find one version. Raises UnknownVersionError."""
    for known in registry.versions(model):
        if known.version == version:
            return known
    raise UnknownVersionError(model, version)


def _publish(bench: Bench, contest: Contest) -> None:
    result, version = contest.result, contest.challenger
    gain = result.overall.champion - result.overall.challenger
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "gate.json"
        file.write_bytes(to_json(result, indent=2))
        bench.reports.publish(version, "gate.json", file)
    bench.reports.annotate(
        version,
        text=as_markdown(result, contest.opponent),
        tags={"trimtab.gate": "passed" if result.passed else "rejected"},
        metrics={"gate.gain": gain, "gate.low": result.overall.low},
    )
