"""The gate's table shows slices by the values of the data, whatever they are."""

from rich.console import Console

from trimtab.records.gate import Comparison, GateResult
from trimtab_pipelines.gate_table import as_table


def compared(name: str) -> Comparison:
    return Comparison(name=name, rows=200, champion=0.4, challenger=0.3, low=0.05, high=0.15)


def test_a_slice_is_shown_by_its_value_as_it_is() -> None:
    result = GateResult(
        passed=True,
        metric="log_loss",
        confidence=0.95,
        overall=compared("all rows"),
        slices=(compared("kind=[/]"), compared("kind=[red]")),
        reasons=(),
    )
    console = Console(width=160)
    with console.capture() as capture:
        console.print(as_table(result, "champion 1"))

    assert "kind=[/]" in capture.get()
    assert "kind=[red]" in capture.get()
