"""A past whose truth turns round, replayed under four policies by the command."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from trimtab.adapters.predictor import Predictor
from trimtab.policy.losses import losses
from trimtab.records.documents import from_json
from trimtab.records.incidents import Situation
from trimtab.records.replays import Replay, ReplayedPolicy
from trimtab.records.requests import RequestState, Trigger
from trimtab.settings import Settings
from trimtab_pipelines.replay.cli import replay
from trimtab_pipelines.replay.making import make_at

from .conftest import SINCE, TURN, Past


@pytest.fixture(scope="module")
def said(project: Settings) -> Result:
    """The command, run once: trainings cost seconds."""
    found = CliRunner().invoke(
        replay,
        [
            *("late", "--project", str(project.folder), "--jobs", "1"),
            *("--from", f"{SINCE:%Y-%m-%d}"),
            *("--policy", "never", "--policy", "drift", "--policy", "evenly", "--policy", "own"),
            *("--json", str(project.folder / "out.json")),
            *("--picture", str(project.folder / "out.png")),
        ],
        catch_exceptions=False,
    )
    assert found.exit_code == 0, found.output
    return found


@pytest.fixture(scope="module")
def replayed(said: Result, project: Settings) -> Replay:
    return from_json(Replay, (project.folder / "out.json").read_bytes())


def of(replayed: Replay, name: str) -> ReplayedPolicy:
    return next(policy for policy in replayed.policies if policy.name == name)


def test_who_retrains_on_drift_betters_who_never_does(replayed: Replay) -> None:
    never, drift = of(replayed, "never"), of(replayed, "drift")

    assert drift.loss < never.loss - 0.5
    assert drift.count(RequestState.PROMOTED) >= 1
    assert replayed.preference.policy in ("drift", "own", "evenly")
    rival = next(r for r in replayed.preference.rivals if r.name == "never")
    assert (rival.low or 0) > 0


def test_drift_is_noticed_after_the_world_has_turned_and_not_before(replayed: Replay) -> None:
    drift = of(replayed, "drift")

    assert drift.incidents[Situation.DRIFT] >= 1
    assert drift.alerts >= drift.incidents[Situation.DRIFT]
    assert min(r.asked_at for r in drift.retrainings) > TURN


def test_never_is_one_model_from_beginning_to_end(
    replayed: Replay, past: Past, tmp_path: Path
) -> None:
    history = past()
    made = make_at(history, SINCE, tmp_path / "model")
    rows = history.rows.iloc[history.numbers(SINCE, history.until)]
    predictor = Predictor.load(made.folder, "cpu")
    answers = predictor.predict(rows)
    truth = rows["late"].to_numpy(dtype=object)
    contract = predictor.contract
    found = losses("log_loss", contract, answers.probabilities, answers.predictions, truth)

    never = of(replayed, "never")
    assert never.loss == pytest.approx(float(found.mean()), rel=1e-9)
    assert {stage.version for stage in never.stages} == {made.name}
    assert never.retrainings == ()
    assert never.cpu_seconds == 0
    assert never.incidents[Situation.QUALITY] == 1  # the monitor alerts, whoever retrains


def test_evenly_trains_as_often_as_drift_at_even_distances(replayed: Replay) -> None:
    drift, evenly = of(replayed, "drift"), of(replayed, "evenly")
    moments = [replayed.since, *(r.asked_at for r in evenly.retrainings), replayed.until]
    gaps = np.diff([moment.timestamp() for moment in moments])

    assert evenly.trained == drift.trained > 1
    assert {r.trigger for r in evenly.retrainings} == {Trigger.SCHEDULE}
    assert gaps.max() - gaps.min() < 10


def test_every_policy_is_judged_on_the_same_rows_and_stages_add_up(replayed: Replay) -> None:
    for policy in replayed.policies:
        assert policy.rows == replayed.labelled == sum(stage.rows for stage in policy.stages)
        assert sum(s.loss for s in policy.stages) / policy.rows == pytest.approx(policy.loss)
        assert all(a.end == b.start for a, b in pairwise(policy.stages))


def test_what_a_retraining_gained_is_what_the_stages_after_it_show(replayed: Replay) -> None:
    drift, never = of(replayed, "drift"), of(replayed, "never")
    (first,) = (r for r in drift.retrainings if r.state is RequestState.PROMOTED)

    saved = sum(s.loss for s in never.stages) - sum(s.loss for s in drift.stages)
    assert first.gained is not None
    assert first.gained * first.rows == pytest.approx(saved)
    assert first.until == replayed.until


def test_a_no_names_its_reason_and_the_cool_down_is_the_projects_own(replayed: Replay) -> None:
    drift = of(replayed, "drift")
    declined = [r for r in drift.retrainings if r.state is RequestState.DECLINED]
    trained = [r.asked_at for r in drift.retrainings if r.is_trained]

    assert any("cool-down" in reason for r in declined for reason in r.reasons)
    assert all((b - a).days >= 5 for a, b in pairwise(trained))


def test_policies_that_train_at_the_same_moment_share_the_training(replayed: Replay) -> None:
    asked = [r.asked_at for p in replayed.policies for r in p.retrainings if r.is_trained]

    assert replayed.trainings == len({*asked, replayed.since}) < len(asked) + 1


def test_the_command_says_which_policy_it_would_take_and_how_sure_it_is(
    said: Result, replayed: Replay, project: Settings
) -> None:
    assert f"I would take {replayed.preference.policy}" in said.output
    assert "of resampled pasts" in said.output
    assert "This is one past." in said.output
    assert (project.folder / "out.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "said", "code"),
    [
        (["--policy", "montly"], "Did you mean 'monthly'?", 2),
        (["--policy", "evenly"], "add --policy drift", 2),
        (["--policy", "own", "--policy", "own"], "twice", 2),
        (["--from", "2019-01-01"], "there is nothing to replay", 3),
        (["--from", "2013-02-05", "--until", "2013-02-01"], "there is nothing to replay", 3),
        (["--json", "no/such/folder/out.json"], "cannot be written", 2),
        (["--from", "yesterday"], "is no time", 2),
        (["--from-log"], "the inference log is empty", 3),
    ],
)
def test_what_cannot_be_replayed_is_said_before_the_work(
    project: Settings, options: list[str], said: str, code: int
) -> None:
    found = CliRunner().invoke(replay, ["late", "--project", str(project.folder), *options])

    assert said in found.output + str(found.exception)
    assert getattr(found.exception, "exit_code", found.exit_code) == code


def test_a_model_without_labels_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trimtab.toml").write_text(
        '[models.groups]\ntask = "clustering"\nsource = "rows.csv"\ntime = "at"\n'
    )

    found = CliRunner().invoke(replay, ["groups", "--project", str(tmp_path)])

    assert "has no labels" in found.output + str(found.exception)


def test_a_model_without_times_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trimtab.toml").write_text(
        '[models.late]\ntask = "binary"\nsource = "rows.csv"\ntarget = "late"\n'
    )

    found = CliRunner().invoke(replay, ["late", "--project", str(tmp_path)])

    assert "needs to know when each row was asked for" in found.output + str(found.exception)
