"""How a version is served: by which engine, and whether requests wait for each other."""

from trimtab.records.plans import Cost, ServingPlan

TOGETHER = 16
"""Rows whose cost in one call is compared with the cost of as many calls."""
_GATHERING_US = 10.0
"""CPU a request costs by being gathered: a future, a timer, another turn of the event loop."""
_WORTH_WAITING = 2.0
"""So many times cheaper gathering must be, since every request then waits for others."""


def plan_serving(pipeline: Cost, lowered: Cost | None, hindrance: str = "") -> ServingPlan:
    """Choose by what was measured; without a fast path the hindrance says why there is none.

    >>> plan_serving(Cost(one_row=4600, sixteen_rows=4900), Cost(one_row=45, sixteen_rows=70)).note
    'the fast path takes 45 us of CPU for a row, the pipeline 4600'
    """
    if lowered is None:
        return _plan(pipeline, None, pipeline, hindrance or "there is no fast path")
    rows = f"for a row, the pipeline {pipeline.one_row:.0f}"
    note = f"the fast path takes {lowered.one_row:.0f} us of CPU {rows}"
    is_faster = lowered.one_row < pipeline.one_row and lowered.sixteen_rows < pipeline.sixteen_rows
    return _plan(pipeline, lowered, lowered if is_faster else pipeline, note)


def batching_pays(cost: Cost) -> bool:
    """Tell whether rows should be gathered from several requests.

    >>> batching_pays(Cost(one_row=4600, sixteen_rows=4900))
    True
    >>> batching_pays(Cost(one_row=20, sixteen_rows=35))
    False
    """
    alone = TOGETHER * cost.one_row
    together = cost.sixteen_rows + TOGETHER * _GATHERING_US
    return alone > _WORTH_WAITING * together


def _plan(pipeline: Cost, lowered: Cost | None, chosen: Cost, note: str) -> ServingPlan:
    return ServingPlan(
        engine="lowered" if chosen is lowered else "pipeline",
        batching=batching_pays(chosen),
        pipeline=pipeline,
        lowered=lowered,
        note=note,
    )
