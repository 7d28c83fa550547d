"""`trimtab up`: the whole platform in the foreground."""

import asyncio
import signal
from typing import TYPE_CHECKING

import click

from trimtab.records.urls import without_userinfo

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
    from trimtab.supervisor import until_signal

    asyncio.run(until_signal(_run(settings)))
    console.print("Stopped.")


async def _run(settings: "Settings") -> None:
    from trimtab.adapters.opening import open_database
    from trimtab.supervisor import platform_up

    def report(name: str, news: str) -> None:
        console.print(f"[dim]{name}[/] {news}")

    story = Story(open_database(settings))
    async with platform_up(settings, report) as group:
        _invite(settings)
        try:
            while True:
                for entry in story.news():
                    tell(entry)
                await asyncio.sleep(_LOOK_SECONDS)
        except asyncio.CancelledError:
            console.print("Stopping; press Ctrl-C again to end everything at once.")
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, group.kill)
            raise


def _invite(settings: "Settings") -> None:
    console.print(f"MLflow UI  {without_userinfo(settings.tracking_uri)}", style="bold")
    for name, model in settings.project.models.items():
        console.print(f"{name}  http://{model.serve.host}:{model.serve.port}/predict", style="bold")
    console.print("Ctrl-C stops the platform.", style="dim")
