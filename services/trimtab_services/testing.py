"""Captured requests for tests: one number says all about each."""

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from trimtab.adapters.manifest import write_manifest
from trimtab.errors import UnknownVersionError
from trimtab.records.contracts import Contract, Task
from trimtab.records.documents import to_json
from trimtab.records.schema import Column, ColumnType, Schema

from .bundle import CONTRACT_FILE, VERSION_FOLDER, Bundle, source_of, write_bundle
from .captured import CapturedRequest, encode
from .segments import SegmentWriter

MODEL = "late"
NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)


def contract_of(version: str) -> Contract:
    """Give the contract, with the one input `temp`, of any version that is a number."""
    if not version.isdigit():
        raise UnknownVersionError(MODEL, version)
    columns = (Column(name="temp", type=ColumnType.DOUBLE, required=True),)
    schema = Schema(columns=columns)
    return Contract(model=MODEL, task=Task.BINARY, target="y", schema=schema, classes=("n", "y"))


def request(
    number: int, *, version: str = "1", temps: Sequence[object] = (1.5,), status: int = 200
) -> tuple[bytes, bytes]:
    """Give the id and the payload of a request that came so many seconds after noon."""
    made = CapturedRequest(
        request_id=f"{number:032x}",
        version=version,
        received=NOON,
        status=status,
        latency_us=900,
        source="test",
        device="cpu",
        detail=None if status < 400 else "refused",
        time=NOON + timedelta(seconds=number),
        columns=["temp"],
        inputs=[(temp,) for temp in temps],
        predictions=["y"] * len(temps),
        probabilities=[[0.25, 0.75]] * len(temps),
    )
    return number.to_bytes(16, "big"), encode(made)


def capture(spool: Path, *requests: tuple[bytes, bytes]) -> Path:
    """Capture requests by a writer that ends at once; give its segment."""
    before = set(spool.glob("*.seg"))
    with closing(SegmentWriter(spool)) as writer:
        for request_id, payload in requests:
            writer.append(request_id, payload)
    (segment,) = set(spool.glob("*.seg")) - before
    return segment


def put_contract(bento: Path, version: str = "1") -> None:
    """Write as much of a bento as shipping its requests takes."""
    folder = source_of(bento) / VERSION_FOLDER
    folder.mkdir(parents=True)
    (folder / CONTRACT_FILE).write_bytes(to_json(contract_of(version)))
    bundle = Bundle(
        model=MODEL,
        version=version,
        manifest_sha256=write_manifest(folder),
        code_sha256="0" * 64,
        requirements=(),
        device="cpu",
        max_rows=100,
    )
    write_bundle(source_of(bento), bundle)
