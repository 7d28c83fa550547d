"""MLflow for one command: started where none runs, stopped when the command ends."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from trimtab.settings import Settings
from trimtab.supervisor import ProcessGroup, is_up, require_free
from trimtab.supervisor.lock import end_leftovers, note_processes, sole_owner
from trimtab.supervisor.mlflow_server import mlflow_server


@contextmanager
def mlflow_at_hand(settings: Settings, say: Callable[[str], None]) -> Iterator[None]:
    """Keep the home's MLflow server running, unless one is named or the platform is up.

    Raises AlreadyUpError, PortInUseError, NoServerError and StartError.
    """
    run, platform = settings.home.run, settings.project.platform
    if settings.environment.tracking_uri is not None or is_up(run):
        yield
        return
    require_free(platform.host, platform.mlflow_port, "platform.mlflow_port")
    spec = mlflow_server(settings)
    with sole_owner(run), asyncio.Runner() as runner:
        end_leftovers(run)
        group = ProcessGroup(
            lambda name, news: None,
            changed=lambda: note_processes(run, [child.pid for child in group.children]),
        )
        try:
            say("starting MLflow for this command")
            # Between the two calls the loop stands still: a server that dies is not started again.
            runner.run(group.start(spec))
            yield
        finally:
            runner.run(group.stop())
