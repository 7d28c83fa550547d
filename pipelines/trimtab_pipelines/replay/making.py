"""Making a version as it would have been made at a moment of the past, without a registry."""

import time
import warnings
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pandas as pd
from mlflow.models import Model

from trimtab.errors import TrimtabError
from trimtab.records.requests import RequestState
from trimtab_pipelines.counting import count_rows
from trimtab_pipelines.errors import DataRefusedError, NoCandidateError
from trimtab_pipelines.folds import fit_folds
from trimtab_pipelines.held_out import hold_out
from trimtab_pipelines.making import make_version
from trimtab_pipelines.selecting import prepare, select

from .history import History


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What came of one training."""

    moment: datetime
    cpu_seconds: float
    trained_until: datetime | None = None
    """None where nothing could be made."""
    manifest_sha256: str = ""
    candidate: str | None = None
    folder: Path = Path()
    state: RequestState = RequestState.FAILED
    """How a request ends where nothing was made."""
    why: str = ""

    @property
    def is_made(self) -> bool:
        """Tell whether there is a version."""
        return self.trained_until is not None

    @property
    def name(self) -> str:
        """Name the version by its moment."""
        return f"{self.moment:%Y-%m-%d %H:%M}"


def make_at(history: History, moment: datetime, folder: Path) -> Made:
    """Make a version of what was known at a moment, in a folder that does not exist yet.

    The steps are those of a training, and so is what refuses its data.
    """
    began = time.process_time()
    try:
        made = _make(history, moment, folder)
    except TrimtabError as error:
        made = Made(moment=moment, cpu_seconds=0.0, state=_end_of(error), why=str(error))
    return replace(made, cpu_seconds=time.process_time() - began)


def _make(history: History, moment: datetime, folder: Path) -> Made:
    model, settings = history.model, history.settings
    known = usable(history, moment)
    if known.empty:
        raise DataRefusedError(f"no row has a label that was known at {moment:%Y-%m-%d %H:%M}")
    selected = select(prepare(known, model, settings, moment), settings)
    best, checked, split = selected.best, selected.checked, selected.split
    held_out = hold_out(fit_folds(best, checked), checked, settings)
    checked = replace(checked, contract=held_out.contract)
    name = f"{moment:%Y-%m-%d %H:%M}"
    about = Model(artifact_path="model", run_id=name, model_id=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hints for people who would deploy it
        sha256 = make_version(folder, best, held_out, checked, split, settings, about)
    return Made(
        moment=moment,
        cpu_seconds=0.0,
        trained_until=split.trained_until,
        manifest_sha256=sha256,
        candidate=best.name,
        folder=folder,
    )


def usable(history: History, moment: datetime) -> pd.DataFrame:
    """Give the rows that are known at a moment and so old that their labels are complete."""
    counted = count_rows(
        history.settings,
        history.model,
        history.known(moment),
        champion=None,
        epoch=0,
        lag=None,
        now=moment,
    )
    return counted.rows.reset_index(drop=True)


def _end_of(error: TrimtabError) -> RequestState:
    """Tell how a request ends by what went wrong, as the loop does."""
    if isinstance(error, NoCandidateError):
        return RequestState.REJECTED
    return RequestState.DECLINED if isinstance(error, DataRefusedError) else RequestState.FAILED
