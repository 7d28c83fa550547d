"""A version in memory: how it gets there, and what must hold before it may answer."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab.adapters.golden import GoldenReport, replay_golden
from trimtab.adapters.manifest import verify_manifest
from trimtab.adapters.predictor import Answers, Predictor
from trimtab.errors import ExitCode, TrimtabError
from trimtab.records.devices import WantedDevice

from .bundle import VERSION_FOLDER

logger = logging.getLogger(__name__)


class RefusedVersionError(TrimtabError):
    """A version loaded, and does not answer as its trainer did."""

    exit_code = ExitCode.REFUSED

    def __init__(self, version: str, report: GoldenReport) -> None:
        super().__init__(f"Version {version} is not served: {report.message}.")
        self.version = version
        self.report = report


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """A loaded and proven version: everything an answer is made from and stamped with."""

    version: str
    manifest_sha256: str
    predictor: Predictor
    golden: GoldenReport

    @property
    def device(self) -> str:
        """Where it computes."""
        return self.predictor.device

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> Answers:
        """Answer rows that fit the contract. Raises what the predictor raises."""
        return self.predictor.answer(rows)


def load_champion(
    source: Path, version: str, manifest_sha256: str, device: WantedDevice
) -> Champion:
    """Load a version from a bento's sources: hash first, then parse, then prove.

    Raises ManifestError, UntrustedModelError and RefusedVersionError.
    """
    folder = source / VERSION_FOLDER
    verify_manifest(folder, manifest_sha256)
    predictor = Predictor.load(folder, device)
    report = replay_golden(folder, predictor)
    if not report.matches:
        raise RefusedVersionError(version, report)
    logger.info("version %s loaded on %s: %s", version, predictor.device, report.message)
    return Champion(
        version=version, manifest_sha256=manifest_sha256, predictor=predictor, golden=report
    )
