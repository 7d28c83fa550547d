"""The picture of a replay: quality over time, what each policy gained, and what it did when."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trimtab.records.replays import Replay, ReplayedPolicy
from trimtab.records.requests import RequestState

_COLOURS = ("#888888", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Told apart by people who see few colours (Okabe and Ito 2008)."""
_ACROSS, _ROW = 10.0, 0.32  # inches
_ROOM = 0.07  # of the time, on the right, for the figures at the ends of the lines


def draw(replay: Replay, file: Path) -> None:
    """Write the picture as PNG. Raises OSError."""
    lanes = len(replay.policies)
    figure = Figure(figsize=(_ACROSS, 6.4 + _ROW * lanes), dpi=110, layout="constrained")
    quality, gained, done = figure.subplots(
        3, 1, sharex=True, gridspec_kw={"height_ratios": [3, 3, 0.4 + _ROW * lanes]}
    )
    colours = dict(zip([p.name for p in replay.policies], _cycle(lanes), strict=True))
    figure.suptitle(
        f"{replay.model}: {len(replay.policies)} retraining policies on the same "
        f"{replay.labelled:,} rows"
    )
    _quality(quality, replay, colours)
    _gained(gained, replay, colours)
    _done(done, replay, colours)
    locator = dates.AutoDateLocator()  # type: ignore[no-untyped-call]  # matplotlib has no types
    shown = dates.ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]  # nor here
    done.xaxis.set_major_locator(locator)
    done.xaxis.set_major_formatter(shown)
    figure.savefig(file, format="png", metadata={"Software": None})


def _cycle(count: int) -> list[str]:
    return [_COLOURS[at % len(_COLOURS)] for at in range(count)]


def _quality(axes: Axes, replay: Replay, colours: dict[str, str]) -> None:
    edges = _edges(replay)
    for policy in replay.policies:
        loss, rows = _sums(policy, edges)
        mean = np.divide(loss, rows, out=np.full(len(rows), np.nan), where=rows > 0)
        axes.step(
            _at(edges),
            [*mean, mean[-1]],
            where="post",
            color=colours[policy.name],
            label=_plain(policy.name),
            linewidth=1.4,
        )
    axes.set_ylabel(f"{_plain(replay.metric)}\nof each window")
    axes.legend(ncols=len(replay.policies), fontsize=8, loc="upper left", frameon=False)
    axes.set_title("Quality (lower is better)", fontsize=9, loc="left")
    axes.margins(y=0.2)


def _gained(axes: Axes, replay: Replay, colours: dict[str, str]) -> None:
    """Draw the running gain: where the line rises, the policy is better than the base."""
    base, edges = _base(replay), _edges(replay)
    at = _at(edges)
    zero, _ = _sums(base, edges)
    for policy in replay.policies:
        gain = np.cumsum(zero - _sums(policy, edges)[0]) / replay.labelled
        colour = colours[policy.name]
        axes.plot(at, [0.0, *gain], color=colour, linewidth=1.6)
        axes.annotate(
            f"{gain[-1]:+.4f}",
            (at[-1], gain[-1]),
            xytext=(4, 0),
            textcoords="offset points",
            color=colour,
            fontsize=8,
            va="center",
            annotation_clip=False,
        )
    axes.set_xlim(at[0], at[-1] + _ROOM * (at[-1] - at[0]))
    axes.set_ylabel(f"{_plain(replay.metric)} saved\na row, so far")
    axes.set_title(f"Gain over {_plain(base.name)}, added up", fontsize=9, loc="left")


def _edges(replay: Replay) -> list[datetime]:
    """Give the edges of the windows: where the stages of all policies end."""
    ends = [{stage.end for stage in policy.stages} for policy in replay.policies]
    return [replay.since, *sorted(set.intersection(*ends))]


def _sums(policy: ReplayedPolicy, edges: Sequence[datetime]) -> tuple[np.ndarray, np.ndarray]:
    """Add up losses and rows between edges."""
    window = np.searchsorted(_at(edges), _at([stage.end for stage in policy.stages]))
    loss, rows = np.zeros(len(edges)), np.zeros(len(edges))
    np.add.at(loss, window, [stage.loss for stage in policy.stages])
    np.add.at(rows, window, [stage.rows for stage in policy.stages])
    return loss[1:], rows[1:]


def _done(axes: Axes, replay: Replay, colours: dict[str, str]) -> None:
    marks: dict[RequestState, dict[str, Any]] = {
        RequestState.PROMOTED: {"marker": "o", "s": 42},
        RequestState.REJECTED: {"marker": "x", "s": 36},
        RequestState.DECLINED: {"marker": "|", "s": 30, "alpha": 0.6},
        RequestState.FAILED: {"marker": "s", "s": 26},
    }
    lanes = {policy.name: -lane for lane, policy in enumerate(replay.policies)}
    for policy in replay.policies:
        axes.axhline(lanes[policy.name], color="#dddddd", linewidth=0.8, zorder=0)
        for state, style in marks.items():
            moments = _at([r.asked_at for r in policy.retrainings if r.state is state])
            axes.scatter(
                moments, [lanes[policy.name]] * len(moments), color=colours[policy.name], **style
            )
    for state, style in marks.items():
        axes.scatter([], [], color="#444444", label=str(state), **style)
    axes.set_yticks(list(lanes.values()), [_plain(name) for name in lanes], fontsize=8)
    axes.set_ylim(-len(lanes) + 0.4, 0.6)
    axes.set_title("Requests", fontsize=9, loc="left")
    axes.legend(ncols=4, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), frameon=False)


def _at(moments: Sequence[datetime]) -> np.ndarray:
    """Place moments on the axis of time, in days."""
    return np.array([moment.timestamp() / 86_400 for moment in moments])


def _base(replay: Replay) -> ReplayedPolicy:
    never = [policy for policy in replay.policies if policy.name == "never"]
    return (never or sorted(replay.policies, key=lambda policy: -policy.loss))[0]


def _plain(name: str) -> str:
    """Matplotlib reads text between dollar signs as mathematics."""
    return name.replace("$", r"\$")[:40]
