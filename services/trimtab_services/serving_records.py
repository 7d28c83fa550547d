"""What a trace can learn from this machine alone: the capture spool, quarantine, and bentos."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from trimtab.records.predictions import LoggedPrediction
from trimtab.records.traces import Captured, TracedPackage, Whereabouts
from trimtab.settings import Settings

from .bento import read_proof
from .bundle import read_bundle, source_of
from .captured import CapturedRequest, decode
from .frames import FrameKind, scan
from .quarantine import Quarantine, request_of
from .segment_file import FIRST_FRAME, SUFFIX


class LocalRecords:
    """Reads what the services worker and its endpoints keep in the home; changes nothing."""

    def __init__(self, settings: Settings) -> None:
        self._home = settings.home

    def captured(self, model: str, prediction_id: str) -> Captured | None:
        """Find a prediction that was captured and is not in the inference log."""
        spool, request = self._home.spool(model), prediction_id.rpartition("-")[0]
        for where, found in (
            (Whereabouts.SPOOL, _in_segments(spool, bytes.fromhex(request))),
            (Whereabouts.QUARANTINE, _in_quarantine(spool / "quarantine", request)),
        ):
            for captured in found:
                for prediction in _predictions(model, captured):
                    if prediction.id == prediction_id:
                        return Captured(prediction=prediction, found_in=where)
        return None

    def package(self, model: str, version: str) -> TracedPackage | None:
        """Describe the bento of a version; None where it is not here. Raises ValueError."""
        bento = self._home.bento(model, version)
        if not bento.is_dir():
            return None
        bundle, proof = read_bundle(source_of(bento)), read_proof(bento)
        built = (bento / "bento.yaml").stat().st_mtime
        return TracedPackage(
            tag=f"{bundle.model.lower()}:{bundle.version}",  # BentoML has tags in lower case
            built_at=datetime.fromtimestamp(built, UTC),
            manifest_sha256=bundle.manifest_sha256,
            code_sha256=bundle.code_sha256,
            proof=proof.message,
            requirements=bundle.requirements,
        )


def _in_segments(spool: Path, request: bytes) -> Iterator[CapturedRequest]:
    for path in sorted(spool.glob(f"*{SUFFIX}")):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue  # shipped and removed just now
        if request not in data:
            continue
        for frame in scan(data[FIRST_FRAME:]):
            if frame.kind is FrameKind.REQUEST and frame.id == request:
                yield decode(frame.payload)


def _in_quarantine(folder: Path, request: str) -> Iterator[CapturedRequest]:
    name = request.encode()
    for path in Quarantine(folder).files():
        for line in path.read_bytes().splitlines():
            if name in line:
                yield request_of(line)


def _predictions(model: str, request: CapturedRequest) -> Iterator[LoggedPrediction]:
    for row in request.rows:
        shares = row.probabilities
        yield LoggedPrediction(
            id=row.prediction_id,
            request=request.request_id,
            model=model,
            version=request.version,
            time=row.time,
            received=request.received,
            key=row.key,
            source=request.source,
            latency_us=request.latency_us,
            device=request.device,
            detail=request.detail,
            inputs=dict(row.inputs),
            prediction=row.prediction,
            probabilities=None if shares is None else tuple(shares),
        )
