"""The losses of both versions on the same labelled rows of live traffic, as the gate reckons."""

from dataclasses import dataclass

import numpy as np

from trimtab.policy.block_sums import doublings
from trimtab.policy.gate import compare
from trimtab.policy.labelling import labels_of_rows, named
from trimtab.policy.losses import losses
from trimtab.policy.said import Said
from trimtab.ports import InferenceLog
from trimtab.records.contracts import Contract
from trimtab.records.gate import GateResult
from trimtab.records.logged import LoggedRows
from trimtab.records.trials import Trial, TrialKind

from .bench import Bench
from .contenders import Contender
from .logged_answers import asked, recorded, seconds_of, spell
from .pace import Pace

_MOST_ROWS = 100_000
"""The newest rows that are looked at for labels: older ones say less, and looking costs."""
_MOST_BLOCKS = 40
_MOST_SLICES = 25


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiveLosses:
    """Of some labelled rows."""

    champion: np.ndarray
    challenger: np.ndarray
    seconds: np.ndarray
    slices: dict[str, np.ndarray]
    """The spelled values of each slice column."""


def judge_live(
    bench: Bench, log: InferenceLog, trial: Trial, champion: Contender, challenger: Contender
) -> GateResult | None:
    """Compare the losses as far as labels have come; None while there are none.

    What `passed` says is what the gate would say of these rows, were it asked.
    """
    sides = (champion, challenger)
    pace, end, looked = Pace(), trial.compared_through, 0
    parts: list[LiveLosses] = []
    while end > trial.since and looked < _MOST_ROWS:
        start = pace.start(end, trial.since)
        seen = 0
        for at, contender in enumerate(sides):
            if at and trial.kind is TrialKind.SHADOW:
                break  # it has answered nobody
            logged = log.read(trial.model, contender.version.version, start, end)
            if logged is not None and len(logged.rows):
                seen += len(logged.rows)
                found = labelled_losses(bench, trial, sides, at, logged)
                parts += [found] if found is not None else []
        pace.saw(seen)
        end, looked = start, looked + seen
    parts = [part for part in parts if len(part.seconds)]
    return _compare(bench, trial, parts) if parts else None


def labelled_losses(
    bench: Bench,
    trial: Trial,
    sides: tuple[Contender, Contender],
    answered_by: int,
    logged: LoggedRows,
) -> LiveLosses | None:
    """Give the losses on the rows that one side answered; None without labels.

    `answered_by` is the index of that side; the other one is asked now.
    """
    keys, ids = logged.rows["key"].tolist(), logged.rows["prediction_id"].tolist()
    with bench.database.transaction() as stores:
        told = stores.labels.get(trial.model, named(keys, ids))
    labels = labels_of_rows(keys, ids, told)
    known = np.array([label is not None for label in labels], dtype=bool)
    if not known.any() or not sides[0].predictor.contract.task.has_labels:
        return None
    rows, inputs = logged.rows[known], logged.inputs[known]
    truth = np.array([label.value for label in labels if label is not None], dtype=object)
    settings = bench.settings.model(trial.model)
    found = []
    for at, contender in enumerate(sides):
        contract = contender.predictor.contract
        said = recorded(contract, rows) if at == answered_by else asked(contender.predictor, inputs)
        found.append(_losses(settings.metric, contract, said, truth))
    usable = np.isfinite(found[0])  # a label that is no class says nothing about anybody
    columns = [c for c in settings.gate.slices if c in inputs.columns]
    slices = {c: spell(inputs[c]).to_numpy(dtype=object)[usable] for c in columns}
    seconds = seconds_of(rows)[usable]
    left, right = (side[usable] for side in found)
    return LiveLosses(champion=left, challenger=right, seconds=seconds, slices=slices)


def _losses(metric: str, contract: Contract, said: Said, truth: np.ndarray) -> np.ndarray:
    shares = said.output if contract.task.is_classification else None
    return losses(metric, contract, shares, said.output[:, 0], truth)


def _compare(bench: Bench, trial: Trial, parts: list[LiveLosses]) -> GateResult:
    settings = bench.settings.model(trial.model)
    seconds = np.concatenate([part.seconds for part in parts])
    blocks = (seconds // 60).astype(np.int64)
    slices = {}
    for column in parts[0].slices:
        values = np.concatenate([part.slices[column] for part in parts])
        names, counts = np.unique(values.astype(str), return_counts=True)
        for name in names[np.argsort(-counts, kind="stable")][:_MOST_SLICES]:
            slices[f"{column}={name}"] = values == name
    return compare(
        np.concatenate([part.champion for part in parts]),
        np.concatenate([part.challenger for part in parts]),
        blocks=blocks >> doublings(blocks.tolist(), _MOST_BLOCKS),
        slices=slices,
        metric=settings.metric,
        confidence=settings.gate.confidence,
        min_rows=settings.gate.min_rows,
        seed=settings.train.seed,
    )
