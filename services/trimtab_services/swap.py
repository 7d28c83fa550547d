"""A version in memory: how it gets there, and what must hold before it may answer."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trimtab.adapters.golden import GoldenReport, replay_golden
from trimtab.adapters.lowering import CannotLowerError
from trimtab.adapters.manifest import verify_manifest
from trimtab.adapters.predictor import Answers, Predictor
from trimtab.errors import ExitCode, TrimtabError
from trimtab.records.devices import WantedDevice
from trimtab.records.plans import ServingPlan

from .bundle import VERSION_FOLDER, read_bundle, read_plan
from .requirements import compare

logger = logging.getLogger(__name__)


class RefusedVersionError(TrimtabError):
    """A version loaded, and does not answer as its trainer did."""

    exit_code = ExitCode.REFUSED

    def __init__(self, version: str, report: GoldenReport, differing: Sequence[str]) -> None:
        where = "; ".join(differing) or "no package differs from those of the run"
        super().__init__(f"Version {version} is not served: {report.message}. Here: {where}.")
        self.version = version
        self.report = report
        self.differing = differing


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """A loaded and proven version: everything an answer is made from and stamped with."""

    version: str
    manifest_sha256: str
    predictor: Predictor
    golden: GoldenReport
    plan: ServingPlan
    """Which engine answers, and whether rows of several requests are gathered."""

    @property
    def device(self) -> str:
        """Where it computes."""
        return self.predictor.device

    @property
    def batching(self) -> bool:
        """Tell whether it pays to answer several requests by one call."""
        return self.plan.batching

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> Answers:
        """Answer rows that fit the contract. Raises what the predictor raises."""
        return self.predictor.answer(rows)


def load_champion(
    source: Path, version: str, manifest_sha256: str, device: WantedDevice
) -> Champion:
    """Load a version from a bento's sources: hash first, then parse, then prove.

    The golden rows are asked of the very engine that will answer, on its device. Raises
    ManifestError, UntrustedModelError and RefusedVersionError, and OSError without a plan.
    """
    folder = source / VERSION_FOLDER
    verify_manifest(folder, manifest_sha256)
    predictor, plan = _engine(Predictor.load(folder, device), read_plan(source))
    report = replay_golden(folder, predictor)
    if not report.matches:
        _, differing = compare(read_bundle(source).requirements)
        raise RefusedVersionError(version, report, differing)
    logger.info(
        "version %s loaded on %s (%s): %s", version, predictor.device, plan.engine, report.message
    )
    return Champion(
        version=version,
        manifest_sha256=manifest_sha256,
        predictor=predictor,
        golden=report,
        plan=plan,
    )


def _engine(predictor: Predictor, plan: ServingPlan) -> tuple[Predictor, ServingPlan]:
    """Take the planned engine; a fast path that is not to be had here is said aloud."""
    if plan.engine == "pipeline":
        return predictor, plan
    try:
        return predictor.lowered(), plan
    except CannotLowerError as error:
        logger.warning("%s The pipeline answers, which takes longer.", error)
        return predictor, replace(plan, engine="pipeline", note=error.why)
