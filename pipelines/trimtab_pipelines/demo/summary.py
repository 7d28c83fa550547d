"""The table at the end of the demo."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from trimtab.records.verdicts import VerdictKind

from .comparison import Logged, WindowResult, auc
from .traffic import Tally

_COLOURS = {
    VerdictKind.STABLE: "green",
    VerdictKind.DRIFT: "yellow",
    VerdictKind.BROKEN_DATA: "red",
    VerdictKind.NOT_ENOUGH_ROWS: "dim",
}


def show(console: Console, metric: str, results: Sequence[WindowResult], logged: Logged) -> None:
    """Print window by window what was served, beside what the first version would have given."""
    table = Table(title="What was served, and what the first version would have given")
    for name in ("window", "verdict", "version", "rows"):
        table.add_column(name, no_wrap=True)
    has_auc = any(result.auc is not None for result in results)
    for name in (["AUC", "first", "gain"] if has_auc else []) + [metric, "first", "gain"]:
        table.add_column(name, justify="right", no_wrap=True)
    for result in results:
        table.add_row(*_cells(result, has_auc))
    console.print(table)
    rows = logged.scored
    better = rows["first_loss"].mean() - rows["loss"].mean()
    console.print(
        f"Over {len(rows)} labelled predictions: {metric} {rows['loss'].mean():.4f} was served, "
        f"{rows['first_loss'].mean():.4f} with the first version for ever: {better:+.4f} gained."
    )
    served, first = auc(rows, "score"), auc(rows, "first_score")
    if served is not None and first is not None:
        console.print(f"AUC over all of them: {served:.4f} served, {first:.4f} with the first.")


def account(console: Console, tally: Tally, logged: Logged) -> bool:
    """Print whether every answered prediction is in the log exactly once; tell if all is well."""
    missing = len(tally.prediction_ids - set(logged.prediction_ids))
    twice = len(logged.prediction_ids) - len(set(logged.prediction_ids))
    failed = sum(tally.failed.values())
    console.print(
        f"{tally.requests} requests, {failed} failed. {len(tally.prediction_ids)} predictions "
        f"answered; {missing} missing from the inference log, {twice} in it twice."
    )
    for reason, count in tally.failed.most_common(5):
        console.print(f"  {count} x {reason}", style="red")
    return not (failed or missing or twice)


def _cells(result: WindowResult, has_auc: bool) -> list[str]:
    kinds = [f"[{_COLOURS[v.kind]}]{v.kind}[/]" for v in result.verdicts if v.rows]
    cells = [
        f"{result.window.start:%Y-%m-%d}",
        ", ".join(dict.fromkeys(kinds)),
        ", ".join(result.versions),
        str(result.rows),
    ]
    if has_auc:
        cells += _figures(result.auc, result.first_auc, digits=3)
    return cells + _figures(result.loss, result.first_loss, digits=4, lower_is_better=True)


def _figures(
    served: float | None, first: float | None, *, digits: int, lower_is_better: bool = False
) -> list[str]:
    if served is None or first is None:
        return ["", "", ""]
    gain = first - served if lower_is_better else served - first
    colour = "green" if gain > 0 else "red" if gain < 0 else "dim"
    return [f"{served:.{digits}f}", f"{first:.{digits}f}", f"[{colour}]{gain:+.{digits}f}[/]"]
