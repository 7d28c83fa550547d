"""The gate's reasons, as people read them in the ledger, in MLflow and in a terminal."""

from collections.abc import Sequence

from trimtab.records.gate import Comparison


def percent(share: float) -> str:
    """Write a share so that 96.96% is not 97%.

    >>> percent(0.95), percent(0.9696), percent(0.99662)
    ('95%', '96.96%', '99.66%')
    """
    return f"{share * 100:.4g}%"


def no_number(missing: Sequence[int], rows: int) -> str:
    """Say which side has rows without a finite loss: champion first, then challenger."""
    return "\n".join(
        f"The {who} has no finite loss on {count} of {rows} rows; that proves nothing."
        for who, count in zip(("champion", "challenger"), missing, strict=True)
        if count
    )


def few_rows(overall: Comparison, min_rows: int) -> str:
    """Say that there are too few rows."""
    return f"{overall.rows} rows are too few to prove anything; gate.min_rows is {min_rows}."


def not_better(overall: Comparison, metric: str, confidence: float) -> str:
    """Say how far the gain is from being proven."""
    needed = f", and {overall.margin:.4g} is asked" if overall.margin else ""
    return (
        f"Not proven better: {_values(overall, metric)}; with {percent(confidence)} confidence the "
        f"gain may be as low as {overall.low:.4g}{needed}."
    )


def better(overall: Comparison, metric: str, confidence: float) -> str:
    """Say how large the gain is at least."""
    return (
        f"Better: {_values(overall, metric)}; with {percent(confidence)} confidence the gain is at "
        f"least {overall.low:.4g}."
    )


def worse(part: Comparison, metric: str, confidence: float) -> str:
    """Say of a slice that it is worse."""
    allowed = f", and {-part.margin:.4g} is allowed" if part.margin else ""
    return (
        f"Worse where {part.name}: {_values(part, metric)}; with {percent(confidence)} confidence "
        f"the gain is below {part.high:.4g}{allowed}."
    )


def small_slice(part: Comparison, min_rows: int) -> str:
    """Say that a slice is not judged."""
    return f"{part.name}: {part.rows} rows, too few to judge (fewer than {min_rows})."


def _values(part: Comparison, metric: str) -> str:
    return (
        f"{metric} {part.challenger:.4g} against {part.champion:.4g} on {part.rows:,} rows "
        f"(gain {part.gain:.4g})"
    )
