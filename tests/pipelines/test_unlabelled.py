"""Tasks without labels: what is learned, what is kept, and when a version is better."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts

from trimtab.adapters.device import DeviceChoice
from trimtab.adapters.golden import replay_golden
from trimtab.adapters.manifest import verify_manifest
from trimtab.adapters.predictor import Predictor
from trimtab.policy.losses import losses
from trimtab.records.contracts import Contract, Task
from trimtab.records.documents import from_json
from trimtab.records.gate import GateResult
from trimtab.records.reference import Reference
from trimtab.records.schema import Schema
from trimtab.records.trials import TrialKind
from trimtab.records.versions import ModelVersion
from trimtab.settings import Environment, Settings, load
from trimtab.settings.project import ModelSettings
from trimtab_pipelines.check import check
from trimtab_pipelines.contenders import Contender, baseline_of
from trimtab_pipelines.errors import NoCandidateError
from trimtab_pipelines.fitting import fit_candidates
from trimtab_pipelines.folds import fit_folds
from trimtab_pipelines.held_out import hold_out
from trimtab_pipelines.judging import judge
from trimtab_pipelines.training import train_version
from trimtab_pipelines.trial_fitness import unfit
from trimtab_pipelines.unlabelled import settled

START = datetime(2019, 1, 1, tzinfo=UTC)
ROWS = 1500
CHOICE = DeviceChoice(device="cpu", note="")
BESIDE = {"clustering": ["(distance)"], "anomaly": ["(anomaly)"], "embedding": []}
MEASURES = {"clustering": "distance", "anomaly": "anomaly_rate", "embedding": "dimensions"}


def world(rows: int = ROWS, seed: int = 0, moved: float = 0.0) -> pd.DataFrame:
    """Three kinds, told apart by `speed` and `load`, nearly all in one `place`; some are hot."""
    random = np.random.default_rng(seed)
    kind = random.integers(0, 3, rows)
    return pd.DataFrame(
        {
            "at": [START + timedelta(minutes=10 * n) for n in range(rows)],
            "speed": np.choose(kind, [0.0, 8.0, 16.0]) + random.normal(size=rows) + moved,
            "load": np.choose(kind, [0.0, 8.0, 0.0]) + random.normal(size=rows),
            "heat": np.where(random.random(rows) < 0.02, 8.0, 0.0) + random.normal(size=rows) / 2,
            "place": pd.Series(np.where(random.random(rows) < 0.97, "a", "b")).mask(
                random.random(rows) < 0.01
            ),
        }
    )


def settings_of(task: str, **train: object) -> ModelSettings:
    return ModelSettings.model_validate(
        {"task": task, "source": "rows.parquet", "time": "at", "train": train}
    )


@dataclass(frozen=True)
class Trained:
    settings: Settings
    version: ModelVersion
    folder: Path

    @property
    def model(self) -> ModelSettings:
        return self.settings.model(self.version.model)

    def contender(self) -> Contender:
        predictor = Predictor.load(self.folder, "cpu")
        sample = pd.read_parquet(self.folder / "reference.parquet")
        return Contender(
            version=self.version, predictor=predictor, baseline=baseline_of(predictor, sample)
        )

    @property
    def contract(self) -> Contract:
        return from_json(Contract, (self.folder / "contract.json").read_bytes())

    @property
    def reference(self) -> Reference:
        return from_json(Reference, (self.folder / "reference.json").read_bytes())


def train(folder: Path, tracking_uri: str, task: str, rows: pd.DataFrame) -> Trained:
    rows.to_parquet(folder / "rows.parquet")
    model = f"{task}-{uuid4().hex[:8]}"
    (folder / "trimtab.toml").write_text(
        f'[models.{model}]\ntask = "{task}"\nsource = "rows.parquet"\ntime = "at"\n'
    )
    project = load(folder, Environment(tracking_uri=tracking_uri))
    version = train_version(project, model, until=START + timedelta(days=90), request_id=model)
    client = MlflowClient(tracking_uri, tracking_uri)
    source = client.get_model_version(model, version.version).source or ""
    location = client.get_logged_model(source.removeprefix("models:/")).artifact_location
    files = download_artifacts(location, dst_path=str(folder / "files"), tracking_uri=tracking_uri)
    return Trained(project, version, Path(files))


@pytest.fixture(scope="module", params=list(BESIDE))
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, mlflow_server: str
) -> Trained:
    return train(tmp_path_factory.mktemp(request.param), mlflow_server, request.param, world())


@pytest.mark.e2e
def test_a_version_comes_back_whole_and_gives_the_trainers_answers(trained: Trained) -> None:
    verify_manifest(trained.folder, trained.version.manifest_sha256)

    assert replay_golden(trained.folder, Predictor.load(trained.folder, "cpu")).matches


@pytest.mark.e2e
def test_what_is_said_beside_the_answer_is_a_column_of_the_reference(trained: Trained) -> None:
    inputs, beside = ["speed", "load", "heat", "place"], BESIDE[trained.model.task]
    reference = trained.reference

    assert [column.name for column in reference.columns] == [*inputs, *beside, "(output)"]
    assert list(reference.importance) == inputs
    assert reference.quality is None
    sample = pd.read_parquet(trained.folder / "reference.parquet")
    assert set(sample.columns) == {*inputs, *beside, "(output)"}


@pytest.mark.e2e
def test_the_first_version_beats_what_finds_nothing(trained: Trained) -> None:
    found = judge(trained.model, world(), trained.contender(), None)

    assert found.metric == trained.model.metric
    assert found.overall.challenger < found.overall.champion


@pytest.mark.e2e
def test_the_run_shows_metrics_plots_and_importance(trained: Trained) -> None:
    uri = trained.settings.tracking_uri
    client = MlflowClient(uri, uri)
    run = client.get_run(trained.version.run_id)
    plots = {Path(f.path).name for f in client.list_artifacts(run.info.run_id, "plots")}

    assert run.info.status == "FINISHED"
    assert plots == {"answers.png", "importance.csv", "importance.png"}
    assert run.data.metrics[f"validation.{MEASURES[trained.model.task]}"] > 0
    importance = trained.reference.importance
    if trained.model.task is not Task.EMBEDDING:  # it holds least of what is nearly always one
        assert importance["place"] < min(importance["speed"], importance["load"])


def held(task: str, rows: pd.DataFrame, **options: object) -> tuple[Contender, np.ndarray]:
    """A contender of these rows, and what models that had not seen them answer."""
    model = settings_of(task, **options)
    checked = check(rows, len(rows) * 5 // 6, "m", model)
    (best,) = fit_candidates(checked, len(rows) * 5 // 6, model, lambda _: None)
    found = hold_out(fit_folds(best, checked), checked, model)
    pipeline = best.recipe.refit(best.pipeline, checked.inputs, checked.truth)
    predictor = Predictor(found.contract, pipeline, CHOICE)
    version = ModelVersion(
        model="m", version="1", run_id="r", trained_until=START, manifest_sha256=""
    )
    contender = Contender(
        version=version, predictor=predictor, baseline=baseline_of(predictor, checked.inputs)
    )
    return contender, np.asarray(found.answers.predictions)


def gate(task: str, rows: pd.DataFrame, challenger: Contender, champion: Contender) -> GateResult:
    return judge(settings_of(task), rows, challenger, champion)


def spread(seed: int) -> pd.DataFrame:
    return world(seed=seed, moved=12.0).assign(load=lambda f: f["load"] * 2)


def turned(seed: int) -> pd.DataFrame:
    """Each column as it was, and `speed` has come to say what `load` is."""
    return bound(world(seed=seed))


@pytest.mark.parametrize("task", list(BESIDE))
def test_a_version_of_the_new_world_replaces_that_of_the_old_and_not_the_other_way_round(
    task: str,
) -> None:
    change = turned if task == "embedding" else spread
    old, _ = held(task, world(seed=1), contamination=0.05, dimensions=2)
    new, _ = held(task, change(seed=2), contamination=0.05, dimensions=2)
    now = change(seed=3)

    assert gate(task, now, new, old).passed
    assert not gate(task, now, old, new).passed


@pytest.mark.parametrize("task", list(BESIDE))
def test_a_version_of_the_same_world_is_not_better(task: str) -> None:
    one, _ = held(task, world(seed=1), contamination=0.05)

    assert not gate(task, world(seed=3), one, one).passed


def test_as_many_clusters_as_there_are_kinds_are_found_and_numbers_stay() -> None:
    rows = world().drop(columns="heat")
    contender, unseen = held("clustering", rows)
    again = contender.predictor.predict(rows)

    assert contender.predictor.contract.classes == (0, 1, 2)
    assert (np.asarray(again.predictions) == unseen).mean() > 0.99


def test_clusters_keep_their_numbers_where_a_category_has_come() -> None:
    rows = world()
    rows.loc[ROWS // 2 :, "place"] = rows.loc[ROWS // 2 :, "place"].replace("b", "c")
    contender, unseen = held("clustering", rows)

    again = np.asarray(contender.predictor.predict(rows).predictions)
    assert (again == unseen).mean() > 0.99


@pytest.mark.parametrize("share", [0.01, 0.1])
def test_as_many_rows_are_anomalies_as_was_said(share: float) -> None:
    contender, scores = held("anomaly", world(), contamination=share)
    contract = contender.predictor.contract

    assert contract.expected_rate == pytest.approx(share, abs=2 / ROWS)
    assert (scores > (contract.threshold or 0)).mean() == contract.expected_rate


def bound(rows: pd.DataFrame) -> pd.DataFrame:
    """`load` says what `speed` says: together they are one thing."""
    random = np.random.default_rng(len(rows))
    return rows.assign(load=rows["speed"] + random.normal(size=len(rows)) / 10)


def test_two_columns_that_say_the_same_are_one_dimension_and_a_flip_is_seen() -> None:
    contender, unseen = held("embedding", bound(world().drop(columns=["heat", "place"])))
    now = bound(world(seed=3))
    flipped = now.assign(load=-now["load"] + 2 * now["load"].mean())

    assert contender.predictor.contract.classes == (0,)
    assert np.mean(unseen) < 0.01
    lost = contender.predictor.predict(flipped).predictions
    assert np.mean(np.asarray(lost, dtype=float)) > 0.9, "each column as usual, together never"


def test_an_embedding_is_what_scikit_learn_says_and_its_error_what_is_lost_of_it() -> None:
    contender, _ = held("embedding", world(), dimensions=2)
    rows = world(400, seed=5)
    answers = contender.predictor.predict(rows)
    pipeline = contender.predictor._pipeline
    prepared = pipeline[:-1].transform(rows[contender.predictor.contract.schema.names])
    places = pipeline.transform(rows[contender.predictor.contract.schema.names])
    lost = ((prepared - pipeline[-1].inverse_transform(places)) ** 2).sum(axis=1)
    scale = ((prepared - pipeline[-1].mean_) ** 2).sum(axis=1)

    assert answers.probabilities is not None
    np.testing.assert_allclose(answers.probabilities, places)
    ratio = np.asarray(answers.predictions, dtype=float) / lost
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)
    assert 1 / ratio[0] == pytest.approx(scale.mean(), rel=0.3), "about what rows usually differ by"


@pytest.mark.parametrize("dimensions", [3, 500])
def test_as_many_dimensions_as_columns_are_refused(dimensions: int) -> None:
    with pytest.raises(NoCandidateError, match=r"train\.dimensions"):
        held("embedding", world().drop(columns="place"), dimensions=dimensions)


def test_rows_that_are_all_alike_have_no_dimensions() -> None:
    with pytest.raises(NoCandidateError, match="alike"):
        held("embedding", world().assign(speed=1.0, load=2.0, heat=3.0, place="a"))


def test_rows_that_are_all_alike_have_no_anomalies() -> None:
    contract = Contract(model="m", task=Task.ANOMALY, target="", schema=Schema(columns=()))

    with pytest.raises(NoCandidateError, match="contamination"):
        settled(contract, np.full(100, 0.5), settings_of("anomaly").train)


def test_versions_with_other_clusters_are_not_tried_side_by_side() -> None:
    contract = Contract(
        model="m", task=Task.CLUSTERING, target="", schema=Schema(columns=()), classes=(0, 1)
    )

    assert "found anew" in unfit(contract, contract, TrialKind.CANARY)
    place = replace(contract, task=Task.EMBEDDING)
    assert "found anew" in unfit(place, place, TrialKind.SHADOW)


LENGTHS = st.just(0.0) | st.floats(1e-6, 1e6)


@given(
    st.lists(st.tuples(LENGTHS, LENGTHS), min_size=1),
    st.floats(1e-3, 1e3),
)
def test_ambiguity_is_a_share_whatever_the_scale(
    rows: list[tuple[float, float]], scale: float
) -> None:
    contract = Contract(
        model="m", task=Task.CLUSTERING, target="", schema=Schema(columns=()), classes=(0, 1)
    )
    distances = np.array(rows)
    found = losses("ambiguity", contract, distances, [], [])

    assert ((found >= 0) & (found <= 1)).all()
    np.testing.assert_allclose(losses("ambiguity", contract, distances * scale, [], []), found)


@given(st.lists(st.floats(0, 1), min_size=1), st.floats(0, 1), st.floats(0.01, 0.49))
def test_the_mean_of_the_rate_shift_is_how_far_the_rate_is_off(
    scores: list[float], threshold: float, expected: float
) -> None:
    contract = Contract(
        model="m",
        task=Task.ANOMALY,
        target="",
        schema=Schema(columns=()),
        threshold=threshold,
        expected_rate=expected,
    )
    found = losses("rate_shift", contract, None, scores, [])

    rate = np.mean([score > threshold for score in scores])
    assert found.mean() == pytest.approx(abs(rate - expected), abs=1e-9)
