"""`trimtab up`: the whole platform in the foreground."""

import asyncio
import signal
from typing import TYPE_CHECKING

import click

from .options import project_option
from .output import Story, console, tell

if TYPE_CHECKING:
    from trimtab.settings import Settings

_LOOK_SECONDS = 0.5


@click.command(
    epilog="Ctrl-C stops everything; no process is left behind. If it was killed, the next "
    "`trimtab up` ends what was left and goes on where it stopped."
)
@project_option
def up(settings: "Settings") -> None:
    """Start the whole platform: MLflow, endpoints, workers.

    Trains a first version of each model that has none, serves the champion, watches the traffic
    and retrains when it pays. What happens is told here as it happens; each process writes its
    log into the `logs` folder of the home.
    """
    asyncio.run(_run(settings))


async def _run(settings: "Settings") -> None:
    from trimtab.adapters.opening import open_database
    from trimtab.supervisor import platform_up

    def report(name: str, news: str) -> None:
        console.print(f"[dim]{name}[/] {news}")

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    story = Story(open_database(settings))
    async with platform_up(settings, report) as group:
        _invite(settings)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        while not stop.is_set():
            for entry in story.news():
                tell(entry)
            try:
                await asyncio.wait_for(stop.wait(), _LOOK_SECONDS)
            except TimeoutError:
                continue
        console.print("Stopping; press Ctrl-C again to end everything at once.")
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, group.kill)
    console.print("Stopped.")


def _invite(settings: "Settings") -> None:
    console.print(f"MLflow UI  {settings.tracking_uri}", style="bold")
    for name, model in settings.project.models.items():
        console.print(f"{name}  http://{model.serve.host}:{model.serve.port}/predict", style="bold")
    console.print("Ctrl-C stops the platform.", style="dim")
