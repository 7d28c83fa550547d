"""What a replay says for people: which policy it would take, how sure that is, and the tables."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from trimtab.records.incidents import Situation
from trimtab.records.replays import Preference, Replay, ReplayedPolicy, Retraining, Rival
from trimtab.records.requests import RequestState

_HEADINGS = (
    ("policy", False),
    ("asks", False),
    ("loss", True),
    ("gain", True),
    ("incidents", True),
    ("alerts", True),
    ("asked", True),
    ("declined", True),
    ("trained", True),
    ("rejected", True),
    ("promoted", True),
    ("CPU s", True),
)
_PROMOTED = (RequestState.PROMOTED, RequestState.WAITING)


def table_of(replay: Replay) -> Table:
    """Lay the policies side by side."""
    found = Table(
        title=f"{replay.model}, {replay.since:%Y-%m-%d} to {replay.until:%Y-%m-%d}",
        caption=f"Mean {replay.metric} of {replay.labelled:,} rows, lower is better. Incidents: "
        "drift, quality, broken data. CPU: of the trainings that a policy asked for.",
    )
    for name, justify in _HEADINGS:
        found.add_column(name, justify="right" if justify else "left")
    for policy in replay.policies:
        taken = policy.name == replay.preference.policy
        found.add_row(
            *(Text(cell) for cell in _cells(replay, policy)), style="bold" if taken else ""
        )
    return found


def retrainings_of(policy: ReplayedPolicy) -> Table | None:
    """List what was trained and what it gained; None where nothing was."""
    trained = [retraining for retraining in policy.retrainings if retraining.version]
    if not trained:
        return None
    found = Table(title=f"{policy.name}: {policy.rule}")
    for name in ("trained", "asked by", "learner", "ended", "gain", "rows", "up to", "CPU s"):
        found.add_column(name, justify="right" if name in ("gain", "rows", "CPU s") else "left")
    for retraining in trained:
        found.add_row(*(Text(cell) for cell in _cells_of(retraining)))
    return found


def verdict_of(preference: Preference) -> list[str]:
    """Say which policy one would take, and how sure that is, in sentences."""
    taken = preference.policy
    if not preference.rivals:
        return [f"All policies gave the same answers; {taken} costs least."]
    nearest = preference.rivals[0]
    lines = [f"I would take {taken}: {_compared(nearest, preference.confidence)}"]
    if preference.alike:
        lines.append(f"{_listed(preference.alike)} gave the same answers, at no lower cost.")
    if preference.cheaper:
        rival = next(r for r in preference.rivals if r.name == preference.cheaper)
        lines.append(
            f"{rival.name} trains less and is not proven worse: its mean loss is larger by "
            f"{rival.gain:.4f}{_bounds(rival, preference.confidence)}."
        )
    lines.append(
        "This is one past. It says how these policies did in it, and only the spread between its "
        "windows says how another one might have gone."
    )
    return lines


def declined_of(policy: ReplayedPolicy, *, most: int = 3) -> list[str]:
    """Say why requests were declined, the most frequent reasons first."""
    reasons: dict[str, int] = {}
    for retraining in policy.retrainings:
        if retraining.state is RequestState.DECLINED and retraining.reasons:
            kind = retraining.obstacles[0] if retraining.obstacles else retraining.reasons[-1]
            reasons[str(kind)] = reasons.get(str(kind), 0) + 1
    ordered = sorted(reasons.items(), key=lambda item: -item[1])[:most]
    return [f"{count} x {why}" for why, count in ordered]


def _cells(replay: Replay, policy: ReplayedPolicy) -> list[str]:
    worst = max(replay.policies, key=lambda other: other.loss)
    base = next((p for p in replay.policies if p.name == "never"), worst)
    incidents = [policy.incidents.get(situation, 0) for situation in Situation]
    return [
        policy.name,
        policy.rule,
        f"{policy.loss:.4f}",
        "" if policy is base else f"{base.loss - policy.loss:+.4f}",
        " + ".join(map(str, incidents)),
        str(policy.alerts),
        str(len(policy.retrainings)),
        str(policy.count(RequestState.DECLINED)),
        str(policy.trained),
        str(policy.count(RequestState.REJECTED)),
        str(policy.count(*_PROMOTED)),
        f"{policy.cpu_seconds:.0f}",
    ]


def _cells_of(retraining: Retraining) -> list[str]:
    gained = "" if retraining.gained is None else f"{retraining.gained:+.4f}"
    return [
        retraining.version or "",
        str(retraining.trigger),
        retraining.candidate or "",
        str(retraining.state),
        gained if retraining.state in _PROMOTED else f"({gained})",
        f"{retraining.rows:,}",
        f"{retraining.until:%Y-%m-%d}" if retraining.until else "",
        f"{retraining.cpu_seconds:.0f}",
    ]


def _compared(rival: Rival, confidence: float) -> str:
    words = (
        f"its mean loss is {rival.gain:.4f} below that of the next best, {rival.name}"
        f"{_bounds(rival, confidence)}"
    )
    if rival.chance is None or rival.low is None:
        return f"{words}. The past has too few windows to say how sure that is."
    sure = "proven" if rival.low > 0 else "not proven"
    return (
        f"{words}. In {rival.chance:.0%} of resampled pasts it stays the better of the two: {sure} "
        f"at {confidence:.0%}."
    )


def _bounds(rival: Rival, confidence: float) -> str:
    if rival.low is None or rival.high is None:
        return ""
    return f" ({rival.low:+.4f} to {rival.high:+.4f}, each end with {confidence:.0%} confidence)"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
