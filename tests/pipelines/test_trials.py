"""Canaries and shadows: what is compared, how they end, and what a death in between costs."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from trimtab.errors import ExitCode, ManifestError, NoChampionError, UnknownVersionError
from trimtab.policy.losses import losses
from trimtab.records.contracts import Contract, Task
from trimtab.records.labels import Label
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab.records.trials import TrialKind, failure_detail
from trimtab.records.versions import Alias
from trimtab.settings import load
from trimtab_pipelines.comparing import Comparing
from trimtab_pipelines.pace import Pace
from trimtab_pipelines.promotion import promote
from trimtab_pipelines.trial_errors import (
    NothingCapturedError,
    NoTrialError,
    TrialRunningError,
    UnfitChallengerError,
)
from trimtab_pipelines.trial_fitness import unfit
from trimtab_pipelines.trials import end_by_hand, give_up

Loop = Any  # the conftest's; it is no module that could be imported
Traffic = Any  # that too
MODEL = "late"
HOUR = timedelta(hours=1)


def values(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.3, 1, rows)


def test_a_shadow_on_captured_traffic_equals_offline_scoring(traffic: Traffic) -> None:
    x = values(600)
    now = traffic.loop.clock.now()
    champion = traffic.send("1", x, now - 60 * HOUR)
    trial = traffic.begin(TrialKind.SHADOW, last=72 * HOUR)
    ended = traffic.compare(trial, is_last=True)
    found = traffic.result(ended)

    offline = traffic.predictor("2").predict(pd.DataFrame({"x": x})).probabilities
    assert offline is not None
    assert not ended.is_running
    assert (found.overall.rows, found.unanswered) == (600, 0)
    agreed = champion.argmax(axis=1) == offline.argmax(axis=1)
    assert found.overall.agreed == pytest.approx(agreed.mean())
    (shift,) = found.overall.shifts
    assert shift.score == "True"
    assert shift.champion == pytest.approx(champion[:, 1].mean())
    assert shift.challenger == pytest.approx(offline[:, 1].mean())
    assert {timing.version for timing in found.timings} == {"1", "2"}
    assert [(s.version, s.requests) for s in found.served] == [("1", 600)]
    assert any("airport is no input" in remark for remark in found.remarks)
    assert "600 rows agreed" in " ".join(traffic.reasons())


def test_a_shadow_goes_on_with_the_traffic_and_ends_when_its_time_is_over(
    traffic: Traffic,
) -> None:
    clock = traffic.loop.clock
    begun = clock.now()
    trial = traffic.begin(TrialKind.SHADOW, lasts=24 * HOUR)
    seen = []
    for hour in (8, 16, 24):
        traffic.send("1", values(96, hour), begun + (hour - 8) * HOUR)
        clock.moment = begun + hour * HOUR + timedelta(minutes=5)  # the allowed lateness
        trial = traffic.compare(trial)
        seen.append((traffic.result(trial).overall.rows, trial.is_running))

    assert seen == [(96, True), (192, True), (288, False)]
    assert trial.ended_because == ("its time is over (24 h)",)
    assert traffic.loop.events()[-2:] == ["trial begun", "trial ended"]


def test_a_process_that_dies_in_the_middle_leaves_a_comparison_that_goes_on_as_if_it_had_not(
    traffic: Traffic,
) -> None:
    x = values(900)
    now = traffic.loop.clock.now()
    traffic.send("1", x, now - 80 * HOUR)
    trial = traffic.begin(TrialKind.SHADOW, last=96 * HOUR)

    class KilledError(Exception):
        pass

    for _ in range(4):
        left = [2]

        def die(what: str, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise KilledError

        pace = Pace(5 * HOUR)
        dying = Comparing(bench=traffic.loop.bench, log=traffic.log, say=die, pace=pace)
        with pytest.raises(KilledError):
            dying.catch_up(trial, is_last=True)
    traffic.compare(trial, is_last=True)
    found = traffic.result(trial)
    offline = traffic.predictor("2").predict(pd.DataFrame({"x": x})).probabilities

    assert offline is not None
    assert found.overall.rows == 900
    assert found.overall.shifts[0].challenger == pytest.approx(offline[:, 1].mean())


def test_only_what_has_been_shipped_is_compared(traffic: Traffic) -> None:
    clock = traffic.loop.clock
    begun = clock.now()
    trial = traffic.begin(TrialKind.SHADOW)
    traffic.send("1", values(60), begun)
    clock.moment = begun + 10 * HOUR
    traffic.ship(begun + HOUR)
    trial = traffic.compare(trial)

    assert traffic.result(trial).overall.rows == 12, "five minutes apart, of the first hour"
    assert trial.compared_through == begun + HOUR


def test_the_past_is_taken_as_far_as_it_was_shipped(traffic: Traffic) -> None:
    now = traffic.loop.clock.now()
    traffic.send("1", values(100), now - 30 * HOUR)
    traffic.ship(now - 24 * HOUR)
    with pytest.raises(NothingCapturedError):
        traffic.begin(TrialKind.SHADOW, last=12 * HOUR)
    ended = traffic.compare(traffic.begin(TrialKind.SHADOW, last=48 * HOUR), is_last=True)

    assert (ended.is_running, ended.until) == (False, now - 24 * HOUR)
    assert traffic.result(ended).overall.rows == 72


def test_a_canary_compares_every_row_and_counts_what_callers_met(traffic: Traffic) -> None:
    clock = traffic.loop.clock
    begun = clock.now()
    trial = traffic.begin(TrialKind.CANARY)
    kept, tried = values(270, 1), values(30, 2)
    details = [failure_detail("2", ValueError("secret"))] * 4 + [None] * 266
    traffic.send("1", kept, begun, details=details)
    traffic.send("2", tried, begun + timedelta(seconds=1), every=timedelta(minutes=45))
    clock.moment = begun + 30 * HOUR
    trial = traffic.compare(trial)
    found = traffic.result(trial)

    rows = pd.DataFrame({"x": np.concatenate([kept, tried])})
    one, two = (traffic.predictor(v).predict(rows).probabilities for v in "12")
    assert one is not None
    assert two is not None
    assert found.overall.rows == 300
    assert found.overall.agreed == pytest.approx((one.argmax(1) == two.argmax(1)).mean())
    assert found.overall.shifts[0].champion == pytest.approx(one[:, 1].mean())
    assert found.overall.shifts[0].challenger == pytest.approx(two[:, 1].mean())
    assert {s.version: (s.requests, s.failed) for s in found.served} == {
        "1": (270, 0),
        "2": (30, 4),
    }
    latencies = {s.version: s.p50_ms for s in found.served}
    assert latencies == {"1": pytest.approx(1, rel=0.05), "2": pytest.approx(3, rel=0.05)}
    assert found.groups is not None
    assert found.groups.shifts[0].champion == pytest.approx(one[:270, 1].mean())
    assert found.groups.shifts[0].challenger == pytest.approx(two[270:, 1].mean())


def test_where_inputs_are_redacted_callers_are_compared_and_no_row_is_asked_again(
    traffic: Traffic,
) -> None:
    bench = traffic.loop.bench
    file = bench.settings.folder / "trimtab.toml"
    file.write_text(file.read_text() + '[models.late.capture]\ndrop = ["x"]\n')
    traffic.loop.bench = replace(bench, settings=load(bench.settings.folder))
    with pytest.raises(UnfitChallengerError, match="'x' is not kept"):
        traffic.begin(TrialKind.SHADOW)
    begun = traffic.loop.clock.now()
    trial = traffic.begin(TrialKind.CANARY)
    traffic.send("1", values(270, 1), begun)
    traffic.send("2", values(30, 2), begun, every=timedelta(minutes=45))
    traffic.loop.clock.moment = begun + 30 * HOUR
    found = traffic.result(traffic.compare(trial))

    assert (found.overall.rows, found.slices, found.timings) == (0, (), ())
    assert found.groups is not None
    assert {s.version: s.requests for s in found.served} == {"1": 270, "2": 30}
    assert any("inputs are redacted" in remark for remark in found.remarks)


def test_rows_that_the_challenger_cannot_answer_cost_those_rows_only(traffic: Traffic) -> None:
    clock = traffic.loop.clock
    begun = clock.now()
    trial = traffic.begin(TrialKind.SHADOW)
    traffic.send("1", values(100), begun)
    table = traffic.log._parts[MODEL].popitem()[1][1]
    x = [float("nan") if n % 10 == 0 else float(v) for n, v in enumerate(values(100))]
    broken = pa.StructArray.from_arrays([pa.array(x)], ["x"])
    at = table.schema.get_field_index("inputs")
    traffic.log.append(MODEL, "1", "broken", table.set_column(at, table.schema.field(at), broken))
    clock.moment = begun + 20 * HOUR
    trial = traffic.compare(trial)
    found = traffic.result(trial)

    assert (found.unanswered, found.overall.rows) == (10, 90)


def test_labels_show_which_version_is_better_on_the_same_rows(traffic: Traffic) -> None:
    x = values(800)
    now = traffic.loop.clock.now()
    champion = traffic.send("1", x, now - 70 * HOUR)
    truth = np.random.default_rng(5).random(800) < 1 / (1 + np.exp(-2 * x))
    labels = [
        Label(key=f"k{n + 1}", value=str(late) if n % 50 else "perhaps", known_at=now)
        for n, late in enumerate(truth)
        if n % 2 == 0
    ]
    with traffic.loop.database.transaction() as stores:
        stores.labels.put(MODEL, labels)
    trial = traffic.begin(TrialKind.SHADOW, last=72 * HOUR)
    trial = traffic.compare(trial, is_last=True)
    quality = traffic.result(trial).quality

    known = np.arange(800) % 2 == 0
    known &= np.arange(800) % 50 != 0
    contract = traffic.predictor("1").contract
    offline = traffic.predictor("2").predict(pd.DataFrame({"x": x})).probabilities
    assert offline is not None
    assert quality is not None
    assert quality.overall.rows == int(known.sum()), "a label that is no class counts for nobody"
    for said, found in (
        (champion, quality.overall.champion),
        (offline, quality.overall.challenger),
    ):
        expected = losses("log_loss", contract, said[known], [], truth[known]).mean()
        assert found == pytest.approx(expected)
    assert quality.passed, "skill 2 is the truth of this world"


def test_another_champion_ends_the_trial_in_the_same_transaction(traffic: Traffic) -> None:
    trial = traffic.begin(TrialKind.CANARY)
    third = traffic.loop.shop.add(3.0)
    with traffic.loop.database.transaction() as stores:
        current = stores.promotions.current(MODEL)
        now = traffic.loop.clock.now()
        promote(stores, third, against=current, actor="gate", reasons=["better"], at=now)
        (found,) = stores.trials.recent(MODEL)

    assert not found.is_running
    assert found.ended_because == ("version 3 became the champion in place of 1",)
    assert traffic.loop.events()[-2:] == ["version promoted", "trial ended"]
    assert found.id == trial.id


def test_a_challenger_that_wins_ends_its_own_trial(traffic: Traffic) -> None:
    traffic.begin(TrialKind.SHADOW)
    (second,) = (v for v in traffic.loop.registry.versions(MODEL) if v.version == "2")
    with traffic.loop.database.transaction() as stores:
        current = stores.promotions.current(MODEL)
        now = traffic.loop.clock.now()
        promote(stores, second, against=current, actor="gate", reasons=["better"], at=now)
        (found,) = stores.trials.recent(MODEL)

    assert found.ended_because == ("version 2 became the champion",)


def test_a_person_ends_it_with_what_it_has_shown_and_mlflow_shows_it_too(
    traffic: Traffic,
) -> None:
    begun = traffic.loop.clock.now()
    trial = traffic.begin(TrialKind.CANARY)
    assert traffic.loop.registry.aliased(MODEL, Alias.CHALLENGER) == "2"
    traffic.send("1", values(200), begun, every=timedelta(seconds=10))
    traffic.loop.clock.moment = begun + HOUR
    ended = end_by_hand(traffic.loop.bench, traffic.log, MODEL, actor="ada", why="enough")

    assert ended.ended_because == ("ada ended it: enough",)
    assert traffic.result(trial).overall.rows == 200
    assert traffic.loop.registry.aliased(MODEL, Alias.CHALLENGER) is None
    reports = traffic.loop.reports
    assert (MODEL, "2", f"trials/canary-{trial.id[:8]}.json") in reports.files
    assert "200" in reports.texts[MODEL, "2"]
    assert reports.tags[MODEL, "2"]["trimtab.trial"] == "canary ended"
    with pytest.raises(NoTrialError):
        end_by_hand(traffic.loop.bench, traffic.log, MODEL, actor="ada")


def test_what_cannot_be_tried_is_refused_and_nothing_begins(loop: Loop, quiet: Traffic) -> None:
    traffic = quiet
    loop.shop.add(1.0)
    with pytest.raises(NoChampionError):
        traffic.begin(TrialKind.SHADOW, "1")
    loop.crown(loop.registry.versions(MODEL)[0])
    with pytest.raises(UnfitChallengerError, match="it is the champion") as refused:
        traffic.begin(TrialKind.CANARY, "1")
    with pytest.raises(UnknownVersionError):
        traffic.begin(TrialKind.CANARY, "9")

    assert refused.value.exit_code is ExitCode.REFUSED
    assert loop.events() == []


def test_a_model_has_one_trial_at_a_time(traffic: Traffic) -> None:
    traffic.begin(TrialKind.SHADOW)
    with pytest.raises(TrialRunningError, match="trimtab trial late --end"):
        traffic.begin(TrialKind.CANARY)

    assert traffic.loop.events() == ["trial begun"]


def test_a_version_whose_bytes_changed_is_not_compared_and_its_trial_ends(
    traffic: Traffic,
) -> None:
    trial = traffic.begin(TrialKind.SHADOW)
    path: Path = traffic.loop.shop.root / "2" / "model.skops"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ManifestError) as error:
        traffic.compare(trial)
    give_up(traffic.loop.bench, trial, str(error.value))

    assert "model.skops" in " ".join(traffic.reasons())


def promise(**changes: Any) -> Contract:
    columns = (
        Column(name="a", type=ColumnType.DOUBLE, required=True),
        Column(name="b", type=ColumnType.STRING, required=True),
    )
    contract = Contract(
        model=MODEL, task=Task.BINARY, target="y", schema=Schema(columns=columns), classes=(0, 1)
    )
    return replace(contract, **changes)


def fewer(contract: Contract) -> Contract:
    return replace(contract, schema=Schema(columns=contract.schema.columns[:1]))


@pytest.mark.parametrize(
    ("champion", "challenger", "kind", "why"),
    [
        (promise(), promise(), TrialKind.CANARY, ""),
        (promise(), fewer(promise()), TrialKind.SHADOW, ""),
        (promise(), fewer(promise()), TrialKind.CANARY, "try it as a shadow"),
        (fewer(promise()), promise(), TrialKind.SHADOW, "it needs 'b'"),
        (promise(), promise(classes=(1, 0)), TrialKind.SHADOW, "words of the champion"),
        (promise(), promise(task=Task.REGRESSION), TrialKind.SHADOW, "words of the champion"),
    ],
)
def test_versions_are_tried_only_where_their_answers_can_be_compared(
    champion: Contract, challenger: Contract, kind: TrialKind, why: str
) -> None:
    said = unfit(champion, challenger, kind)

    assert why in said
    assert bool(said) == bool(why)
