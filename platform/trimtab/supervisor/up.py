"""The whole platform on one machine: MLflow and one worker a component."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import entry_points

from trimtab.adapters.opening import open_database
from trimtab.errors import OpenEndpointError
from trimtab.records.keys import admit
from trimtab.settings import Settings, is_loopback

from .group import ProcessGroup, Report
from .listening import require_free
from .lock import end_leftovers, note_processes, sole_owner
from .mlflow_server import mlflow_server
from .process import ProcessSpec

WORKERS = "trimtab.workers"
"""The entry points by which components bring their workers: name = module."""


def workers(settings: Settings) -> Sequence[ProcessSpec]:
    """Describe the worker of each component that is installed."""
    environment = {"TRIMTAB_HOME": str(settings.home.root)}
    if settings.environment.clock:
        environment["TRIMTAB_CLOCK"] = str(settings.environment.clock.resolve())
    return [
        ProcessSpec(
            name=point.name,
            argv=[sys.executable, "-m", point.value, str(settings.folder)],
            environment=environment,
            log=settings.home.logs / f"{point.name}.log",
        )
        for point in sorted(entry_points(group=WORKERS), key=lambda point: point.name)
    ]


@asynccontextmanager
async def platform_up(settings: Settings, report: Report) -> AsyncIterator[ProcessGroup]:
    """Run the platform for as long as the context is open; leave no process behind.

    Raises OpenEndpointError, AlreadyUpError, PortInUseError, NoServerError and StartError.
    """
    _require_keys(settings)
    run = settings.home.run
    with sole_owner(run):
        left = await asyncio.to_thread(end_leftovers, run)
        if left:
            report("platform", f"ended {len(left)} processes of a platform that was killed")
        _require_ports(settings)
        group = ProcessGroup(
            report, changed=lambda: note_processes(run, [child.pid for child in group.children])
        )
        try:
            if settings.environment.tracking_uri is None:
                await group.start(mlflow_server(settings))
            for spec in workers(settings):
                await group.start(spec)
            yield group
        finally:
            await asyncio.shield(group.stop())


def _require_ports(settings: Settings) -> None:
    platform = settings.project.platform
    if settings.environment.tracking_uri is None:
        require_free(platform.host, platform.mlflow_port, "platform.mlflow_port")
    if platform.monitor_port is not None:
        require_free(platform.host, platform.monitor_port, "platform.monitor_port")
    for name, model in settings.project.models.items():
        require_free(model.serve.host, model.serve.port, f"models.{name}.serve.port")


def _require_keys(settings: Settings) -> None:
    """Refuse here what the endpoint's worker would refuse again and again."""
    models = settings.project.models.items()
    reachable = [(name, m.serve.host) for name, m in models if not is_loopback(m.serve.host)]
    if not reachable or settings.environment.api_key is not None:
        return
    with open_database(settings).transaction() as stores:
        now = datetime.now(UTC)
        for name, host in reachable:
            if not admit(stores.keys.of(name), now).keys:
                raise OpenEndpointError(name, host)
