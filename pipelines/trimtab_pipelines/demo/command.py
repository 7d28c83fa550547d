"""`trimtab demo`: the whole loop on a project's own history, with its time compressed."""

import asyncio
from dataclasses import replace
from datetime import datetime

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from trimtab.adapters.clock import FileClock
from trimtab.adapters.opening import open_database, open_log, open_registry
from trimtab.cli import Story, console, tell
from trimtab.errors import ExitCode, SettingsError
from trimtab.records.urls import without_userinfo
from trimtab.records.windows import Window
from trimtab.settings import DemoSettings, Settings
from trimtab.supervisor import platform_up, until_signal
from trimtab_pipelines.live_traffic.history import History
from trimtab_pipelines.live_traffic.own_home import at_home, fresh_home, own_stores
from trimtab_pipelines.live_traffic.pace import Pace
from trimtab_pipelines.live_traffic.served import until_served
from trimtab_pipelines.live_traffic.traffic import Tally, Traffic

from .preparing import moment_of, prepare

_SOURCE = "demo"
_ROWS_A_REQUEST = 50
_LAST_WORK_SECONDS = 180.0
_COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeRemainingColumn(),
)


def run(settings: Settings, *, leave: bool) -> None:
    """Replay a project's history; `leave` ends the platform afterwards instead of keeping it up.

    Raises SystemExit(1) when a request failed or a prediction was not captured exactly once.
    """
    demo = settings.project.demo
    if demo is None:
        raise SettingsError("trimtab.toml has no [demo] table; it names the model and the start.")
    settings = _own_home(settings)
    with own_stores():
        replay = Replay(settings, demo)
        ended = asyncio.run(until_signal(replay.run(leave=leave)))
    console.print("Stopped." if ended else f"Stopped after {replay.tally.requests} requests.")
    if replay.tally.failed or not replay.is_accounted:
        raise SystemExit(ExitCode.FAILED)


def _own_home(settings: Settings) -> Settings:
    """Give the demo a home of its own, fresh each time, and a clock that it moves itself."""
    home = settings.home.root / "demo"
    fresh_home(home)
    return replace(settings, environment=at_home(settings.environment, home))


class Replay:
    """One replay of a project's history; cancelled, it leaves no process behind."""

    def __init__(self, settings: Settings, demo: DemoSettings) -> None:
        assert settings.environment.clock is not None
        self.tally = Tally()
        self.is_accounted = True
        """Nothing that was answered is missing from the log or in it twice, as far as is known."""
        self._settings, self._model = settings, demo.model
        self._demo = demo
        self._clock = FileClock(settings.environment.clock)
        self._clock.set(moment_of(demo.start, "demo.start"))
        self._database = open_database(settings)
        self._story = Story(self._database)

    async def run(self, *, leave: bool) -> None:
        """Start the platform, replay, conclude; `leave` ends it then instead of keeping it up."""
        settings = self._settings
        console.print(f"[bold]Trimtab demo[/]: {self._model}; starting the platform ...")
        async with platform_up(
            settings, lambda name, what: console.print(f"[dim]{name} {what}[/]")
        ):
            console.print(f"MLflow UI  {without_userinfo(settings.tracking_uri)}", style="bold")
            first = await until_served(self._database, self._model, self._news)
            file = settings.home.root / "history.parquet"
            await asyncio.to_thread(prepare, settings, self._demo, file)
            history = History(settings.model(self._model), file, source=_SOURCE)
            console.print(f"{len(history)} rows to replay through the endpoint.", style="bold")
            await self._drive(history)
            await asyncio.to_thread(self._conclude, first)
            if not leave:
                self._invite()
                await asyncio.Event().wait()

    def _news(self) -> None:
        for entry in self._story.news():
            tell(entry)

    async def _drive(self, history: History) -> None:
        """Send the history, move the clock and deliver the labels."""
        declared = self._settings.model(self._model)
        key = self._settings.environment.api_key
        url = f"http://{declared.serve.host}:{declared.serve.port}"
        traffic = Traffic(url, key.get_secret_value() if key else None, self.tally)
        pace = Pace(self._database, self._model, declared.monitor.window, self._news)
        with Progress(*_COLUMNS, console=console, transient=True) as progress:
            task = progress.add_task("replaying", total=len(history))
            day = None
            for batch in history.batches(_ROWS_A_REQUEST):
                if batch.start.date() != day:
                    day = batch.start.date()
                    self._arrive(history, batch.start.replace(hour=0))
                    progress.update(task, description=f"{day:%a %d %b %Y}")
                await pace.before(batch.start)
                await traffic.send(batch)
                self._clock.set(batch.end)
                progress.advance(task, batch.rows)
        end = Window.around(history.end, declared.monitor.window).end + declared.monitor.lateness
        self._arrive(history, end)
        if not await pace.until_judged(history.end, _LAST_WORK_SECONDS):
            console.print("The last window is not judged yet; the table leaves it out.")
        self._news()
        await traffic.close()

    def _arrive(self, history: History, moment: datetime) -> None:
        """Move the time on, and deliver the labels that are known by then."""
        self._clock.set(moment)
        labels = history.labels_until(moment)
        if labels:
            with self._database.transaction() as stores:
                stores.labels.put(self._model, labels, by="demo")

    def _conclude(self, first: str) -> None:
        """Print what it all came to."""
        from trimtab.adapters.predictor import Predictor  # scikit-learn only from here on

        from .comparison import by_window, gather
        from .summary import account, show

        settings, model = self._settings, self._model
        declared, log = settings.model(model), open_log(settings)
        folder = open_registry(settings).download(model, first, settings.home.version(model, first))
        with self._database.transaction() as stores:
            verdicts = stores.verdicts.recent(model, limit=10_000)
        logged = gather(
            self._database,
            log,
            Predictor.load(folder, "cpu"),
            model=model,
            metric=declared.metric,
            versions=sorted(self.tally.by_version, key=int),
        )
        show(console, declared.metric, by_window(logged, verdicts, declared.monitor.window), logged)
        self.is_accounted = account(console, self.tally, logged)

    def _invite(self) -> None:
        settings = self._settings
        endpoint = settings.model(self._model).serve
        console.print(
            f"Still up: MLflow UI {without_userinfo(settings.tracking_uri)}, endpoint "
            f"http://{endpoint.host}:{endpoint.port}; Ctrl-C stops everything.",
            style="bold",
        )
        console.print(
            f"Look into it: TRIMTAB_HOME={settings.home.root} trimtab status "
            f"--project {settings.folder}",
            soft_wrap=True,
        )
