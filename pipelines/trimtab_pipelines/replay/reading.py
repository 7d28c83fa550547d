"""Where a past comes from: the model's source, or what its endpoints have captured."""

from datetime import datetime

from trimtab.adapters.opening import open_clock
from trimtab.records.urls import without_userinfo
from trimtab.settings import Settings
from trimtab_pipelines.sources import read

from .history import History, make_history


def read_history(
    settings: Settings,
    model: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    from_log: bool = False,
) -> History:
    """Read the past of a model. Raises SourceError, ReplayError and what `make_history` raises."""
    chosen = settings.model(model)
    if from_log:
        from .log_reading import read_log

        rows, chosen = read_log(settings, model)
        source = "the inference log"
    else:
        rows = read(chosen, settings.folder, open_clock(settings).now())
        source = without_userinfo(chosen.source)
    return make_history(settings, model, rows, chosen, source=source, since=since, until=until)
