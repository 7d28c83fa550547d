"""Measure the engines of a version on its golden rows, and plan how it is served."""

import statistics
import time
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from trimtab.adapters.golden import golden_inputs, replay_golden
from trimtab.adapters.lowering import CannotLowerError
from trimtab.adapters.predictor import Predictor
from trimtab.policy.serving import TOGETHER, plan_serving
from trimtab.records.plans import Cost, ServingPlan

_ENOUGH_NS = 50_000_000
"""CPU time spent on one figure."""
_FEWEST = 5
"""Calls, however long they take."""


def measured_plan(folder: Path, predictor: Predictor) -> ServingPlan:
    """Plan for a predictor that asks the pipeline; the fast path has to agree before it counts."""
    rows = golden_inputs(folder, predictor.contract.schema)
    pipeline = cost_of(predictor, rows)
    try:
        fast = predictor.lowered()
    except CannotLowerError as error:
        return plan_serving(pipeline, None, error.why)
    report = replay_golden(folder, fast)
    if not report.matches:
        return plan_serving(pipeline, None, f"the fast path does not agree: {report.message}")
    return plan_serving(pipeline, cost_of(fast, rows))


def cost_of(predictor: Predictor, rows: Sequence[Mapping[str, Any]]) -> Cost:
    """Measure calls with one row and with sixteen, in CPU time: a busy machine distorts it less."""
    many = list(islice(cycle(rows), TOGETHER))
    return Cost(
        one_row=_microseconds(predictor, many[:1]), sixteen_rows=_microseconds(predictor, many)
    )


def _microseconds(predictor: Predictor, rows: Sequence[Mapping[str, Any]]) -> float:
    predictor.answer(rows)  # the first call sets things up
    taken: list[int] = []
    spent = 0
    while spent < _ENOUGH_NS or len(taken) < _FEWEST:
        start = time.process_time_ns()
        predictor.answer(rows)
        taken.append(time.process_time_ns() - start)
        spent += taken[-1]
    return statistics.median(taken) / 1000
