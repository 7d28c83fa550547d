"""What a person does to a champion: promote, with or without the gate, and roll back."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from trimtab.errors import (
    ExitCode,
    NoChampionError,
    RegistryUnreachableError,
    TrimtabError,
)
from trimtab.records.promotions import Promotion
from trimtab.records.requests import RequestState
from trimtab.records.versions import Alias, ModelVersion

from .bench import Bench
from .contenders import load_contender
from .contest import Contest, find_version, try_out
from .events import Event
from .promotion import previous_champion, promote, settle_waiting


class AlreadyChampionError(TrimtabError):
    """The version that should become champion is champion."""

    exit_code = ExitCode.USAGE


class NothingBeforeError(TrimtabError):
    """There is no earlier champion to go back to."""

    exit_code = ExitCode.REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """What came of it; without a promotion the gate said no."""

    promotion: Promotion | None
    contest: Contest | None = None


def promote_by_hand(
    bench: Bench, model: str, number: str, *, actor: str, override: str | None = None
) -> ByHand:
    """Promote a version: by the gate, by its earlier success there, or by a stated override.

    Raises UnknownVersionError, AlreadyChampionError, ManifestError and StaleEpochError.
    """
    version = find_version(bench.registry, model, number)
    with bench.database.transaction() as stores:
        current = stores.promotions.current(model)
        requests = stores.requests.recent(model)
    if current is not None and current.version == number:
        raise AlreadyChampionError(f"Version {number} is the champion of {model!r} already.")
    if override is not None:
        load_contender(bench.registry, bench.settings.home, version)
        why = f"override by {actor}, without the gate: {override}"
        return ByHand(promotion=_move(bench, version, current, actor, [why]))
    since = current.at if current else None
    for request in requests:
        has_won = request.state is RequestState.WAITING and request.version == number
        if has_won and request.finished_at and (since is None or since <= request.finished_at):
            load_contender(bench.registry, bench.settings.home, version)
            approval = [f"approved by {actor}", *request.reasons]
            return ByHand(promotion=_move(bench, version, current, actor, approval))
    rows = bench.collect(bench.settings, model, bench.clock.now())
    contest = try_out(bench, version, rows)
    if not contest.result.passed:
        return ByHand(promotion=None, contest=contest)
    reasons = [f"asked for by {actor}", *contest.result.reasons]
    return ByHand(promotion=_move(bench, version, contest.against, actor, reasons), contest=contest)


def roll_back(bench: Bench, model: str, *, actor: str, why: str = "") -> Promotion:
    """Make the champion before the present one champion again, once it is proven to load.

    Raises NoChampionError, NothingBeforeError, UnknownVersionError, ManifestError and
    StaleEpochError; in each case nothing was changed.
    """
    with bench.database.transaction() as stores:
        history = stores.promotions.history(model)
    if not history:
        raise NoChampionError(model)
    target = previous_champion(history)
    if target is None:
        raise NothingBeforeError(
            f"Version {history[0].version} is the first champion of {model!r}; there is none "
            "before it to go back to."
        )
    version = find_version(bench.registry, model, target.version)
    load_contender(bench.registry, bench.settings.home, version, target.manifest_sha256)
    reason = f"rolled back from version {history[0].version} by {actor}"
    reasons = [f"{reason}: {why}" if why else reason]
    return _move(bench, version, history[0], actor, reasons, Event.ROLLED_BACK)


def _move(
    bench: Bench,
    version: ModelVersion,
    against: Promotion | None,
    actor: str,
    reasons: Sequence[str],
    event: Event = Event.PROMOTED,
) -> Promotion:
    with bench.database.transaction() as stores:
        promotion = promote(
            stores,
            version,
            against=against,
            actor=actor,
            reasons=reasons,
            at=bench.clock.now(),
            event=event,
        )
        settle_waiting(stores, promotion)
    with suppress(RegistryUnreachableError):  # the worker's reconciliation follows later
        bench.registry.point(version.model, Alias.CHAMPION, version.version)
        if bench.registry.aliased(version.model, Alias.CHALLENGER) == version.version:
            bench.registry.point(version.model, Alias.CHALLENGER, None)
    return promotion
