"""The course of a request in memory: every end it can come to, and what is written down."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from trimtab.errors import LeaseLostError, RegistryUnreachableError
from trimtab.records.incidents import Alert, Incident, Situation
from trimtab.records.requests import Obstacle, RequestState, RetrainRequest, Trigger
from trimtab.records.versions import Alias
from trimtab.testing.memory_registry import MemoryReports
from trimtab_pipelines.ending import MOST_ATTEMPTS
from trimtab_pipelines.errors import NoCandidateError, SourceError
from trimtab_pipelines.pursuing import Outcome, Pursuit

Loop = Any  # the conftest's; it is no module that could be imported
START = datetime(2013, 1, 1, tzinfo=UTC)
SPLIT = START + timedelta(hours=900)  # what the champion was trained on was before
MODEL = "late"
LEASE = timedelta(seconds=30)


def pursue(loop: Loop, request: RetrainRequest, holder: str = "worker") -> Outcome:
    return Pursuit(bench=loop.bench, request=request, holder=holder).run()


def with_settings(loop: Loop, **retrain: object) -> None:
    settings = loop.bench.settings
    model = settings.project.models[MODEL]
    changed = model.model_copy(update={"retrain": model.retrain.model_copy(update=retrain)})
    project = settings.project.model_copy(update={"models": {MODEL: changed}})
    loop.bench = replace(loop.bench, settings=replace(settings, project=project))


def test_a_first_version_that_beats_the_baseline_becomes_champion(loop: Loop) -> None:
    loop.shop.skills = [2.0]
    outcome = pursue(loop, loop.ask())

    assert outcome.request.state is loop.state() is RequestState.PROMOTED
    assert loop.champion() == "1"
    assert loop.registry.aliased(MODEL, Alias.CHAMPION) == "1"
    assert loop.registry.aliased(MODEL, Alias.CHALLENGER) is None
    assert loop.events() == [
        "training started",
        "version registered",
        "challenger won",
        "version promoted",
    ]


def test_the_gates_answer_stands_beside_the_version(loop: Loop) -> None:
    loop.shop.skills = [2.0]
    pursue(loop, loop.ask())
    key = (MODEL, "1")

    assert loop.reports.tags[key] == {"trimtab.gate": "passed"}
    assert loop.reports.metrics[key]["gate.gain"] > loop.reports.metrics[key]["gate.low"] > 0
    assert "compared with the baseline" in loop.reports.texts[key]
    assert b'"passed": true' in loop.reports.files[MODEL, "1", "gate.json"]


def test_a_challenger_that_is_no_better_is_rejected_and_the_champion_stays(loop: Loop) -> None:
    with_settings(loop, preview=False)
    loop.crown(loop.shop.add(2.0))
    loop.shop.skills = [2.0]
    outcome = pursue(loop, loop.ask(Trigger.DRIFT))

    assert loop.state() is RequestState.REJECTED
    assert outcome.request.version == "2"
    assert loop.champion() == "1"
    assert loop.events()[-1] == "challenger rejected"
    assert loop.reports.tags[MODEL, "2"] == {"trimtab.gate": "rejected"}
    assert "Not proven better" in outcome.request.reasons[-1]


def test_with_manual_approval_a_winner_waits_and_people_are_told(loop: Loop) -> None:
    with_settings(loop, approval="manual")
    loop.shop.skills = [2.0]
    pursue(loop, loop.ask())
    with loop.database.transaction() as stores:
        [alert] = stores.outbox.due()

    assert loop.state() is RequestState.WAITING
    assert loop.champion() is None
    assert loop.registry.aliased(MODEL, Alias.CHALLENGER) == "1"
    assert "trimtab approve late 1" in alert.body


def test_a_declined_request_trains_nothing_and_says_why(loop: Loop) -> None:
    with_settings(loop, min_new_rows=1000)
    loop.crown(loop.shop.add(0.0))
    outcome = pursue(loop, loop.ask(Trigger.DRIFT))

    assert loop.state() is RequestState.DECLINED
    assert loop.shop.begun == 0
    assert outcome.request.reasons == ("300 new labelled rows; at least 1,000 are needed",)
    assert loop.events() == ["retrain declined"]


def break_data(loop: Loop) -> None:
    with loop.database.transaction() as stores:
        stores.incidents.save(
            Incident(
                id="i1",
                model=MODEL,
                version="1",
                situation=Situation.BROKEN_DATA,
                opened_at=loop.clock.now(),
                evidence=("temp is null",),
            )
        )


def test_broken_data_is_declined_before_the_rows_are_even_read(loop: Loop) -> None:
    loop.crown(loop.shop.add(0.0))
    break_data(loop)
    (loop.bench.settings.folder / "rows.csv").unlink()
    pursue(loop, loop.ask(Trigger.DRIFT))

    assert loop.state() is RequestState.DECLINED
    assert loop.request().reasons == ("the data is broken: temp is null",)


def test_drift_soon_after_a_training_is_declined_and_a_person_is_not(loop: Loop) -> None:
    loop.crown(loop.shop.add(0.0))
    loop.shop.skills = [0.0, 0.0]
    pursue(loop, loop.ask(Trigger.MANUAL, id="r1"))
    loop.clock.moment += timedelta(hours=5)
    pursue(loop, loop.ask(Trigger.DRIFT, id="r2"))
    pursue(loop, loop.ask(Trigger.MANUAL, id="r3"))

    assert loop.state("r2") is RequestState.DECLINED
    assert "the cool-down of 3d ends" in loop.request("r2").reasons[0]
    assert loop.state("r3") is RequestState.REJECTED


def test_the_loss_that_uses_up_the_tries_asks_a_person_at_once_and_once(loop: Loop) -> None:
    with_settings(loop, give_up_after=2, preview=False)
    loop.crown(loop.shop.add(2.0))
    loop.shop.skills = [0.0, 0.0, 0.0, 0.0, 0.0]
    for number in ("r1", "r2"):
        pursue(loop, loop.ask(Trigger.DRIFT, id=number))
        loop.clock.moment += timedelta(days=10)
    assert [loop.state(n) for n in ("r1", "r2")] == [RequestState.REJECTED] * 2
    assert "2 trainings in a row gave no better version" in loop.request("r2").reasons[-1]
    [alert] = alerts(loop)
    assert "needs a person" in alert.title
    assert "trimtab train late" in alert.body

    pursue(loop, loop.ask(Trigger.DRIFT, id="r3"))
    assert loop.state("r3") is RequestState.DECLINED
    assert loop.request("r3").obstacles == (Obstacle.GIVEN_UP,)
    assert "a person has to look at it" in loop.request("r3").reasons[0]
    assert alerts(loop) == [alert], "it is said once"

    pursue(loop, loop.ask(Trigger.MANUAL, id="r4"))
    loop.clock.moment += timedelta(days=10)
    for number in ("r5", "r6"):
        pursue(loop, loop.ask(Trigger.DRIFT, id=number))
        loop.clock.moment += timedelta(days=10)
    assert [loop.state(n) for n in ("r4", "r5", "r6")] == [RequestState.REJECTED] * 3
    assert len(alerts(loop)) == 2, "after a person it starts anew, and may stop anew"


def alerts(loop: Loop) -> list[Alert]:
    with loop.database.transaction() as stores:
        return list(stores.outbox.due())


def test_what_a_preview_sees_no_gain_in_is_not_trained(loop: Loop) -> None:
    loop.crown(loop.shop.add(2.0))
    pursue(loop, loop.ask(Trigger.DRIFT))
    request = loop.request()

    assert request.state is RequestState.DECLINED
    assert request.obstacles == (Obstacle.PREVIEW,)
    assert loop.shop.begun == 0
    assert request.preview is not None
    assert not request.preview.predicts_gain
    assert f"a gain of {request.preview.gain:.4f}" in request.reasons[0]
    assert request.not_before == loop.clock.now() + timedelta(hours=18)


def test_previews_say_no_three_times_ever_more_rarely_and_then_the_truth_is_asked(
    loop: Loop,
) -> None:
    loop.crown(loop.shop.add(2.0))
    loop.shop.skills = [2.0]
    for day in range(6):
        pursue(loop, loop.ask(Trigger.DRIFT, id=f"r{day}"))
        loop.clock.moment += timedelta(days=1)
    made = [loop.request(f"r{day}").preview is not None for day in range(6)]
    assert made == [True, True, False, True, False, False]
    assert loop.shop.begun == 0

    pursue(loop, loop.ask(Trigger.DRIFT, id="r6"))
    assert loop.state("r6") is RequestState.REJECTED
    last = loop.request("r6").reasons[-1]
    assert last.startswith("the preview had predicted a gain of -")
    assert last.endswith("was measured")


def test_a_person_sees_what_the_preview_says_and_is_not_stopped(loop: Loop) -> None:
    loop.crown(loop.shop.add(2.0))
    loop.shop.skills = [2.0]
    pursue(loop, loop.ask(Trigger.MANUAL))

    assert loop.state() is RequestState.REJECTED
    assert loop.request().preview is not None
    assert any("is trained all the same" in reason for reason in started(loop))


def read(loop: Loop) -> pd.DataFrame:
    return pd.read_csv(loop.bench.settings.folder / "rows.csv", parse_dates=["at"])


def started(loop: Loop) -> tuple[str, ...]:
    with loop.database.transaction() as stores:
        entries = stores.ledger.entries(MODEL)
    return next(e.reasons for e in entries if e.event == "training started")


def test_a_preview_that_sees_a_gain_lets_the_training_begin(loop: Loop) -> None:
    rows = read(loop)
    moved = rows["at"] >= SPLIT
    rows.loc[moved, "late"] = ~rows.loc[moved, "late"].astype(bool)
    rows.to_csv(loop.bench.settings.folder / "rows.csv", index=False)
    loop.crown(loop.shop.add(2.0))
    loop.shop.skills = [-2.0]
    pursue(loop, loop.ask(Trigger.DRIFT))
    preview = loop.request().preview

    assert loop.state() is RequestState.PROMOTED
    assert preview is not None
    assert preview.low > 0
    assert any("a preview predicts" in reason for reason in started(loop))


def test_counting_leaves_what_was_found_for_everybody_to_see(loop: Loop) -> None:
    with_settings(loop, min_new_rows=1000)
    promotion = loop.crown(loop.shop.add(0.0))
    pursue(loop, loop.ask(Trigger.DRIFT))
    with loop.database.transaction() as stores:
        count = stores.row_counts.get(MODEL)

    assert (count.new_rows, count.epoch) == (300, promotion.epoch)
    assert loop.request().new_rows == 300
    assert loop.request().obstacles == (Obstacle.ROWS,)


def test_broken_data_is_trained_on_when_a_person_says_why_and_the_winner_waits(
    loop: Loop,
) -> None:
    loop.crown(loop.shop.add(0.0))
    break_data(loop)
    pursue(loop, loop.ask(Trigger.MANUAL, id="r1"))
    assert loop.state("r1") is RequestState.DECLINED

    loop.shop.skills = [2.0]
    why = "the unit was put right in the source"
    pursue(loop, replace(loop.ask(Trigger.MANUAL, id="r2"), override=why))
    assert loop.state("r2") is RequestState.WAITING
    assert loop.champion() == "1"
    assert loop.request("r2").override == why
    assert any(why in reason for reason in started(loop))


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (SourceError("rows.csv", "it is gone"), RequestState.DECLINED),
        (NoCandidateError("all overfit"), RequestState.REJECTED),
        (ZeroDivisionError("oh"), RequestState.FAILED),
    ],
)
def test_what_goes_wrong_in_training_ends_the_request_with_the_reason(
    loop: Loop, error: Exception, state: RequestState
) -> None:
    def fail() -> None:
        raise error

    loop.shop.while_training = fail
    pursue(loop, loop.ask(Trigger.MANUAL))

    assert loop.state() is state
    assert str(error) in loop.request().reasons[-1]
    assert (Obstacle.DATA in loop.request().obstacles) == (state is RequestState.DECLINED)
    assert loop.champion() is None


def test_a_failed_automatic_training_is_told_to_people(loop: Loop) -> None:
    loop.shop.while_training = lambda: 1 // 0
    pursue(loop, loop.ask())
    with loop.database.transaction() as stores:
        [alert] = stores.outbox.due()

    assert "ZeroDivisionError" in alert.body
    assert "trimtab train late" in alert.body


def test_while_mlflow_is_away_the_request_stays_open_and_is_taken_up_later(loop: Loop) -> None:
    def away() -> None:
        raise RegistryUnreachableError("http://localhost:1")

    loop.shop.skills = [2.0]
    loop.shop.while_training = away
    request = loop.ask()
    with pytest.raises(RegistryUnreachableError):
        pursue(loop, request)
    assert loop.state() is RequestState.RUNNING
    loop.shop.while_training = lambda: None
    pursue(loop, request)

    assert loop.state() is RequestState.PROMOTED


def test_taking_a_request_up_again_makes_no_second_version_and_no_second_row(loop: Loop) -> None:
    """A process that dies on trial leaves a registered version behind; the next one finds it."""
    loop.shop.skills = [2.0, 2.0]
    request = loop.ask()
    died = loop.bench.train(
        loop.bench.settings, MODEL, until=loop.clock.now(), request_id=request.id
    )
    outcome = pursue(loop, request)

    assert outcome.request.version == died.version
    assert [v.version for v in loop.registry.versions(MODEL)] == ["1"]
    assert loop.events().count("version registered") == 1
    assert loop.events().count("version promoted") == 1


def test_a_request_under_which_processes_keep_dying_is_given_up(loop: Loop) -> None:
    class Killed(BaseException):
        """Stands for a SIGKILL: nothing is written down."""

    def die() -> None:
        raise Killed

    loop.shop.while_training = die
    request = loop.ask()
    for _ in range(MOST_ATTEMPTS):
        with pytest.raises(Killed):
            pursue(loop, request)
    pursue(loop, request)

    assert loop.state() is RequestState.FAILED
    assert f"{MOST_ATTEMPTS} trainings" in loop.request().reasons[-1]


def test_a_holder_whose_lease_was_taken_promotes_nothing(loop: Loop) -> None:
    """SIGSTOP, another worker takes over and finishes, SIGCONT: the late one is fenced off."""
    loop.shop.skills = [2.0]
    request = loop.ask()

    def overtaken() -> None:
        with loop.database.transaction() as stores:
            stores.requests.renew(request.id, "worker", timedelta(0))
        with loop.database.transaction() as stores:
            assert stores.requests.claim([MODEL], "other", LEASE) is not None

    loop.shop.while_training = overtaken
    with pytest.raises(LeaseLostError):
        pursue(loop, request)
    assert loop.champion() is None
    assert "challenger won" not in loop.events(), "nothing of the end was written"
    assert "version promoted" not in loop.events()

    loop.shop.while_training = lambda: None
    pursue(loop, request, holder="other")
    assert loop.champion() == "1"
    assert loop.events().count("version promoted") == 1


def test_when_the_champion_moves_during_the_trial_the_trial_is_held_again(loop: Loop) -> None:
    loop.crown(loop.shop.add(0.0))
    rival = loop.shop.add(2.0)
    loop.shop.skills = [1.0]
    publish = loop.reports.annotate
    tried: list[str] = []

    def annotate(*args: Any, **kwargs: Any) -> None:
        publish(*args, **kwargs)
        if not tried:
            loop.crown(rival)
        tried.append(kwargs["tags"]["trimtab.gate"])

    loop.bench = replace(loop.bench, reports=_Reports(annotate))
    pursue(loop, loop.ask(Trigger.MANUAL))

    assert tried == ["passed", "rejected"], "it beat the old champion, and not the new one"
    assert loop.state() is RequestState.REJECTED
    assert loop.champion() == rival.version


class _Reports(MemoryReports):
    def __init__(self, annotate: Any) -> None:
        super().__init__()
        self.annotate = annotate  # type: ignore[method-assign] # moves the champion, then annotates
