"""Sending windows of traffic to a platform, one after the other, each judged before the next."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from trimtab.adapters.clock import FileClock
from trimtab.labels import deliver_rows
from trimtab.ports import Database
from trimtab.records.windows import Window
from trimtab.settings import ModelSettings, Settings
from trimtab_pipelines.live_traffic.history import Batch, History
from trimtab_pipelines.live_traffic.pace import Pace
from trimtab_pipelines.live_traffic.traffic import Tally, Traffic

from .errors import DrillError

SOURCE = "drill"
"""What the requests say of where they come from."""
_ROWS_A_REQUEST = 50
_STEPS = 24
"""Parts of a window that are sent at once."""
_TELLINGS = 6
"""How often in a window labels are told; a telling looks for the predictions in the log."""
_LONGEST_SECONDS = 1800.0
"""For the verdict of a window and the training that may follow it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A window of traffic that was judged."""

    window: Window
    rows: int


class Course:
    """Traffic to one running platform; its time stands still while the loop is at work."""

    def __init__(self, settings: Settings, model: str, database: Database) -> None:
        assert settings.environment.clock is not None
        self.tally = Tally()
        self._settings, self._model = settings, model
        self._declared = settings.model(model)
        self._told: datetime | None = None
        self._clock = FileClock(settings.environment.clock)
        self._pace = Pace(database, model, self._declared.monitor.window, lambda: None)

    async def windows(self, file: Path) -> AsyncGenerator[Sent]:
        """Send the rows of a file; yields after each window, when all that follows has happened.

        Raises DrillError when it does not happen.
        """
        length = self._declared.monitor.window
        history = History(self._declared, file, source=SOURCE, step=length / _STEPS)
        key = self._settings.environment.api_key
        url = endpoint_of(self._declared)
        traffic = Traffic(url, key.get_secret_value() if key else None, self.tally)
        window: Window | None = None
        rows = 0
        try:
            for batch in history.batches(_ROWS_A_REQUEST):
                now = Window.around(batch.start, length)
                if window is not None and now != window:
                    await self._judged(history, window)
                    yield Sent(window=window, rows=rows)
                    rows = 0
                window, rows = now, rows + batch.rows
                await self._send(history, traffic, batch)
            if window is not None:
                await self._judged(history, window)
                yield Sent(window=window, rows=rows)
        finally:
            await traffic.close()

    async def _send(self, history: History, traffic: Traffic, batch: Batch) -> None:
        await self._reach(history, batch.start, is_end=False)
        await traffic.send(batch)

    async def _judged(self, history: History, window: Window) -> None:
        """Let the window end, and wait for all that comes of it."""
        await self._reach(history, window.end + self._declared.monitor.lateness, is_end=True)
        if not await self._pace.until_judged(window.start, _LONGEST_SECONDS):
            logs = self._settings.home.logs
            raise DrillError(
                f"The window {window}, or what followed it, was not done with within "
                f"{_LONGEST_SECONDS / 60:.0f} minutes. The logs are in {logs}."
            )

    async def _reach(self, history: History, moment: datetime, *, is_end: bool) -> None:
        """Move the time on, never back, and now and then tell the labels that are known by then."""
        moment = max(moment, self._clock.now())
        self._clock.set(moment)
        pause = self._declared.monitor.window / _TELLINGS
        if not is_end and self._told is not None and moment - self._told < pause:
            return
        self._told = moment
        labels = [
            {"key": label.key, "value": label.value, "known_at": label.known_at.isoformat()}
            for label in history.labels_until(moment)
        ]
        if labels:
            rows = enumerate(labels, 1)
            delivery = await asyncio.to_thread(
                deliver_rows, self._settings, self._model, rows, by=SOURCE, origin=SOURCE
            )
            if delivery.bad:
                shown = delivery.bad_shown[0].why
                raise DrillError(f"{delivery.bad} labels were not taken, for example: {shown}")


def endpoint_of(declared: ModelSettings) -> str:
    """Give the address of a model's endpoint."""
    return f"http://{declared.serve.host}:{declared.serve.port}"
