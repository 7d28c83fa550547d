"""The rows of a drill: the model's own history, cut into blocks and laid out anew.

What is trained on and what is sent are blocks of one length, drawn by chance from the same
history. So traffic without a change is like the training, whatever the world did meanwhile, while
within a block everything is as it was: its times of day, its order, what goes with what.
"""

import multiprocessing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pandas as pd

from trimtab.errors import TrimtabError
from trimtab.records.durations import format_duration
from trimtab.settings import ModelSettings, Settings

from .errors import DrillError, TooFewRowsError

KEY = "drill_key"
"""The column of keys where the model has none."""
_TRAINING_ROWS = 80_000
"""More teach a model that serves for minutes nothing that matters here, and take their time."""
_LEAST_TRAINING = 8  # windows; limits cannot be calibrated on fewer
_BLOCKS = (timedelta(days=7), timedelta(days=1))
_LEAST_BLOCKS = 12
_MONDAY = pd.Timestamp("1970-01-05", tz="UTC")
"""Blocks begin where windows do, whatever their length."""
_FULL = 0.5  # of the usual rows a block must have: what begins and ends the history has not


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Rows in time order, on a time line of their own; keys and times are set."""

    training: pd.DataFrame
    live: pd.DataFrame
    """Everything that can be sent, from `begins` on, without a gap."""
    begins: datetime
    """The beginning of a window."""
    windows: int
    """That `live` fills."""


def read_history(settings: Settings, model: str, file: Path) -> pd.DataFrame:
    """Read all labelled rows of a model, in a process of their own, by way of a file.

    Raises DrillError, with what the source says.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_write, args=(settings, model, file, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        why = ours.recv()
    except EOFError:
        why = "the process that read them died"
    process.join()
    if why:
        raise DrillError(f"The rows of {model!r} cannot be read: {why}")
    return pd.read_parquet(file)


def _write(settings: Settings, model: str, file: Path, told: "Connection[str, str]") -> None:
    from trimtab_pipelines.collect import collect  # with its frameworks, in this process alone

    try:
        collect(settings, model, datetime.max.replace(tzinfo=UTC)).to_parquet(file, index=False)
    except TrimtabError as error:
        told.send(str(error))
    except Exception as error:  # the edge of a process: whatever it was, somebody waits for it
        told.send(f"{type(error).__name__}: {error}")
    else:
        told.send("")


def lay_out(
    rows: pd.DataFrame, settings: ModelSettings, *, least: int, most: int, seed: int = 0
) -> Material:
    """Cut history into blocks and lay them out: some to train on, then those to send.

    `least` and `most` are the windows that have to, and at most can, be sent. Raises
    TooFewRowsError.
    """
    assert settings.time is not None
    window, times = settings.monitor.window, rows[settings.time]
    block = _block(times.iloc[0], times.iloc[-1], window)
    starts = (times - _MONDAY) // pd.Timedelta(block) * pd.Timedelta(block) + _MONDAY
    counts = starts.value_counts().astype(float)
    full = sorted(counts.index[counts >= _FULL * counts.median()])
    each = block // window
    needed = -(-least // each) + -(-_LEAST_TRAINING // each)
    if len(full) < needed:
        raise TooFewRowsError(len(full) * each, needed * each, format_duration(window))
    sent = min(-(-most // each), len(full) - max(-(-_LEAST_TRAINING // each), len(full) // 3))
    sent = max(sent, -(-least // each))
    order = [full[n] for n in np.random.default_rng(seed).permutation(len(full))]
    trained = _enough(counts, order[sent:])
    laid = _laid(rows, settings, starts, [*trained, *order[:sent]], block)
    begins: datetime = (pd.Timestamp(full[0]) + len(trained) * block).to_pydatetime()
    is_live = laid[settings.time] >= begins
    return Material(training=laid[~is_live], live=laid[is_live], begins=begins, windows=sent * each)


def _block(first: datetime, last: datetime, window: timedelta) -> timedelta:
    """Choose the longest block of which there are enough: weeks keep more than days do."""
    for length in _BLOCKS:
        if length % window == timedelta(0) and (last - first) // length >= _LEAST_BLOCKS:
            return length
    return window


def _enough(counts: "pd.Series[float]", blocks: list[pd.Timestamp]) -> list[pd.Timestamp]:
    """Take blocks until there are rows enough to train on."""
    before = np.cumsum([0, *(counts[block] for block in blocks[:-1])])
    least = min(len(blocks), _LEAST_TRAINING)
    return [b for n, b in enumerate(blocks) if n < least or before[n] < _TRAINING_ROWS]


def _laid(
    rows: pd.DataFrame,
    settings: ModelSettings,
    starts: "pd.Series[pd.Timestamp]",
    order: list[pd.Timestamp],
    block: timedelta,
) -> pd.DataFrame:
    """Move each block to its new place, with every moment in it; name the rows anew."""
    assert settings.time is not None
    first = min(order)
    moves = {start: first + place * block - start for place, start in enumerate(order)}
    kept = rows[starts.isin(moves)].copy()
    by = starts[kept.index].map(moves)
    for name in kept.columns:
        if pd.api.types.is_datetime64_any_dtype(kept[name]):
            kept[name] = kept[name] + by
    kept = kept.sort_values(settings.time, kind="stable").reset_index(drop=True)
    return kept.assign(**{settings.key or KEY: [f"drill-{n}" for n in range(len(kept))]})
