"""As what a version answered, and what became of that: read out of moves and trials alone."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from trimtab.records.promotions import Promotion
from trimtab.records.traces import Role, Since, Tenure
from trimtab.records.trials import Trial, TrialKind

LONGEST_LEAVE = timedelta(hours=1)
"""A version that answers longer than this after its successor's promotion is unexplained."""


def champion_at(history: Sequence[Promotion], moment: datetime) -> Promotion | None:
    """Give the move in force at a moment; `history` is newest first.

    Where the clock went back between two moves, the later move counts.
    """
    return next((move for move in history if move.at <= moment), None)


def tenure_at(
    version: str, moments: Sequence[datetime], history: Sequence[Promotion], trials: Sequence[Trial]
) -> Tenure:
    """Tell as what a version answered at the first of some moments that explains it.

    `moments` are what different clocks say of one event: of the server and of the event itself.
    `history` is newest first.
    """
    for moment in moments:
        move = champion_at(history, moment)
        if move is not None and move.version == version:
            return _reign(Role.CHAMPION, move, history)
    for moment in moments:
        if (trial := _trial_at(version, moment, trials)) is not None:
            return _trialled(trial)
    for moment in moments:
        if (left := _left_before(version, moment, history)) is not None:
            return _reign(Role.LEAVING, left, history)
    return Tenure(role=Role.UNKNOWN)


def _reign(role: Role, move: Promotion, history: Sequence[Promotion]) -> Tenure:
    """Tell how a reign ended: by a better version, or by going back behind it."""
    later = [other for other in reversed(history) if other.epoch > move.epoch]
    successor = next((other for other in later if other.version != move.version), None)
    if successor is None:
        return Tenure(role=role, promotion=move, since=Since.UNCHANGED)
    before = {other.version for other in history if other.epoch < move.epoch}
    is_back = successor.version in before
    return Tenure(
        role=role,
        promotion=move,
        since=Since.ROLLED_BACK if is_back else Since.REPLACED,
        changed_at=successor.at,
        by=successor,
    )


def _left_before(version: str, moment: datetime, history: Sequence[Promotion]) -> Promotion | None:
    """Find the reign of a version that ended shortly before a moment."""
    for old, new in pairwise(reversed(history)):
        if old.version == version and new.at <= moment < new.at + LONGEST_LEAVE:
            return old
    return None


def _trial_at(version: str, moment: datetime, trials: Sequence[Trial]) -> Trial | None:
    for trial in trials:
        is_over = trial.ended_at is not None and moment >= trial.ended_at + LONGEST_LEAVE
        is_canary = trial.kind is TrialKind.CANARY and trial.challenger == version
        if is_canary and trial.began_at <= moment and not is_over:
            return trial
    return None


def _trialled(trial: Trial) -> Tenure:
    return Tenure(
        role=Role.CANARY,
        trial=trial,
        since=Since.UNCHANGED if trial.ended_at is None else Since.ENDED,
        changed_at=trial.ended_at,
    )
