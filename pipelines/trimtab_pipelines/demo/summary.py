"""The table at the end of the demo."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from trimtab.records.verdicts import VerdictKind
from trimtab_pipelines.live_traffic.traffic import Tally

from .comparison import Logged, WindowResult, auc

_COLOURS = {
    VerdictKind.NOT_ENOUGH_ROWS: "dim",
    VerdictKind.STABLE: "green",
    VerdictKind.DRIFT: "yellow",
    VerdictKind.BROKEN_DATA: "red",
}
"""The kinds of verdict, the worst last: a window shows the worst of its versions."""


def show(console: Console, metric: str, results: Sequence[WindowResult], logged: Logged) -> None:
    """Print window by window what was served, beside what the first version would have given."""
    table = Table(
        title="What was served, and what the first version would have given",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for name in ("window", "verdict", "by"):
        table.add_column(name, no_wrap=True)
    has_auc = any(result.auc is not None for result in results)
    for name in ["rows", *(["AUC", "first"] if has_auc else []), metric, "first", "gain"]:
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
        console.print(f"  {count} x {reason}", style="red", markup=False)
    return not (failed or missing or twice)


def _cells(result: WindowResult, has_auc: bool) -> list[str]:
    judged = [verdict.kind for verdict in result.verdicts if verdict.rows]
    worst = max(judged, key=list(_COLOURS).index, default=VerdictKind.NOT_ENOUGH_ROWS)
    cells = [
        f"{result.window.start:%Y-%m-%d}",
        f"[{_COLOURS[worst]}]{worst}[/]",
        ", ".join(result.versions),
        str(result.rows),
    ]
    if has_auc:
        cells += [_figure(result.auc, 3), _figure(result.first_auc, 3)]
    gain = result.first_loss - result.loss
    colour = "green" if gain > 0 else "red" if gain < 0 else "dim"
    loss = [_figure(result.loss, 4), _figure(result.first_loss, 4)]
    return [*cells, *loss, f"[{colour}]{gain:+.4f}[/]"]


def _figure(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
