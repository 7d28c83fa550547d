"""What a version said of some rows, as figures that can be compared; and what is compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.records.contracts import Contract
from trimtab.records.tallies import Plan

from .resampling import Floats
from .summaries import Numbers, summarise

_MOST_SCORES = 10
"""Classes whose probability is followed; the answers of all of them are counted."""
_TOLERANCE = 0.1
"""Numbers agree within this share of the spread of the champion's own answers."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Said:
    """Answers to some rows."""

    output: Floats
    """Rows by classes: probabilities; rows by one: numbers. NaN where there is no answer."""

    @property
    def is_answer(self) -> NDArray[np.bool_]:
        """Tell of each row whether it has a whole answer."""
        return np.asarray(np.isfinite(self.output).all(axis=1))

    def only(self, rows: NDArray[np.bool_]) -> "Said":
        """Give the answers to some of the rows."""
        return Said(output=self.output[rows])

    def classes(self) -> NDArray[np.int64]:
        """Give the number of each row's class."""
        return np.asarray(self.output.argmax(axis=1))

    def scores(self, plan: Plan) -> Floats:
        """Give the figures that are followed, rows by scores."""
        return self.output[:, list(plan.columns)] if plan.columns else self.output


def make_plan(
    contract: Contract,
    champion: Said,
    slices: Mapping[str, Sequence[str]],
    remarks: Sequence[str] = (),
) -> Plan:
    """Fix what is counted, by the champion's answers to a sample of its training rows.

    Its bins hold as many of those answers each; numbers agree within a tenth of their spread.
    Raises ValueError when it answers none of them.
    """
    output = champion.output[champion.is_answer]
    if not len(output):
        raise ValueError("the champion answers none of its own training rows")
    columns: tuple[int, ...] = ()
    if contract.task.is_classification:
        likely = np.argsort(-output.sum(axis=0), kind="stable")[:_MOST_SCORES]
        columns = (1,) if output.shape[1] == 2 else tuple(sorted(likely.tolist()))
    names = tuple(str(contract.classes[i]) for i in columns) or ("prediction",)
    one = output[:, columns[0] if columns else 0]
    is_single = len(names) == 1
    return Plan(
        scores=names,
        columns=columns,
        classes=tuple(map(str, contract.classes)),
        edges=summarise("output", Numbers(one)).summary.edges if is_single else (),
        tolerance=None if columns else _TOLERANCE * float(one.std()),
        slices={name: tuple(values) for name, values in slices.items()},
        remarks=tuple(remarks),
    )


def agree(plan: Plan, left: Said, right: Said) -> NDArray[np.bool_]:
    """Tell of each row whether two versions gave the same answer."""
    if plan.tolerance is None:
        return np.asarray(left.classes() == right.classes())
    return np.asarray(np.abs(left.output - right.output)[:, 0] <= plan.tolerance)


def bins_of(plan: Plan, said: Said) -> NDArray[np.int64]:
    """Give the number of each answer's bin."""
    if plan.counts_classes:
        return said.classes()
    return np.searchsorted(np.array(plan.edges), said.scores(plan)[:, 0], side="left")


def bin_counts(plan: Plan, said: Said) -> NDArray[np.int64]:
    """Count answers in the plan's bins."""
    return np.bincount(bins_of(plan, said), minlength=plan.bins)
