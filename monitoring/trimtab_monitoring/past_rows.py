"""Rows of a window that the log still has: some of them, from everywhere in it."""

from collections.abc import Mapping

from trimtab.policy.evaluate import SAMPLED_ROWS, read_frame
from trimtab.policy.summaries import Readings
from trimtab.policy.watched import WatchedVersion, frame_of
from trimtab.ports import InferenceLog
from trimtab.records.windows import Window


def read_some(
    inference_log: InferenceLog,
    model: str,
    watched: WatchedVersion,
    window: Window,
    *,
    withheld: Mapping[str, str] = {},
) -> Mapping[str, Readings]:
    """Read the columns of a bounded number of rows; empty where they have left the log."""
    logged = inference_log.sample(model, watched.version, window.start, window.end, SAMPLED_ROWS)
    if logged is None:
        return {}
    frame = frame_of(watched.contract, logged.rows, logged.inputs)
    return read_frame(watched, frame, logged.rows, withheld)
