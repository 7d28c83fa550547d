"""Where a past comes from: the model's source, or what its endpoints have captured."""

from datetime import datetime, timedelta

from trimtab.adapters.opening import open_clock
from trimtab.records.urls import without_userinfo
from trimtab.settings import ModelSettings, Settings
from trimtab_pipelines.sources import read

from .history import History, make_history

_FOR_EVER = timedelta(days=365)


def read_history(
    settings: Settings,
    model: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    from_log: bool = False,
    trials: int = 0,
) -> History:
    """Read the past of a model; each training in it makes so many search trials.

    Raises SourceError, ReplayError and what `make_history` raises.
    """
    chosen = settings.model(model)
    if from_log:
        from .log_reading import read_log

        rows, chosen = read_log(settings, model)
        source = "the inference log"
    else:
        rows = read(chosen, settings.folder, open_clock(settings).now())
        source = without_userinfo(chosen.source)
    chosen = _searching(chosen, trials)
    return make_history(settings, model, rows, chosen, source=source, since=since, until=until)


def _searching(settings: ModelSettings, trials: int) -> ModelSettings:
    """Have each training search so much; no clock ends a search, so that it can be repeated."""
    search = settings.train.search.model_copy(update={"trials": trials, "time_limit": _FOR_EVER})
    train = settings.train.model_copy(update={"search": search})
    return settings.model_copy(update={"train": train})
