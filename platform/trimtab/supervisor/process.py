"""One child process: started in a group of its own, and never outliving its parent."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from trimtab.adapters.lifetime import end_with_parent
from trimtab.settings import TELEMETRY_OFF

_LOG_LIMIT = 16 << 20  # bytes; a larger log is set aside when its process starts again

CHILD_ENVIRONMENT = {
    **TELEMETRY_OFF,
    "OMP_WAIT_POLICY": "passive",  # idle XGBoost threads spin otherwise, at the others' expense
    "PYTHONUNBUFFERED": "1",  # what a process says is in its log when it dies
}
"""What every process of the platform has in its environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """What to run, and how to know that it works."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the parent's own."""
    without: tuple[str, ...] = ()
    """Names that are kept from it although the parent has them: secrets it has no use for."""
    log: Path
    """Where its output goes."""
    ready_url: str | None = None
    """Answers 200 once the process works; None for a process that needs no such proof."""
    ready_seconds: float = 120.0
    """A start that takes longer has failed."""


class Child:
    """A running process and its group."""

    def __init__(self, spec: ProcessSpec, process: asyncio.subprocess.Process) -> None:
        self.spec = spec
        self.pid = process.pid
        self._process = process

    @classmethod
    async def start(cls, spec: ProcessSpec) -> "Child":
        """Start it. Raises OSError when there is nothing to run."""
        spec.log.parent.mkdir(parents=True, exist_ok=True)
        if spec.log.exists() and spec.log.stat().st_size > _LOG_LIMIT:
            spec.log.replace(spec.log.with_suffix(".log.1"))
        with spec.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *spec.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={
                    **{k: v for k, v in os.environ.items() if k not in spec.without},
                    **CHILD_ENVIRONMENT,
                    **spec.environment,
                },
                preexec_fn=partial(_own_group_until_parent_dies, os.getpid()),
            )
        return cls(spec, process)

    @property
    def is_running(self) -> bool:
        """Tell whether it has not ended yet."""
        return self._process.returncode is None

    async def ended(self) -> int:
        """Wait for its end and give the exit code, negative for a signal."""
        return await self._process.wait()

    async def stop(self, grace: float) -> None:
        """End it: politely, then, after `grace` seconds, by force; its group with it."""
        if self.is_running:
            with suppress(ProcessLookupError):
                self._process.terminate()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), grace)
        self.kill()
        await self._process.wait()

    def kill(self) -> None:
        """End whatever is left of the group, at once."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


def _own_group_until_parent_dies(parent: int) -> None:
    """Leave the terminal's group, so that Ctrl-C reaches the supervisor alone."""
    os.setsid()
    end_with_parent(parent)
