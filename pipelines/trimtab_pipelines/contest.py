"""The contest of a challenger with the champion, judged by the gate and written down."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from trimtab.errors import ManifestError, StaleLookError, UnknownVersionError
from trimtab.policy.budgets import latency_check, size_check
from trimtab.policy.gate import refused
from trimtab.ports import ModelRegistry
from trimtab.records.gate import GateCheck, GateResult
from trimtab.records.looks import Look
from trimtab.records.promotions import Promotion
from trimtab.records.versions import ModelVersion

from .bench import Bench
from .contenders import Contender, NotItselfError, load_contender
from .gate_pages import publish
from .gate_table import BASELINE
from .judging import Match, meet
from .speed import time_rows

_GOLDEN = "golden rows"
_MOST_TRIES = 5
"""How often a look is taken again because somebody else looked meanwhile."""


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
    """Judge a version against the champion in force, and write the answer beside the version.

    All that decides is computed here, from bytes that were compared with the manifest: what the
    registry says of a version beside them is not read. The look at the rows and the gate's answer
    are written before anybody hears of the answer, so that no look stays uncounted, whoever is
    killed; the same comparison again is the same look.

    Raises UnknownVersionError, ManifestError, DataRefusedError and SettingsError.
    """
    settings, model = bench.settings, challenger.model
    with bench.database.transaction() as stores:
        against = stores.promotions.current(model)
        looks = stores.looks.of(model)
    champion = None
    if against is not None:
        known = find_version(bench.registry, model, against.version)
        champion = load_contender(bench.registry, settings.home, known, against.manifest_sha256)
    match, gate = None, settings.model(model).gate
    try:
        _require_as_judged(looks, challenger)
        contender = load_contender(bench.registry, settings.home, challenger)
    except NotItselfError as error:
        check = GateCheck(
            name=_GOLDEN,
            passed=False,
            challenger=error.report.differing,
            limit=0,
            unit=f"of {error.report.rows:,} rows differ",
            why=str(error),
        )
        result = refused(settings.model(model).metric, gate.confidence, check)
    else:
        match = meet(settings.model(model), rows, contender, champion)
        result = _look(bench, match, contender, _budgets(match, contender, champion), against)
    contest = Contest(challenger=challenger, against=against, result=result)
    publish(bench.reports, challenger, result, contest.opponent, match)
    return contest


def find_version(registry: ModelRegistry, model: str, version: str) -> ModelVersion:
    """Find one version. Raises UnknownVersionError."""
    for known in registry.versions(model):
        if known.version == version:
            return known
    raise UnknownVersionError(model, version)


def _require_as_judged(looks: Sequence[Look], challenger: ModelVersion) -> None:
    """Refuse a version that has become another one since the gate first met it."""
    met = {look.challenger_sha256 for look in looks if look.challenger == challenger.version}
    if met - {challenger.manifest_sha256}:
        raise ManifestError(
            f"Version {challenger.version} of {challenger.model!r} is not the one that the gate "
            "judged before: its manifest's SHA-256 differs."
        )


def _budgets(match: Match, challenger: Contender, champion: Contender | None) -> list[GateCheck]:
    """Check what depends on no label: golden rows, latency, size."""
    gate, golden = match.settings.gate, challenger.golden
    predictors = [c.predictor for c in (challenger, champion) if c is not None]
    times = time_rows(predictors, match.rows)
    found = [
        latency_check(
            times[1] if champion else None,
            times[0],
            most=gate.max_latency,
            most_slowdown=gate.max_slowdown,
            confidence=gate.confidence,
        ),
        size_check(champion.size if champion else None, challenger.size, most=gate.max_size),
    ]
    if golden is not None:
        unit = f"of {golden.rows:,} rows differ"
        found.append(
            GateCheck(name=_GOLDEN, passed=True, challenger=golden.differing, limit=0, unit=unit)
        )
    return found


def _look(
    bench: Bench,
    match: Match,
    challenger: Contender,
    checks: list[GateCheck],
    against: Promotion | None,
) -> GateResult:
    """Judge, and write the look; where somebody else looked meanwhile, judge again after theirs."""
    version = challenger.version
    for _ in range(_MOST_TRIES):
        with bench.database.transaction() as stores:
            looks = stores.looks.of(version.model)
        result = match.judge(looks, checks)
        if any(look.digest == match.digest for look in looks):
            return result
        number, now = len(looks) + 1, bench.clock.now()
        beside = against.version if against else None
        look = match.look(result, version, beside, number=number, at=now)
        try:
            with bench.database.transaction() as stores:
                stores.looks.record(look)
        except StaleLookError:
            continue
        return result
    raise StaleLookError(version.model, look.number)
