"""A canary on the real endpoint: who meets which version, and that it costs nobody an answer."""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from trimtab.adapters.opening import open_log
from trimtab.policy.routing import goes_to_challenger
from trimtab.records.trials import Trial, TrialKind, TrialState, tells_of_failure

Platform = Any  # the conftest's; it is no module that could be imported
MODEL = "late-arrival"


@pytest.fixture(scope="module")
def tried(
    tmp_path_factory: pytest.TempPathFactory, platform: Any, shelf: Any, version_files: Any
) -> Iterator[Platform]:
    """A platform of its own; version 4 fails where it is asked about an airport it never saw."""
    if "4" not in shelf.hashes:
        files = shelf.files / "versions" / "4"
        shelf.add("4", version_files(files, 4, is_strict=True), files)
    with platform(tmp_path_factory.mktemp("tried")) as started:
        shelf.lend(started.settings, "4")
        started.promote("1")
        started.until_served("1")
        started.until_spared()
        yield started


@pytest.fixture
def up(tried: Platform) -> Iterator[Platform]:
    """The same, with no trial before and after."""
    yield tried
    end(tried)


def begin(up: Platform, version: str, share: float = 0.1) -> Trial:
    """Begin a canary, as the verb does."""
    with up.database.transaction() as stores:
        champion = stores.promotions.current(MODEL)
        now = datetime.now(UTC)
        trial = Trial(
            id=uuid4().hex,
            model=MODEL,
            kind=TrialKind.CANARY,
            champion=champion.version,
            epoch=champion.epoch,
            challenger=version,
            manifest_sha256=up.shelf.hashes[version],
            by="tests",
            why="because",
            began_at=now,
            since=now,
            share=share,
            compared_through=now,
        )
        assert stores.trials.begin(trial)
    return trial


def end(up: Platform) -> None:
    with up.database.transaction() as stores:
        trial = stores.trials.running(MODEL)
        if trial is not None:
            over = {"state": TrialState.ENDED, "ended_at": datetime.now(UTC)}
            stores.trials.save(replace(trial, revision=trial.revision + 1, **over))


def told(up: Platform) -> list[tuple[str, str]]:
    return [event for event in up.events if event[0].startswith("challenger")]


def reason(up: Platform) -> str:
    with up.database.transaction() as stores:
        entries = stores.ledger.entries(MODEL)
    return " ".join(next(e.reasons for e in entries if e.event == "challenger not served"))


def ask(up: Platform, row: dict[str, object], keys: Sequence[str]) -> list[dict[str, Any]]:
    """Ask once for each key; every request is answered."""
    answers = []
    for key in keys:
        status, answer = up.caller.predict(json.dumps({"rows": [row], "keys": [key]}).encode())
        assert status == 200, answer
        answers.append(answer)
    return answers


def versions(answers: list[dict[str, Any]]) -> list[str]:
    return [answer["version"] for answer in answers]


@pytest.mark.e2e
def test_a_tenth_of_the_keys_meets_the_challenger_and_always_the_same_ones(
    up: Platform, row: Any
) -> None:
    trial, before = begin(up, "2"), len(told(up))
    up.wait(lambda: len(told(up)) > before, "the challenger")
    keys = [f"flight-{n}" for n in range(200)]
    first = ask(up, row(), keys)
    second = ask(up, row(), keys[::-1])[::-1]
    expected = ["2" if goes_to_challenger(trial.id, 0.1, [k], "") else "1" for k in keys]

    assert told(up)[before:] == [("challenger served", "2")]
    assert versions(first) == versions(second) == expected
    assert 3 <= expected.count("2") <= 42, "a tenth of 200, to five sigma"
    up.assert_recomputed(first, row())
    up.assert_captured_once([*first, *second])
    by_chance = [up.caller.predict(json.dumps({"rows": [row()]}).encode())[1] for _ in range(100)]
    assert 0 < versions(by_chance).count("2") < 40

    end(up)
    up.wait(lambda: set(versions(ask(up, row(), keys))) == {"1"}, "the end of the canary")


@pytest.mark.e2e
def test_callers_keep_their_version_when_the_process_that_answers_is_killed(
    up: Platform, row: Any, load: Any
) -> None:
    trial, before = begin(up, "2", share=0.5), len(told(up))
    up.wait(lambda: len(told(up)) > before, "the challenger")
    up.until_spared()
    with load(up.port, row()).paced(4, 0.05) as callers:
        os.kill(up.answering, signal.SIGKILL)
        up.wait(lambda: len(told(up)) > before + 2, "the challenger once more")
        enough = len(callers.answers) + 40
        up.wait(lambda: len(callers.answers) > enough, "answers")
    keys = [f"flight-{n}" for n in range(60)]

    assert [event for event, _ in told(up)[before:]] == [
        "challenger served",
        "challenger not served",
        "challenger served",
    ]
    assert len(callers.failures) <= 4, "at most what each caller had under way"
    assert callers.refusals == {}
    expected = ["2" if goes_to_challenger(trial.id, 0.5, [k], "") else "1" for k in keys]
    assert versions(ask(up, row(), keys)) == expected


@pytest.mark.e2e
def test_what_the_challenger_cannot_answer_the_champion_does_and_the_log_says_so(
    up: Platform, row: Any
) -> None:
    trial, before = begin(up, "4", share=0.5), len(told(up))
    up.wait(lambda: len(told(up)) > before, "the challenger")
    keys = [f"flight-{n}" for n in range(40)]
    well, badly = ask(up, row(), keys), ask(up, row(**{"class": "SFO"}), keys)
    taken = [k for k in keys if goes_to_challenger(trial.id, 0.5, [k], "")]
    up.assert_captured_once([*well, *badly])
    logged = open_log(up.settings).read(MODEL, "1", trial.since)
    status, metrics, _ = up.caller.call("GET", "/metrics")

    assert versions(well).count("4") == len(taken)
    assert set(versions(badly)) == {"1"}
    assert logged is not None
    failed = [tells_of_failure(detail, "4") for detail in logged.rows["detail"]]
    assert sorted(logged.rows["key"][failed]) == sorted(taken)
    assert "SFO" not in "".join(logged.rows["detail"].dropna())
    assert logged.failed == 0
    assert status == 200
    assert f"trimtab_challenger_failed_total {len(taken)}.0".encode() in metrics


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("version", "why"),
    [("2", "model.skops was changed"), ("3", "needs another environment, or another request")],
)
def test_a_challenger_that_cannot_be_loaded_answers_nobody_and_the_ledger_says_why(
    up: Platform, row: Any, version: str, why: str
) -> None:
    model: Path = up.settings.home.bento(MODEL, version) / "src" / "version" / "model.skops"
    content = model.read_bytes()
    if version == "2":
        model.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    before = len(told(up))
    begin(up, version, share=0.9)
    up.wait(lambda: len(told(up)) > before, "the refusal")
    up.wait(lambda: f"version {version} does not answer" in up.note, "the status")
    answers = ask(up, row(), [f"flight-{n}" for n in range(50)])
    model.write_bytes(content)

    assert told(up)[before:] == [("challenger not served", version)]
    assert why in reason(up)
    assert Counter(versions(answers)) == {"1": 50}
    if version == "2":  # with its own bytes it comes in by itself
        up.wait(lambda: told(up)[-1] == ("challenger served", "2"), "the challenger")


@pytest.mark.e2e
def test_another_champion_ends_the_canary_in_the_endpoint_too(up: Platform, row: Any) -> None:
    before = len(told(up))
    begin(up, "2", share=0.9)
    up.wait(lambda: len(told(up)) > before, "the challenger")
    up.promote("4")
    up.until_served("4")
    up.wait(lambda: set(versions(ask(up, row(), [f"f{n}" for n in range(30)]))) == {"4"}, "only 4")
    up.promote("1")
    up.until_served("1")
    answers = ask(up, row(), [f"flight-{n}" for n in range(30)])

    assert set(versions(answers)) == {"1"}, "a champion that returns is another promotion"
