"""Ratios compare like with like, and a target is met or it is not."""

import pytest

from .ratios import TARGETS, cpu_ratios, pairs
from .report import tables
from .results import Condition, Figure, Results, Role, Started, Surroundings, Swapped

ONE, HUNDRED = Condition(rows=1, connections=16), Condition(rows=100, connections=16)


def figure(
    contender: str, cpu_us: float, condition: Condition = ONE, shape: str = "floats"
) -> Figure:
    return Figure(
        shape=shape,
        contender=contender,
        condition=condition,
        cpu_us=cpu_us,
        per_second=1e6 / cpu_us,
        p50_ms=1.0,
        p99_ms=4.0,
        worst_ms=9.0,
        requests=1000,
        peak_mb=100.0,
        others=0.25,
        load=1.5,
    )


def test_each_round_is_compared_with_itself() -> None:
    slow_then_fast = [figure("ours", 100.0), figure("mlflow", 4000.0)]
    slow_then_fast += [figure("ours", 10.0), figure("mlflow", 250.0)]

    ((shape, condition, spread),) = pairs(slow_then_fast, lambda f: f.cpu_us, "ours", "mlflow")

    assert (shape, condition) == ("floats", ONE)
    assert (spread.lowest, spread.highest) == (1 / 40, 1 / 25)


@pytest.mark.parametrize(("ours", "is_met"), [(100.0, True), (101.0, False)])
def test_a_target_is_met_up_to_its_number(ours: float, is_met: bool) -> None:
    (ratio,) = cpu_ratios([figure("ours", ours), figure("mlflow", 2500.0)], ["ours"], ["mlflow"])

    assert ratio.is_met is is_met


def test_targets_hold_where_they_were_set_and_nowhere_else() -> None:
    elsewhere = [
        figure(name, cpu, condition, shape)
        for name, cpu in (("ours", 1.0), ("mlflow", 1.0))
        for condition, shape in ((ONE, "mixed"), (Condition(rows=1, connections=64), "floats"))
    ]

    ratios = cpu_ratios(elsewhere, ["ours"], ["mlflow"])

    assert [ratio.is_met for ratio in ratios] == [None, None]
    assert {(t.rows, t.peer): t.most for t in TARGETS}[100, "mlflow"] == pytest.approx(1 / 18)


@pytest.fixture
def results() -> Results:
    return Results(
        surroundings=Surroundings(
            machine="2 cores", versions={"Python": "3"}, trees={"floats": 9}, seconds=1.0, repeats=1
        ),
        figures=[
            figure(name, cpu, condition)
            for name, cpu in (("ours", 100.0), ("mlflow", 3000.0), ("elsewhere", 1.0))
            for condition in (ONE, HUNDRED)
        ],
        starts=[Started(shape="floats", server="ours", seconds=1.25, cpu_seconds=0.5)],
        swaps=[Swapped(seconds=0.2, requests=10, worst_ms=5.0)],
        skipped={"mlserver": "it does not install"},
        words={"ours": "our endpoint", "mlflow": "MLflow", "elsewhere": "elsewhere"},
        roles={"ours": Role.OURS, "mlflow": Role.PEER, "elsewhere": Role.INFORMATION},
    )


def test_the_table_of_ratios_says_what_is_met(results: Results) -> None:
    ratios = next(table for table in tables(results) if table.title.startswith("Ratios"))

    assert [row[-3:] for row in ratios.rows] == [
        ("1/30.0", "<= 1/25", "met"),
        ("1/30.0", "<= 1/18", "met"),
    ]


def test_slow_answers_are_judged_for_ours_alone(results: Results) -> None:
    latencies = next(table for table in tables(results) if table.title.startswith("p99"))

    assert {(row[0], row[-1]) for row in latencies.rows} == {
        ("our endpoint", "NOT met"),
        ("MLflow", ""),
        ("elsewhere", ""),
    }


def test_tables_are_well_formed_markdown(results: Results) -> None:
    for table in tables(results):
        title, blank, *lines = table.markdown().splitlines()

        assert title == f"**{table.title}**"
        assert blank == ""
        assert {line.count("|") for line in lines} == {len(table.head) + 1}
