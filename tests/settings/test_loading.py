"""Reading `trimtab.toml`: what is right is kept, what is wrong is named."""

from datetime import timedelta
from pathlib import Path

import pytest

from trimtab.errors import SettingsError, UnknownModelError
from trimtab.records.contracts import Task
from trimtab.records.triggers import AllOf
from trimtab.settings import Environment, Settings, load

MODEL = '[models.late]\ntask = "binary"\nsource = "flights.csv"\ntarget = "late"\n'

UNLABELLED = """
[models.usual]
task = "clustering"
source = "flights.csv"
"""


def read(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "trimtab.toml").write_text(text)
    return load(tmp_path, Environment())


RETRAIN = MODEL + "[models.late.retrain]\n"


def test_a_model_needs_only_task_source_and_target(tmp_path: Path) -> None:
    settings = read(tmp_path, MODEL)
    model = settings.model("late")

    assert model.task is Task.BINARY
    assert model.metric == "log_loss"
    assert model.candidates == ("logistic", "xgboost", "extra_trees")
    assert model.monitor.window == timedelta(days=1)
    assert settings.home.root == (tmp_path / ".trimtab").resolve()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models = [", "not valid TOML"),
        ("", "models: missing"),
        (MODEL + "targte = 1", "models.late.targte: unknown key; did you mean 'target'?"),
        (MODEL + "[models.late.monitor]\nwindw = '1d'", "did you mean 'window'?"),
        (MODEL + "[models.late.monitor]\nwindow = '1 day'", "write 90s, 15m, 12h, 7d or 2w"),
        (MODEL + "[models.late.monitor]\nwindow = '0d'", "no length of time"),
        (MODEL + "[models.late.monitor]\nfalse_alarms = '1 a month'", "write `1 per quarter`"),
        (MODEL + "[models.late.monitor]\nk = 4", "k = 4 of n = 3"),
        (MODEL + "[models.late.train]\ncandidates = ['ridge']", "ridge is not for binary"),
        (MODEL + "[models.late.gate]\nmetric = 'squared_error'", "not for binary"),
        (MODEL + "exclude = ['late']", "also named as time, key or excluded"),
        (MODEL.replace("flights.csv", "sql:SELECT 1"), "needs the URL of its database"),
        (MODEL + "[platform]\nmlflow_port = 3000", "are both 3000"),
        (MODEL + "[demo]\nmodel = 'early'\nstart = '2013-01-01'", "not a declared model"),
        (MODEL.replace("binary", "binry"), "models.late.task: Input should be 'binary'"),
        (MODEL.replace("models.late", "models.Late"), "models.Late"),
        (MODEL.replace('target = "late"\n', ""), "target: binary needs the column to predict"),
        (MODEL.replace("binary", "anomaly"), "target: anomaly has no labels"),
        (UNLABELLED + "[demo]\nmodel = 'usual'\nstart = '2013-01-01'", "there are none"),
        (UNLABELLED + "[models.usual.train]\nclusters = 1", "clusters"),
        (UNLABELLED + "[models.usual.train]\ncontamination = 0.5", "contamination"),
        ("[models]", "models: none is declared"),
        (MODEL + "time = 'id'\nkey = 'id'", "key: 'id' is also named as time"),
        (MODEL + "[platform]\nhost = '0.0.0.0'", "TRIMTAB_TRACKING_URI"),
        (RETRAIN + "on = 'drift'", """retrain.on: write a list: on = ["drift"]"""),
        (RETRAIN + "on = ['drfit']", "Did you mean 'drift'?"),
        (RETRAIN + "on = ['drift or quality']", "an entry of its own"),
        (RETRAIN + "on = ['drift and drift']", "names 'drift' twice"),
        (RETRAIN + "on = [['drift']]", "each entry is a text"),
        (RETRAIN + "on = ['by hand']", "a person may always ask"),
        (RETRAIN + "on = ['schedule']", 'say how often: "every 30d"'),
        (RETRAIN + "on = ['every month']", "'month' is no length of time"),
        (RETRAIN + "on = ['every 1d']", "would always wait for the cooldown of 3d"),
        (RETRAIN + "on = ['new labels']", 'say how many: "1000 new labels"'),
        (RETRAIN + "on = ['0 new labels']", "write at least 1"),
        (UNLABELLED + "[models.usual.retrain]\non = ['5 new labels']", "no labels that could be"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)

    assert message in str(caught.value)
    assert "trimtab.toml" in str(caught.value)


def test_a_setting_of_two_kinds_is_named_in_one_clean_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, MODEL + "[models.late.train]\nclusters = 'many'")

    _, *lines = str(caught.value).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("  models.late.train.clusters: Input should be 'auto', or: Input")
    assert "function" not in lines[0]


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "trimtab.toml").mkdir()
    with pytest.raises(SettingsError, match=r"trimtab\.toml cannot be read: Is a directory"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("host", "uri"), [("127.0.0.1", "http://127.0.0.1:5000"), ("::1", "http://[::1]:5000")]
)
def test_the_tracking_uri_is_one_for_either_family(tmp_path: Path, host: str, uri: str) -> None:
    assert read(tmp_path, MODEL + f"[platform]\nhost = '{host}'").tracking_uri == uri


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="trimtab init"):
        load(tmp_path)


def test_an_unknown_model_is_told_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError, match="declared: late"):
        read(tmp_path, MODEL).model("early")


def test_the_environment_moves_the_stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("TRIMTAB_DATABASE_URL", "postgresql://u:secret@db/trimtab")
    monkeypatch.setenv("TRIMTAB_TRACKING_URI", "http://mlflow:5000")
    (tmp_path / "trimtab.toml").write_text(MODEL)
    settings = load(tmp_path)

    assert settings.home.root == (tmp_path / "elsewhere").resolve()
    assert settings.database_url == "postgresql://u:secret@db/trimtab"
    assert settings.tracking_uri == "http://mlflow:5000"
    assert "secret" not in repr(settings)


@pytest.mark.parametrize("blank", ["", " "])
def test_a_blank_api_key_is_no_key(
    tmp_path: Path, blank: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trimtab.toml").write_text(MODEL)
    monkeypatch.setenv("TRIMTAB_API_KEY", blank)

    with pytest.raises(SettingsError, match="TRIMTAB_API_KEY: is blank"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ('window = ["all", "all"]', "one is named twice"),
        ("window = []", "at least 1 item"),
        ('window = ["all", "soon"]', "no training window"),
        ("search.trials = -1", "greater than or equal to 0"),
        ('search.time_limit = "0s"', "no length of time"),
    ],
)
def test_a_wrong_search_is_refused(tmp_path: Path, setting: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        read(tmp_path, f"{MODEL}[models.late.train]\n{setting}")


def test_a_window_may_stand_alone_or_in_a_list(tmp_path: Path) -> None:
    for written in ('"90d"', '["90d"]'):
        (window,) = (
            read(tmp_path, f"{MODEL}[models.late.train]\nwindow = {written}")
            .model("late")
            .train.window
        )
        assert str(window) == "90d"


def test_triggers_are_any_of_a_list_and_all_of_what_is_joined(tmp_path: Path) -> None:
    on = ["measured quality", "Drift  and 1_000 new labels", "every 30d AND drift"]
    model = read(tmp_path, RETRAIN + f"on = {on}").model("late")
    entries = [[str(c) for c in entry.conditions] for entry in model.retrain.on]

    assert entries == [
        ["measured quality"],
        ["drift", "1,000 new labels"],
        ["every 30d", "drift"],
    ]
    assert [AllOf.parse(str(entry)) for entry in model.retrain.on] == list(model.retrain.on)
