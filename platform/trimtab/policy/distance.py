"""How far a window is from its reference: the Jensen-Shannon distance of their counts."""

import numpy as np

from trimtab.records.reference import ColumnSummary

from .summaries import Counts, Floats, reference_counts

_OWN_BIN = 49  # the most frequent categories; the others share a bin, or noise would drown them


def jensen_shannon(left: Counts | Floats, right: Counts | Floats) -> Floats:
    """Give the distance of counts along the last axis: 0 for equal shares, 1 for disjoint ones.

    The square root of the divergence to base 2: Lin, "Divergence measures based on the Shannon
    entropy" (1991); a metric by Endres and Schindelin, "A new metric for probability
    distributions" (2003). NaN where one side has no rows.

    >>> jensen_shannon(np.array([3, 1]), np.array([0, 0])).item()
    nan
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        p = left / left.sum(axis=-1, keepdims=True)
        q = right / right.sum(axis=-1, keepdims=True)
        middle = (p + q) / 2
        divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    return np.sqrt(np.clip(divergence, 0.0, 1.0))


def _relative_entropy(p: Floats, q: Floats) -> Floats:
    ratio = np.where(p > 0, p / np.where(q > 0, q, 1.0), 1.0)
    result: Floats = np.sum(np.where(np.isnan(p), np.nan, p * np.log2(ratio)), axis=-1)
    return result


def comparable(summary: ColumnSummary, counts: Counts, unseen: Counts) -> Counts:
    """Fold counts into the bins that are compared.

    Bins of numbers stay as they are. Of categories the frequent ones keep their own bin, the
    others share one, and those that the other side lacks (`unseen`) have one to themselves, as
    have missing values.
    """
    if summary.is_numeric:
        return counts
    own, rest = np.split(counts[..., :-1], [_OWN_BIN], axis=-1)
    pooled = rest.sum(axis=-1, keepdims=True)
    return np.concatenate([own, pooled, unseen[..., None], counts[..., -1:]], axis=-1)


def distance_of_counts(summary: ColumnSummary, counts: Counts) -> float:
    """Tell how far counts in the reference's bins are from it; 1 when either has no rows."""
    counts, unseen = counts.copy(), 0
    if not summary.is_numeric and summary.counts[-1] == 0:  # every known category is listed
        unseen, counts[-2] = int(counts[-2]), 0
    there = comparable(summary, reference_counts(summary), np.array(0))
    here = comparable(summary, counts, np.array(unseen))
    found = float(jensen_shannon(here, there))
    return 1.0 if np.isnan(found) else found
