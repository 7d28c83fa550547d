"""Two versions on one GPU: the new one waits on the CPU for the room that the old one leaves."""

import gc
import logging
from collections.abc import Callable

from .service import Endpoint
from .swap import Champion

logger = logging.getLogger(__name__)


def take_in(endpoint: Endpoint, load: Callable[[], Champion]) -> None:
    """Let another version answer; where it found no room on the GPU, again once there is some.

    `load` gives the version verified and proven, on the device that it finds. So nobody waits, no
    answer comes from a version that was not proven where it computes, and what the CPU answers
    meanwhile is stamped with it. Raises what the first `load` raises.
    """
    endpoint.swap(load())
    if not endpoint.champion.predictor.awaits_room:
        return
    gc.collect()  # the version before it lets go of its memory
    try:
        again = load()
    except Exception:
        logger.exception("version %s stays on the CPU", endpoint.champion.version)
        return
    if not again.predictor.awaits_room:
        endpoint.swap(again)
