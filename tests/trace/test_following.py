"""What a trace tells of one prediction, and how it says what it cannot tell."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from trimtab.adapters.capture_key import capture_key
from trimtab.adapters.log_upkeep import ParquetLogUpkeep
from trimtab.errors import ExitCode, SettingsError, UnknownModelError
from trimtab.policy.redaction import pseudonym, secret_of
from trimtab.records.endpoints import EndpointStatus
from trimtab.records.erasures import Subject
from trimtab.records.labels import Label
from trimtab.records.ledger import LedgerEntry
from trimtab.records.traces import Role, Since, Whereabouts
from trimtab.records.verdicts import Finding, FindingKind, Verdict, VerdictKind
from trimtab.records.windows import Window
from trimtab.settings import Environment, load
from trimtab.trace import UnknownPredictionError, follow

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from tests.trace.conftest import Story

DAY = timedelta(days=1)


def verdict(story: Story, version: str, window: Window, kind: VerdictKind) -> None:
    findings = (
        Finding(column="x", kind=FindingKind.DRIFTED, exceeds=3.0),
        Finding(column="airport"),
    )
    with story.database.transaction() as stores:
        stores.verdicts.add(
            Verdict(
                model="late",
                version=version,
                window=window,
                kind=kind,
                rows=900,
                rows_needed=100,
                findings=findings,
                quality=None,
                refused=0,
                judged_at=window.end + timedelta(minutes=5),
            )
        )


def tell(story: Story, label: Label) -> None:
    with story.database.transaction() as stores:
        stores.labels.put("late", [label], by="file", at=label.known_at)


def test_without_mlflow_all_else_is_told_and_the_rest_named(story: Story, noon: datetime) -> None:
    story.crown("1", noon - DAY)
    story.crown("2", noon + DAY)
    id = story.answer(noon, key="order-7")
    window = Window.around(noon, DAY)
    verdict(story, "1", window, VerdictKind.DRIFT)
    verdict(story, "2", window, VerdictKind.STABLE)
    tell(story, Label(key="order-7", value="no", known_at=noon + 2 * DAY))
    tell(story, Label(key="order-7", value="yes", known_at=noon + 3 * DAY))
    found = follow(story.settings, id)

    assert (found.prediction.id, found.found_in) == (id, Whereabouts.LOG)
    assert found.prediction.inputs == {"x": 1.5, "airport": "[bold]JFK"}
    assert (found.tenure.role, found.tenure.since) == (Role.CHAMPION, Since.REPLACED)
    (told,) = found.verdicts
    assert (told.kind, told.window) == (VerdictKind.DRIFT, window)
    assert [finding.column for finding in told.alarming] == ["x"]
    assert found.label is not None
    assert (found.label.label.value, found.label.waited, found.label.by_id) == (
        "yes",
        3 * DAY,
        False,
    )
    assert [past.value for past in found.label.before] == ["no"]
    gaps = {gap.hop: gap.why for gap in found.gaps}
    assert set(gaps) == {"version", "run", "snapshot", "files", "request", "bento"}
    assert "MLflow does not answer" in gaps["version"]
    assert (found.run, found.snapshot, found.reference, found.package) == (None,) * 4


def test_a_label_of_the_prediction_itself_counts_before_its_key_s(
    story: Story, noon: datetime
) -> None:
    id = story.answer(noon, key="order-7")
    tell(story, Label(key="order-7", value="no", known_at=noon + DAY))
    tell(story, Label(key=id, value="yes", known_at=noon))
    found = follow(story.settings, id).label

    assert found is not None
    assert (found.label.value, found.by_id) == ("yes", True)


def test_what_has_not_come_is_said_with_its_reason(story: Story, noon: datetime) -> None:
    id = story.answer(noon)
    verdict(story, "1", Window(noon - 2 * DAY, noon - DAY), VerdictKind.STABLE)
    gaps = {gap.hop: gap.why for gap in follow(story.settings, id).gaps}

    assert gaps["label"] == "none has come yet"
    assert "is not judged yet; the newest one ended 2026-03-31" in gaps["verdict"]
    assert "no promotion or trial explains version 1" in gaps["role"]


def test_a_version_since_rolled_back_is_told_so(story: Story, noon: datetime) -> None:
    for n, version in enumerate(("1", "2", "1")):
        story.crown(version, noon + (n - 1) * DAY)
    id = story.answer(noon + timedelta(hours=1), version="2")

    assert follow(story.settings, id).tenure.since is Since.ROLLED_BACK


def test_what_is_no_prediction_s_id_is_refused_with_how_one_looks(story: Story) -> None:
    id = story.answer()
    with pytest.raises(SettingsError, match="32 hexadecimal digits, a dash"):
        follow(story.settings, "order-7")
    with pytest.raises(SettingsError, match=f"its rows are {id}"):
        follow(story.settings, id.removesuffix("-0"))
    with pytest.raises(UnknownModelError):
        follow(story.settings, id, "none")


def test_another_model_s_prediction_is_found_unless_one_is_named(
    story: Story, noon: datetime
) -> None:
    id = story.answer(noon, model="other")

    assert follow(story.settings, id).prediction.model == "other"
    with pytest.raises(UnknownPredictionError):
        follow(story.settings, id, "late")


def test_an_unknown_prediction_is_refused_with_what_may_have_become_of_it(
    story: Story, noon: datetime
) -> None:
    story.answer(noon)
    status = EndpointStatus(
        model="late",
        url="",
        version="1",
        device="cpu",
        answered=9,
        captured=7,
        dropped=2,
        shipped_through=None,
        seen_at=noon,
    )
    with story.database.transaction() as stores:
        stores.endpoints.put(status)
    with pytest.raises(UnknownPredictionError) as refused:
        follow(story.settings, "019d48e5b0007000800000000000abcd-0")

    assert refused.value.exit_code is ExitCode.REFUSED
    assert "made at 2026-04-01 11:55:05 UTC" in str(refused.value)
    assert "answered 2 requests that it could not capture" in str(refused.value)
    assert "capture.retention" not in str(refused.value)


def test_rows_past_their_retention_are_said_to_be_removed(
    story: Story, noon: datetime, tmp_path: Path
) -> None:
    toml = tmp_path / "trimtab.toml"
    toml.write_text(f'{toml.read_text()}\n[models.late.capture]\nretention = "30d"\n')
    settings = load(tmp_path, Environment())
    with pytest.raises(UnknownPredictionError, match=r"late are removed after 30d \(capture\.re"):
        follow(settings, "018bcfe5687b70008000000000000000-0")


def test_an_erased_prediction_is_said_to_be_erased(story: Story, noon: datetime) -> None:
    id = story.answer(noon)
    subject = pseudonym(secret_of(capture_key(story.settings)), id)
    entry = LedgerEntry(at=noon, actor="ann", event="subject erased", model="late", subject=subject)
    with story.database.transaction() as stores:
        stores.ledger.append(entry)
    ParquetLogUpkeep(story.settings.inference_log).erase(
        "late", Subject(prediction_ids=frozenset({id}))
    )
    with pytest.raises(UnknownPredictionError, match="was erased from the records of late"):
        follow(story.settings, id)
