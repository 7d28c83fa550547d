"""The hops of a trace: each asks one store, and what it cannot tell is a gap with its reason."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from trimtab.errors import TrimtabError
from trimtab.ports import Stores
from trimtab.records.documents import from_json
from trimtab.records.predictions import LoggedPrediction
from trimtab.records.reference import Reference
from trimtab.records.traces import (
    Gap,
    TracedLabel,
    TracedReference,
    TracedSnapshot,
    TracedVerdict,
)
from trimtab.records.verdicts import FindingKind, Verdict
from trimtab.records.versions import ModelVersion

Result = TypeVar("Result")


@dataclass(slots=True)
class Gaps:
    """What could not be told, gathered hop by hop."""

    found: list[Gap] = field(default_factory=list)

    def note(self, hop: str, why: str) -> None:
        """Note that a hop is not told."""
        self.found.append(Gap(hop=hop, why=why))

    def told(self, hop: str, ask: Callable[[], Result | None], absent: str) -> Result | None:
        """Ask for a hop; note why where it is not told."""
        try:
            answer = ask()
        except (TrimtabError, OSError, ValueError) as error:
            self.note(hop, str(error))
            return None
        if answer is None:
            self.note(hop, absent)
        return answer


def snapshot_of(version: ModelVersion) -> TracedSnapshot | None:
    """Read which rows a version was made of; None where its tags do not say."""
    tags = version.tags
    if "trimtab.digest" not in tags:
        return None
    return TracedSnapshot(
        digest=tags["trimtab.digest"],
        source=tags.get("trimtab.source", ""),
        rows=int(tags.get("trimtab.rows", "0")),
        first=tags.get("trimtab.first_row", ""),
        last=tags.get("trimtab.last_row", ""),
        kept_for_gate_from=version.trained_until,
    )


def reference_of(content: bytes) -> TracedReference:
    """Tell what the monitor compares the version's traffic with."""
    reference = from_json(Reference, content)
    return TracedReference(
        sha256=hashlib.sha256(content).hexdigest(),
        rows=reference.rows,
        window=reference.window,
        rows_needed=reference.rows_needed,
        false_alarms=reference.false_alarms,
    )


def verdicts_of(stores: Stores, prediction: LoggedPrediction) -> Sequence[TracedVerdict]:
    """List the verdicts on the version's windows that hold the prediction."""
    found = stores.verdicts.at(prediction.model, prediction.time)
    return [_told(verdict) for verdict in found if verdict.version == prediction.version]


def _told(verdict: Verdict) -> TracedVerdict:
    alarming = (FindingKind.BROKEN, FindingKind.DRIFTED)
    return TracedVerdict(
        window=verdict.window,
        kind=verdict.kind,
        rows=verdict.rows,
        judged_at=verdict.judged_at,
        alarming=tuple(f for f in verdict.worst_first if f.kind in alarming),
        is_worse=verdict.quality is not None and verdict.quality.is_worse,
        report=verdict.report,
    )


def label_of(stores: Stores, prediction: LoggedPrediction) -> TracedLabel | None:
    """Find what came true; what was told of the prediction itself counts before its key's."""
    names = [name for name in (prediction.id, prediction.key) if name is not None]
    standing = stores.labels.standing(prediction.model, names)
    name = next((name for name in names if name in standing), None)
    if name is None:
        return None
    return TracedLabel(
        label=standing[name],
        by_id=name == prediction.id,
        waited=standing[name].known_at - prediction.time,
        before=tuple(stores.labels.history(prediction.model, name)),
    )


def not_judged(stores: Stores, prediction: LoggedPrediction) -> str:
    """Say why no verdict holds the prediction."""
    newest = next(iter(stores.verdicts.recent(prediction.model, prediction.version, limit=1)), None)
    if newest is None:
        return f"no window of version {prediction.version} has been judged yet"
    if prediction.time >= newest.window.end:
        return f"its window is not judged yet; the newest one ended {newest.window.end:%F %H:%M}"
    return "its window was not judged, or the row came after it was"
