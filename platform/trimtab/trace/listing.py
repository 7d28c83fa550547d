"""The way forth: the predictions of a version, a dataset snapshot or a key, a few at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from trimtab.adapters.capture_key import open_redaction
from trimtab.adapters.opening import open_log, open_registry
from trimtab.errors import SettingsError
from trimtab.ports import InferenceLog
from trimtab.records.logged import LoggedRows
from trimtab.records.predictions import LoggedPrediction
from trimtab.settings import Settings, load

from .errors import UnknownSnapshotError

_MOST_ROWS = 10_000
"""So many rows of the log, about, are in memory at once."""
_MOST_SOUGHT = 1_000_000
"""So many are looked through in one go for the few of a key."""
_PARTS = 16
_MICROSECOND = timedelta(microseconds=1)
_SHORTEST_DIGEST = 8
_DIGEST_TAG = "trimtab.digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which predictions of a model."""

    model: str
    versions: Sequence[str]
    keys: frozenset[str] | None = None
    """As the log has them; None for all."""


def predictions(
    model: str,
    *,
    version: str | None = None,
    snapshot: str | None = None,
    key: str | None = None,
    project: Path | str = ".",
) -> Iterator[LoggedPrediction]:
    """Give all predictions of a version, of a snapshot's versions, of a key, or of the model.

    Version by version, in their order in time, with a bounded number in memory; what was captured
    and is not shipped yet is not among them. `snapshot` is a digest, or how one begins. Raises
    what `load` raises, UnknownModelError, and for a snapshot UnknownSnapshotError and
    RegistryUnreachableError.
    """
    settings = load(Path(project))
    wanted = wanted_of(settings, model, version=version, snapshot=snapshot, key=key)
    return streamed(open_log(settings), wanted)


def wanted_of(
    settings: Settings,
    model: str,
    *,
    version: str | None = None,
    snapshot: str | None = None,
    key: str | None = None,
) -> Wanted:
    """Find out of which versions, and under which names, predictions are wanted."""
    settings.model(model)
    versions = open_log(settings).versions(model)
    if snapshot is not None:
        made = versions_made_of(settings, model, snapshot)
        versions = [number for number in versions if number in made]
    if version is not None:
        versions = [number for number in versions if number == version]
    keys = None
    if key is not None:  # older rows may be in the clear
        keys = frozenset({key, open_redaction(settings, model).key(key)})
    return Wanted(model=model, versions=versions, keys=keys)


def versions_made_of(settings: Settings, model: str, digest: str) -> set[str]:
    """Name the versions that were trained on a snapshot. Raises UnknownSnapshotError."""
    if len(digest) < _SHORTEST_DIGEST:
        raise SettingsError(
            f"{digest!r} is too short for a digest: {_SHORTEST_DIGEST} digits or more"
        )
    registered = open_registry(settings).versions(model)
    made = {v.version for v in registered if v.tags.get(_DIGEST_TAG, "").startswith(digest)}
    if not made:
        raise UnknownSnapshotError(model, digest)
    return made


def streamed(log: InferenceLog, wanted: Wanted) -> Iterator[LoggedPrediction]:
    """Give the predictions slice by slice; merges of the log meanwhile neither lose nor repeat."""
    most = _MOST_ROWS if wanted.keys is None else _MOST_SOUGHT
    for version in wanted.versions:
        for start, end in slices(log, wanted.model, version, most):
            yield from log.answered(wanted.model, version, start, end, wanted.keys)


def count(log: InferenceLog, wanted: Wanted) -> int:
    """Count them; of the log's columns only what it takes is read."""
    return sum(_count(log, wanted, version) for version in wanted.versions)


def _count(log: InferenceLog, wanted: Wanted, version: str) -> int:
    span, keys = log.span(wanted.model, version), wanted.keys

    def work(batches: Iterator[LoggedRows]) -> int:
        if keys is None:
            return sum(len(batch.rows) for batch in batches)
        return sum(int(batch.rows["key"].isin(keys).sum()) for batch in batches)

    if span is None:
        return 0
    end, columns = span[1] + _MICROSECOND, [] if keys is None else ["key"]
    return log.scan(wanted.model, version, span[0], end, work, columns=columns)


def slices(
    log: InferenceLog, model: str, version: str, most: int
) -> Iterator[tuple[datetime, datetime]]:
    """Part a version's time so that a slice has about so many rows, refusals included.

    Rows of one microsecond stay together, however many there are.
    """
    span = log.span(model, version)
    if span is not None:
        yield from _parted(log, model, version, span[0], span[1] + _MICROSECOND, most)


def _parted(
    log: InferenceLog, model: str, version: str, start: datetime, end: datetime, most: int
) -> Iterator[tuple[datetime, datetime]]:
    edges = _edges(start, end)
    counts = log.count(model, version, edges)
    begun, held = start, 0
    for low, high, rows in zip(edges, edges[1:], counts, strict=False):
        if held and held + rows > most:
            yield begun, low
            begun, held = low, 0
        if rows > most and high - low > _MICROSECOND:
            yield from _parted(log, model, version, low, high, most)
            begun, held = high, 0
        else:
            held += rows
    if held:
        yield begun, end


def _edges(start: datetime, end: datetime) -> list[datetime]:
    length = (end - start) // _MICROSECOND
    parts = min(_PARTS, length)
    return [start + length * i // parts * _MICROSECOND for i in range(parts + 1)]
