"""Ending a whole program politely: the first Ctrl-C or SIGTERM, whatever it is doing."""

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any


async def until_signal(body: Coroutine[Any, Any, None]) -> bool:
    """Run until the body ends or a signal comes; tell whether it ended by itself.

    The signal cancels the body, which may take its time to clean up; further ones are ignored,
    unless the body sets a handler of its own.
    """
    loop, task = asyncio.get_running_loop(), asyncio.create_task(body)

    def end() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, lambda: None)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    with suppress(asyncio.CancelledError):
        await task
    return not task.cancelled()
