"""The gate's table shows slices by the values of the data, whatever they are."""

from dataclasses import replace

from rich.console import Console

from trimtab.records.gate import Comparison, GateResult
from trimtab_pipelines.gate_table import as_markdown, as_table


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


def test_a_description_tells_the_worst_of_many_slices_within_what_mlflow_keeps() -> None:
    slices = [compared(f"destination airport=A{n}") for n in range(100)]
    slices[50] = replace(slices[50], challenger=0.9, is_worse=True)
    result = GateResult(
        passed=False,
        metric="log_loss",
        confidence=0.95,
        overall=compared("all rows"),
        slices=tuple(slices),
        reasons=tuple(f"Worse where destination airport=A{n}: much" for n in range(40)),
    )
    text = as_markdown(result, "champion 1", most=8)

    assert "A50 | 200" in text
    assert "92 more slices are in gate.md" in text
    assert len(text) < 3000
    assert all(part.name in as_markdown(result, "champion 1") for part in slices)
