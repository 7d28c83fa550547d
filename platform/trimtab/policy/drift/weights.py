"""How the false-alarm budget is shared out among the checks: more to what the model uses."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from trimtab.records.checks import Check, CheckKind
from trimtab.records.reference import OUTPUTS, REGIONS

_EQUAL, _IMPORTANT, _OUTPUT, _TOGETHER = 0.3, 0.4, 0.2, 0.1
"""Parts of the budget: for every input alike, by importance, the output, pairs of columns."""
_REGIONS = 0.33
"""The part of the regions, where there are any, beside these: a quarter of all."""
_KINDS = {
    CheckKind.LOCATION: 0.3,
    CheckKind.SPREAD: 0.3,
    CheckKind.FIT: 0.1,
    CheckKind.MISSING: 0.05,
    CheckKind.UNSEEN: 0.15,
}


def weighted(checks: Sequence[Check], importance: Mapping[str, float]) -> tuple[Check, ...]:
    """Give every check its weight; together they are 1.

    Weighted Bonferroni: the budget of the whole holds for any weights that are fixed before the
    data is seen (Genovese, Roeder and Wasserman, "False discovery control with p-value
    weighting", 2006).
    """
    single = [check for check in checks if check.kind is not CheckKind.CORRELATION]
    columns = {check.column for check in single}
    inputs, outputs = columns - {*OUTPUTS, REGIONS}, columns & set(OUTPUTS)
    known = sum(max(0.0, importance.get(name, 0.0)) for name in inputs)
    of_column = {
        name: _EQUAL / len(inputs)
        + _IMPORTANT * (max(0.0, importance.get(name, 0.0)) / known if known else 1 / len(inputs))
        for name in inputs
    } | {name: _OUTPUT / len(outputs) for name in outputs}
    of_column[REGIONS] = _REGIONS
    of_kinds: dict[str, float] = {}
    for check in single:
        of_kinds[check.column] = of_kinds.get(check.column, 0.0) + _kind(check)
    pairs = len(checks) - len(single)
    raw = [
        _TOGETHER / pairs
        if check.kind is CheckKind.CORRELATION
        else of_column[check.column] * _kind(check) / of_kinds[check.column]
        for check in checks
    ]
    total = sum(raw)
    return tuple(replace(c, weight=w / total) for c, w in zip(checks, raw, strict=True))


def _kind(check: Check) -> float:
    return 0.5 if check.column == REGIONS else _KINDS[check.kind]
