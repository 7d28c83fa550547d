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
from trimtab.records.promotions import Move, Promotion
from trimtab.records.requests import RequestState, RetrainRequest
from trimtab.records.versions import Alias, ModelVersion

from .bench import Bench
from .contenders import load_contender
from .contest import Contest, find_version, try_out
from .promotion import previous_champion, promote, settle_waiting


class AlreadyChampionError(TrimtabError):
    """The version that should become champion is champion."""

    exit_code = ExitCode.USAGE

    def __init__(self, model: str, version: str) -> None:
        super().__init__(f"Version {version} is the champion of {model!r} already.")


class NothingBeforeError(TrimtabError):
    """There is no earlier champion to go back to."""

    exit_code = ExitCode.REFUSED


class NeverChampionError(TrimtabError):
    """A version cannot be gone back to that was never champion."""

    exit_code = ExitCode.USAGE

    def __init__(self, model: str, version: str) -> None:
        super().__init__(
            f"Version {version} of {model!r} was never champion, so there is no going back to it. "
            f"See who was: trimtab history {model}; let it compete: trimtab promote {model} "
            f"{version}"
        )


class NotWaitingError(TrimtabError):
    """A version was approved or rejected that does not wait for that."""

    exit_code = ExitCode.USAGE

    def __init__(self, model: str, version: str) -> None:
        super().__init__(
            f"Version {version} of {model!r} does not wait for approval. See what does: trimtab "
            f"status; let it compete with the champion: trimtab promote {model} {version}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """What came of it; without a promotion the gate said no."""

    promotion: Promotion | None
    contest: Contest | None = None


def promote_by_hand(
    bench: Bench,
    model: str,
    number: str,
    *,
    actor: str,
    override: str | None = None,
    bakes: bool = True,
    how: Move | None = None,
) -> ByHand:
    """Promote a version: by the gate, by its earlier success there, or by a stated override.

    `how` names another way than these three that led to the same checks. Without `bakes` it need
    not prove itself afterwards. Raises UnknownVersionError, AlreadyChampionError, ManifestError,
    NotWaitingError and StaleEpochError.
    """
    version = find_version(bench.registry, model, number)
    with bench.database.transaction() as stores:
        current = stores.promotions.current(model)
        requests = stores.requests.recent(model)
    if current is not None and current.version == number:
        raise AlreadyChampionError(model, number)
    move = _Moving(bench, version, actor, bakes)
    if override is not None:
        load_contender(bench.registry, bench.settings.home, version)
        why = f"override by {actor}, without the gate: {override}"
        return ByHand(promotion=move.against(current, how or Move.FORCE, [why]))
    request = next((r for r in requests if has_won(r, number, current)), None)
    if request is not None:
        load_contender(bench.registry, bench.settings.home, version, request.manifest_sha256)
        approval = [f"approved by {actor}", *request.reasons]
        promotion = move.against(current, how or Move.APPROVAL, approval, request)
        return ByHand(promotion=promotion)
    rows = bench.collect(bench.settings, model, bench.clock.now())
    contest = try_out(bench, version, rows)
    if not contest.result.passed:
        return ByHand(promotion=None, contest=contest)
    reasons = [f"asked for by {actor}", *contest.result.reasons]
    promotion = move.against(contest.against, how or Move.GATE, reasons)
    return ByHand(promotion=promotion, contest=contest)


def has_won(request: RetrainRequest, number: str, champion: Promotion | None) -> bool:
    """Tell whether a version has won and waits, over the champion that is still in force."""
    if request.state is not RequestState.WAITING or request.version != number:
        return False
    since = champion.at if champion else None
    return request.finished_at is not None and (since is None or since <= request.finished_at)


def roll_back(
    bench: Bench, model: str, *, actor: str, why: str = "", to: str | None = None
) -> Promotion:
    """Make an earlier champion champion again, once it is proven to load.

    It is the one before the present one, unless `to` names another. Raises NoChampionError,
    NothingBeforeError, NeverChampionError, AlreadyChampionError, UnknownVersionError,
    ManifestError and StaleEpochError; in each case nothing was changed.
    """
    with bench.database.transaction() as stores:
        history = stores.promotions.history(model)
    if not history:
        raise NoChampionError(model)
    target = _earlier(history, to) if to is not None else previous_champion(history)
    if target is None:
        raise NothingBeforeError(
            f"Version {history[0].version} is the first champion of {model!r}; there is none "
            "before it to go back to."
        )
    version = find_version(bench.registry, model, target.version)
    load_contender(bench.registry, bench.settings.home, version, target.manifest_sha256)
    reason = f"rolled back from version {history[0].version} by {actor}"
    move = _Moving(bench, version, actor, bakes=False)  # it has proven itself before
    return move.against(history[0], Move.ROLLBACK, [f"{reason}: {why}" if why else reason])


def _earlier(history: Sequence[Promotion], version: str) -> Promotion:
    model = history[0].model
    if version == history[0].version:
        raise AlreadyChampionError(model, version)
    known = next((move for move in history if move.version == version), None)
    if known is None:
        raise NeverChampionError(model, version)
    return known


@dataclass(frozen=True, slots=True)
class _Moving:
    """Somebody about to make a version champion."""

    bench: Bench
    version: ModelVersion
    actor: str
    bakes: bool

    def against(
        self,
        champion: Promotion | None,
        how: Move,
        reasons: Sequence[str],
        approved: RetrainRequest | None = None,
    ) -> Promotion:
        """Move the champion, unless it, or what is approved, is another by now."""
        bench, version = self.bench, self.version
        settings = bench.settings.model(version.model).promotion
        with bench.database.transaction() as stores:
            if approved and approved not in stores.requests.recent(version.model):
                raise NotWaitingError(version.model, version.version)
            promotion = promote(
                stores,
                version,
                against=champion,
                actor=self.actor,
                reasons=reasons,
                at=bench.clock.now(),
                how=how,
                bake=settings.bakes_for if self.bakes else None,
            )
            settle_waiting(stores, promotion)
        with suppress(RegistryUnreachableError):  # the worker's reconciliation follows later
            bench.registry.point(version.model, Alias.CHAMPION, version.version)
            if bench.registry.aliased(version.model, Alias.CHALLENGER) == version.version:
                bench.registry.point(version.model, Alias.CHALLENGER, None)
        return promotion
