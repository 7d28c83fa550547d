"""A group of processes that is kept running until it is stopped."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import httpx2

from trimtab.errors import TrimtabError

from .process import Child, ProcessSpec

Report = Callable[[str, str], None]
"""Called with a process's name and what happened to it."""

_POLL_SECONDS = 0.2
_FIRST_PAUSE = 0.5  # before a process that ended is started again; doubles up to the longest
_LONGEST_PAUSE = 30.0
_STEADY_SECONDS = 60.0  # whoever ran this long starts again without delay
_LOG_LINES = 12


class StartError(TrimtabError):
    """A process did not come up."""

    def __init__(self, spec: ProcessSpec, why: str) -> None:
        lines = spec.log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        tail = "".join(f"\n    {line}" for line in lines)
        super().__init__(f"{spec.name} did not start: {why}. Its log, {spec.log}, ends:{tail}")
        self.name = spec.name


class ProcessGroup:
    """Starts processes one after the other, restarts those that end, stops all in reverse."""

    def __init__(
        self, report: Report, *, grace: float = 10.0, changed: Callable[[], None] = lambda: None
    ) -> None:
        self._report = report
        self._grace = grace
        self._changed = changed
        self._children: dict[str, Child] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._is_noted = True

    @property
    def children(self) -> Sequence[Child]:
        """The processes that run now."""
        return [child for child in self._children.values() if child.is_running]

    async def start(self, spec: ProcessSpec) -> None:
        """Start a process, wait until it is ready, and keep it running from then on.

        Raises StartError.
        """
        child = await self._launch(spec)
        await self._until_ready(child)
        self._report(spec.name, "ready" if spec.ready_url else "started")
        self._keepers.append(asyncio.create_task(self._keep(child)))

    async def stop(self) -> None:
        """Stop everything that runs, the last first."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for child in reversed(list(self._children.values())):
            await child.stop(self._grace)
        self._children.clear()
        self._note()

    def kill(self) -> None:
        """End everything at once; for a second Ctrl-C."""
        for child in self._children.values():
            child.kill()

    async def _launch(self, spec: ProcessSpec) -> Child:
        child = await Child.start(spec)
        self._children[spec.name] = child
        self._note()
        return child

    def _note(self) -> None:
        """Tell of the change; a table that a full disk keeps from being written ends nothing."""
        try:
            self._changed()
        except OSError as error:
            if self._is_noted:
                self._report("platform", f"cannot note which processes run: {error}")
            self._is_noted = False
        else:
            self._is_noted = True

    async def _until_ready(self, child: Child) -> None:
        spec = child.spec
        deadline = time.monotonic() + spec.ready_seconds
        async with httpx2.AsyncClient(timeout=2.0, trust_env=False) as client:
            while spec.ready_url is not None:
                if not child.is_running:
                    raise StartError(spec, f"it ended with code {await child.ended()}")
                with suppress(httpx2.HTTPError):
                    if (await client.get(spec.ready_url)).status_code == 200:
                        return
                if time.monotonic() > deadline:
                    raise StartError(spec, f"not ready within {spec.ready_seconds:.0f} s")
                await asyncio.sleep(_POLL_SECONDS)

    async def _keep(self, child: Child) -> None:
        """Start a process again whenever it ends; any end is a failure, code 0 included."""
        spec, pause = child.spec, _FIRST_PAUSE
        while True:
            started = time.monotonic()
            code = await child.ended()
            child.kill()  # what it left of its group would hold its port
            if time.monotonic() - started > _STEADY_SECONDS:
                pause = _FIRST_PAUSE
            self._report(spec.name, f"ended with code {code}; starting again in {pause:g} s")
            child, pause = await self._launch_again(spec, pause)
            try:
                await self._until_ready(child)
            except (StartError, OSError) as error:
                self._report(spec.name, str(error))
                await child.stop(self._grace)
            else:
                self._report(spec.name, "ready again" if spec.ready_url else "started again")

    async def _launch_again(self, spec: ProcessSpec, pause: float) -> tuple[Child, float]:
        """Try until there is a process again; give the pause before the next try as well."""
        while True:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            try:
                return await self._launch(spec), pause
            except OSError as error:  # no memory or no disk now; there may be some later
                why = f"cannot be started: {error}; trying again in {pause:g} s"
                self._report(spec.name, why)
