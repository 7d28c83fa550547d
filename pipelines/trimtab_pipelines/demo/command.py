"""`trimtab demo`: the whole loop on a project's own history, with its time compressed."""

import asyncio
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from trimtab.adapters.clock import FileClock
from trimtab.adapters.opening import open_database, open_log, open_registry
from trimtab.cli import Story, console, tell
from trimtab.errors import ExitCode, SettingsError, TrimtabError
from trimtab.ports import Database
from trimtab.records.requests import RequestState
from trimtab.records.windows import Window
from trimtab.settings import DemoSettings, Settings
from trimtab.supervisor import platform_up
from trimtab.supervisor.lock import end_leftovers, sole_owner

from .history import History, moment_of, prepare
from .pace import Pace
from .traffic import Tally, Traffic

_ROWS_A_REQUEST = 50
_LAST_WORK_SECONDS = 180.0
_LOOK_SECONDS = 0.25


class DemoError(TrimtabError):
    """The demo could not show the loop."""


def run(settings: Settings, *, leave: bool) -> None:
    """Replay a project's history; `leave` ends the platform afterwards instead of keeping it up.

    Raises SystemExit(1) when a request failed or a prediction was not captured exactly once.
    """
    demo = settings.project.demo
    if demo is None:
        raise SettingsError("trimtab.toml has no [demo] table; it names the model and the start.")
    settings = _own_home(settings)
    well = asyncio.run(_replay(settings, demo, leave=leave))
    if not well:
        raise SystemExit(ExitCode.FAILED)


def _own_home(settings: Settings) -> Settings:
    """Give the demo a home of its own, fresh each time, and a clock that it moves itself."""
    home = settings.home.root / "demo"
    with sole_owner(home / "run"):
        end_leftovers(home / "run")
        for old in home.iterdir():
            if old.is_dir() and old.name != "run":
                shutil.rmtree(old)
            elif old.is_file():
                old.unlink()
    environment = settings.environment.model_copy(update={"home": home, "clock": home / "clock"})
    return replace(settings, environment=environment)


async def _replay(settings: Settings, demo: DemoSettings, *, leave: bool) -> bool:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    start = moment_of(demo.start, "demo.start")
    assert settings.environment.clock is not None
    clock = FileClock(settings.environment.clock)
    clock.set(start)
    database = open_database(settings)
    story = Story(database)

    def news() -> None:
        for entry in story.news():
            tell(entry)

    console.print(f"[bold]Trimtab demo[/]: {demo.model} from {start:%F}; starting the platform ...")
    async with platform_up(settings, lambda name, news: console.print(f"[dim]{name} {news}[/]")):
        console.print(f"MLflow UI  {settings.tracking_uri}", style="bold")
        first = await _until_served(database, demo.model, news, stop)
        if stop.is_set():
            return True
        file = settings.home.root / "history.parquet"
        await asyncio.to_thread(prepare, settings, demo, file)
        history = History(settings.model(demo.model), file)
        console.print(f"{len(history)} rows to replay through the endpoint.", style="bold")
        tally = await _drive(settings, demo.model, history, database, clock, news, stop)
        if stop.is_set():
            console.print(f"Interrupted after {tally.requests} requests.")
            return not tally.failed
        well = await asyncio.to_thread(_conclude, settings, demo.model, first, tally, database)
        if not leave:
            endpoint = settings.model(demo.model).serve
            console.print(
                f"Still up: MLflow UI {settings.tracking_uri}, endpoint "
                f"http://{endpoint.host}:{endpoint.port}; Ctrl-C stops everything.",
                style="bold",
            )
            console.print(
                f"Look into it: TRIMTAB_HOME={settings.home.root} trimtab status "
                f"--project {settings.folder}",
                soft_wrap=True,
            )
            await stop.wait()
    console.print("Stopped.")
    return well


async def _until_served(
    database: Database, model: str, news: Callable[[], None], stop: asyncio.Event
) -> str:
    """Wait for the first version to be trained, promoted, packaged and served."""
    while not stop.is_set():
        news()
        with database.transaction() as stores:
            endpoint = stores.endpoints.get(model)
            requests = stores.requests.recent(model, limit=1)
        if endpoint and endpoint.version:
            return endpoint.version
        for request in requests:
            if not request.state.is_open and request.state is not RequestState.PROMOTED:
                raise DemoError(f"The first version was {request.state}: {request.reasons}")
        await asyncio.sleep(_LOOK_SECONDS)
    return ""


async def _drive(
    settings: Settings,
    model: str,
    history: History,
    database: Database,
    clock: FileClock,
    news: Callable[[], None],
    stop: asyncio.Event,
) -> Tally:
    """Send the history, move the clock and deliver the labels, until the end or Ctrl-C."""
    declared = settings.model(model)
    key = settings.environment.api_key
    url = f"http://{declared.serve.host}:{declared.serve.port}"
    traffic = Traffic(url, key.get_secret_value() if key else None)
    pace = Pace(database, model, declared.monitor.window, news)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("replaying", total=len(history))
        day = None
        for batch in history.batches(_ROWS_A_REQUEST):
            if stop.is_set():
                break
            if batch.start.date() != day:
                day = batch.start.date()
                clock.set(batch.start.replace(hour=0))
                _deliver(database, model, history, batch.start.replace(hour=0))
                progress.update(task, description=f"{day:%a %d %b %Y}")
            await pace.before(batch.start)
            await traffic.send(batch)
            clock.set(batch.end)
            progress.advance(task, batch.rows)
    if not stop.is_set():
        end = Window.around(history.end, declared.monitor.window).end + declared.monitor.lateness
        clock.set(end)
        _deliver(database, model, history, end)
        if not await pace.until_judged(history.end, _LAST_WORK_SECONDS):
            console.print("The last window is not judged yet; the table leaves it out.")
    news()
    await traffic.close()
    return traffic.tally


def _deliver(database: Database, model: str, history: History, moment: datetime) -> None:
    labels = history.labels_until(moment)
    if labels:
        with database.transaction() as stores:
            stores.labels.put(model, labels)


def _conclude(settings: Settings, model: str, first: str, tally: Tally, database: Database) -> bool:
    """Print what it all came to; tell whether nothing failed and nothing was lost."""
    from trimtab.adapters.predictor import Predictor  # scikit-learn's memory only from here on

    from .comparison import by_window, gather
    from .summary import account, show

    declared, log = settings.model(model), open_log(settings)
    folder = open_registry(settings).download(model, first, settings.home.version(model, first))
    with database.transaction() as stores:
        verdicts = stores.verdicts.recent(model, limit=10_000)
    logged = gather(
        database,
        log,
        Predictor.load(folder, "cpu"),
        model=model,
        metric=declared.metric,
        versions=sorted(tally.by_version, key=int),
    )
    show(console, declared.metric, by_window(logged, verdicts, declared.monitor.window), logged)
    return account(console, tally, logged)
