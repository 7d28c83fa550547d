"""What is known of a window's quality, in words for people."""

from trimtab.records.quality import Estimate, Quality

_SLICES = 3  # the worst, lest one bad airport hide among a hundred


def said_of(quality: Quality) -> str:
    """Say who speaks, and how good it is.

    `log_loss 0.41 measured (limit 0.45, 83% labelled), estimated 0.40 (±0.02), held 9 of 10`
    """
    parts = [] if quality.estimate is None else [_estimated(quality.estimate)]
    if quality.value is None:
        return ", ".join([f"{quality.labelled} labels", *parts])
    facts = f"limit {quality.limit:.4f}, {quality.completeness:.0%} labelled"
    return ", ".join([f"{quality.metric} {quality.value:.4f} measured ({facts})", *parts])


def evidence_of(quality: Quality) -> list[str]:
    """List what speaks of a loss that breaks the promise, or keeps it; empty when nobody can."""
    estimate = quality.estimate
    if quality.value is not None:
        measured = f"{quality.metric} {quality.value:.4f}, limit {quality.limit:.4f} "
        counted = f"({quality.labelled} labels, {quality.completeness:.0%} of the rows)"
        return [measured + counted, *_slices(quality)]
    if quality.voice is not None and estimate is not None:
        value = f"{quality.metric} {_estimated(estimate)}, limit {estimate.limit:.4f} "
        return [f"{value}({estimate.method}; too few labels have come to measure it)"]
    return []


def _estimated(estimate: Estimate) -> str:
    margin = estimate.high - estimate.value
    record = estimate.record
    held = "not graded yet" if record is None else f"held {record.held} of {record.windows}"
    return f"estimated {estimate.value:.4f} (±{margin:.4f}), {held}"


def _slices(quality: Quality) -> list[str]:
    worse = [part for part in quality.slices if part.is_worse and part.value is not None]
    worst = sorted(worse, key=lambda part: (part.value or 0.0) - part.limit, reverse=True)
    return [
        f"{part.name}: {part.value:.4f}, limit {part.limit:.4f} ({part.rows} labels)"
        for part in worst[:_SLICES]
    ]
