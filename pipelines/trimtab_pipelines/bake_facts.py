"""What is known of a new champion and of the one before, gathered for a look at its bake."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np

from trimtab.policy.baking import BakeFacts, Estimated, Paired, Traffic, stretches
from trimtab.policy.estimating import Answered, estimated_losses
from trimtab.policy.grading import is_refuted
from trimtab.policy.said import Said
from trimtab.policy.tallying import steps_of
from trimtab.ports import InferenceLog
from trimtab.records.documents import from_json
from trimtab.records.estimates import Estimator
from trimtab.records.logged import LoggedRows
from trimtab.records.reference import Reference
from trimtab.records.tallies import Tally
from trimtab.records.trials import Trial

from .bench import Bench
from .contenders import Contender
from .live_losses import labelled_losses
from .logged_answers import asked, is_first_row, recorded, seconds_of
from .pairs import Pair
from .trial_fitness import unfit

_MOST_ROWS = 50_000
"""Rows of the bake that are asked of the version before, evenly spaced."""
_BEFORE = timedelta(days=1)
"""At least so much of the version before is looked at, so that no quiet hour stands for a day."""


def gather_facts(
    bench: Bench, log: InferenceLog, trial: Trial, pair: Pair, tally: Tally, number: int
) -> BakeFacts:
    """Read what log and labels tell of both versions for the look of this number."""
    model, through, parts = trial.model, trial.compared_through, stretches(number)
    length = max(_BEFORE, (trial.until or trial.since) - trial.since)
    remarks, measured, estimated = [], None, None
    if why := unaskable(bench, trial, pair):
        remarks.append(f"the quality of version {trial.challenger} is not known: {why}")
    else:
        logged = log.sample(model, trial.champion, trial.since, through, _MOST_ROWS)
        if logged is not None and len(logged.rows):
            measured = _measured(bench, trial, pair, logged)
            estimated = _estimated(bench, trial, pair, logged)
    return BakeFacts(
        metric=bench.settings.model(model).metric,
        since=trial.since,
        measured=measured,
        estimated=estimated,
        traffic=_traffic(log, model, trial.champion, trial.since, through, parts),
        traffic_before=_traffic(
            log, model, trial.challenger, trial.since - length, trial.since, parts
        ),
        timings=(
            tally.timings.get(trial.champion, {}),
            tally.timings.get(trial.challenger, {}),
        ),
        remarks=tuple(remarks),
    )


def unaskable(bench: Bench, trial: Trial, pair: Pair) -> str:
    """Say why the other version cannot be asked for answers to captured requests; empty if it can.

    Either it takes other requests, or the log does not keep them as they came.
    """
    contract = pair.challenger.predictor.contract
    if why := unfit(pair.champion.predictor.contract, contract, trial.kind):
        return why
    redacted = bench.settings.model(trial.model).capture.redacts(contract.schema.names)
    return f"{redacted[0]} is not kept as it came" if redacted else ""


def _measured(bench: Bench, trial: Trial, pair: Pair, logged: LoggedRows) -> Paired | None:
    sides = (pair.champion, pair.challenger)
    found = labelled_losses(bench, trial, sides, 0, logged)
    if found is None:
        return None
    return Paired(seconds=found.seconds, champion=found.champion, before=found.challenger)


def _estimated(bench: Bench, trial: Trial, pair: Pair, logged: LoggedRows) -> Estimated | None:
    """Estimate the losses of both on the same rows, each by the estimator that it carries."""
    estimators = [_estimator(bench, side) for side in (pair.champion, pair.challenger)]
    own, other = estimators
    if own is None or other is None or own.metric != other.metric:
        return None
    said = (
        recorded(pair.champion.predictor.contract, logged.rows),
        asked(pair.challenger.predictor, logged.inputs),
    )
    rows = len(logged.rows)
    return Estimated(
        losses=Paired(
            seconds=seconds_of(logged.rows),
            champion=_expected(own, pair.champion, logged, said[0]),
            before=_expected(other, pair.challenger, logged, said[1]),
        ),
        margin=sum(e.margin * e.widened(rows) for e in (own, other)),
        limit=own.expected + (own.limit - own.expected) * own.widened(rows),
        doubt=_doubt(bench, trial),
    )


def _expected(
    estimator: Estimator, contender: Contender, logged: LoggedRows, said: Said
) -> np.ndarray:
    contract = contender.predictor.contract
    is_classification = contract.task.is_classification
    answered = Answered(
        inputs=logged.inputs,
        predictions=said.output[:, 0],
        probabilities=said.output if is_classification else None,
    )
    expected = estimated_losses(estimator, contract, answered)
    return np.where(said.is_answer, expected, np.nan)


def _estimator(bench: Bench, contender: Contender) -> Estimator | None:
    version = contender.version
    file = bench.settings.home.version(version.model, version.version) / "reference.json"
    return from_json(Reference, file.read_bytes()).estimator


def _doubt(bench: Bench, trial: Trial) -> str:
    """Say how the estimates of the version before did where labels came; empty if well or unknown.

    The new champion has no record yet; what was wrong with one version's is wrong with the next's.
    """
    with bench.database.transaction() as stores:
        verdicts = stores.verdicts.recent(trial.model, trial.challenger, limit=20)
    estimates = [v.quality.estimate for v in verdicts if v.quality and v.quality.estimate]
    record = next((estimate.record for estimate in estimates if estimate.record), None)
    if record is None or not is_refuted(record):
        return ""
    return (
        f"those of version {trial.challenger} held in {record.held} of {record.windows} windows "
        "with labels"
    )


def _traffic(
    log: InferenceLog, model: str, version: str, start: datetime, end: datetime, parts: int
) -> Traffic:
    edges = [start + n * (end - start) / parts for n in range(parts + 1)]
    requests, failed, latencies = [], [], Counter[int]()
    for since, until in pairwise(edges):
        answered, lost, steps = log.scan(
            model, version, since, until, _count, columns=["prediction_id", "latency_us"]
        )
        requests.append(answered)
        failed.append(lost)
        latencies.update(steps)
    return Traffic(requests=tuple(requests), failed=tuple(failed), latencies=dict(latencies))


def _count(batches: Iterator[LoggedRows]) -> tuple[int, int, Mapping[int, int]]:
    answered = failed = 0
    latencies = Counter[int]()
    for batch in batches:
        first = is_first_row(batch.rows) if len(batch.rows) else np.empty(0, dtype=bool)
        answered, failed = answered + int(first.sum()), failed + batch.failed
        latencies.update(steps_of(batch.rows["latency_us"].to_numpy(dtype=float)[first]))
    return answered, failed, latencies
