"""Patience with slow callers: one timer for all of them, as almost none is slow."""

import asyncio


class Patience:
    """Ends waits that last too long.

    A timer for each request would cost as much as reading it does.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        """Within this a wait may last; it is ended a quarter later at the latest."""
        self._waiting: dict[asyncio.Task[object], float] = {}
        self._is_watching = False

    def __enter__(self) -> None:
        """Begin to wait, in a task."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        self._waiting[task] = loop.time() + self.seconds
        if not self._is_watching:
            self._watch(loop)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Be done with waiting. Raises TimeoutError when it was ended."""
        task = asyncio.current_task()
        assert task is not None
        if self._waiting.pop(task, None) is None and kind is asyncio.CancelledError:
            task.uncancel()
            raise TimeoutError

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_watching = True
        loop.call_later(self.seconds / 4, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_watching = False
        now = loop.time()
        for task, end in list(self._waiting.items()):
            if end <= now:
                del self._waiting[task]
                task.cancel()
        if self._waiting:
            self._watch(loop)
