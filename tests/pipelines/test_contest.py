"""A contest decides by what verified bytes do, counts its looks, and is shown whole."""

import json
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from trimtab.adapters.manifest import write_manifest
from trimtab.errors import ManifestError
from trimtab.records.looks import Look
from trimtab.records.versions import ModelVersion
from trimtab.settings import load
from trimtab_pipelines.by_hand import promote_by_hand
from trimtab_pipelines.contest import Contest, try_out

Loop = Any  # the conftest's; it is no module that could be imported
MODEL = "late"


def rows(loop: Loop) -> pd.DataFrame:
    found: pd.DataFrame = loop.bench.collect(loop.bench.settings, MODEL, loop.clock.now())
    return found


def contest(loop: Loop, version: ModelVersion, known: pd.DataFrame | None = None) -> Contest:
    return try_out(loop.bench, version, rows(loop) if known is None else known)


def looks(loop: Loop) -> list[Look]:
    with loop.database.transaction() as stores:
        return list(stores.looks.of(MODEL))


def checked(found: Contest) -> dict[str, bool | None]:
    return {check.name: check.passed for check in found.result.checks}


def set_gate(loop: Loop, project: Path, **changes: object) -> None:
    lines = [f"{name} = {json.dumps(value)}" for name, value in changes.items()]
    file = project / "trimtab.toml"
    file.write_text(
        file.read_text().replace("[models.late.gate]", "\n".join(["[models.late.gate]", *lines]))
    )
    loop.bench = replace(loop.bench, settings=load(project))


def test_a_better_challenger_passes_every_check_and_the_table_tells_them_all(loop: Loop) -> None:
    loop.crown(loop.shop.add(0.0))
    found = contest(loop, loop.shop.add(2.0))

    assert found.result.passed
    assert checked(found) == {
        "every loss a number": True,
        "enough rows": True,
        "better": True,
        "no slice worse": True,
        "calibration": True,
        "latency": None,
        "size": None,
        "golden rows": True,
    }
    page = loop.reports.texts[MODEL, "2"]
    for name in checked(found):
        assert f"| {name} |" in page
    assert "![Gains](memory:late/2/gate.png)" in page
    assert "| airport=JFK |" in page


@pytest.mark.parametrize("skill", [2.0, -1.0])
def test_passed_or_rejected_the_contest_is_published_with_its_plot(
    loop: Loop, skill: float
) -> None:
    loop.crown(loop.shop.add(0.0))
    version = loop.shop.add(skill)
    contest(loop, version)

    published = {name for _, number, name in loop.reports.files if number == "2"}
    assert published == {"gate.json", "gate.md", "gate.png"}
    picture = imread(BytesIO(loop.reports.files[MODEL, "2", "gate.png"]))
    assert picture.shape[0] > 300
    assert picture[..., :3].std() > 0.05, "something is drawn"


def test_forged_tags_metrics_and_reports_in_the_registry_change_nothing(loop: Loop) -> None:
    """Somebody says in MLflow that a bad version had won, and that it had seen nothing yet."""
    loop.crown(loop.shop.add(2.0))
    bad = loop.shop.add(0.5)
    honest = contest(loop, bad)
    forged = replace(
        bad,
        trained_until=bad.trained_until - timedelta(days=30),
        tags=MappingProxyType({"trimtab.gate": "passed", "trimtab.trained_rows": "0"}),
    )
    loop.registry.add(forged, loop.shop.root / bad.version)
    loop.reports.files[MODEL, bad.version, "gate.json"] = b'{"passed": true}'
    loop.reports.metrics[MODEL, bad.version] = {"gate.gain": 9.0, "gate.low": 9.0, "log_loss": 0.0}
    again = contest(loop, forged)

    assert not again.result.passed
    assert again.result.overall == honest.result.overall, "on the same rows, with the same losses"
    assert again.result.reasons == honest.result.reasons
    assert json.loads(loop.reports.files[MODEL, bad.version, "gate.json"])["passed"] is False
    assert loop.reports.tags[MODEL, bad.version]["trimtab.gate"] == "rejected"


def test_a_version_that_was_exchanged_after_it_was_judged_is_refused(loop: Loop) -> None:
    loop.crown(loop.shop.add(2.0))
    bad, good = loop.shop.add(0.5), loop.shop.add(3.0)
    contest(loop, bad)
    loop.registry.add(
        replace(bad, manifest_sha256=good.manifest_sha256), loop.shop.root / good.version
    )

    with pytest.raises(ManifestError, match="judged before"):
        contest(loop, replace(bad, manifest_sha256=good.manifest_sha256))


def test_a_version_that_does_not_reproduce_its_golden_rows_is_rejected_with_the_reason(
    loop: Loop,
) -> None:
    loop.crown(loop.shop.add(0.0))
    version = loop.shop.add(2.0)
    folder = loop.shop.root / version.version
    golden = pd.read_parquet(folder / "golden.parquet")
    golden.assign(**{"(output 1)": golden["(output 1)"] + 0.1}).to_parquet(
        folder / "golden.parquet"
    )
    version = replace(version, manifest_sha256=write_manifest(folder))
    loop.registry.add(version, folder)
    found = contest(loop, version)

    assert not found.result.passed
    assert checked(found) == {"golden rows": False}
    assert "50 of 50 golden rows differ" in found.result.reasons[0]
    assert "golden rows differ" in loop.reports.texts[MODEL, "2"]
    assert looks(loop) == [], "it was compared with nobody"


def test_each_look_at_the_same_rows_is_asked_for_more_also_after_losing(loop: Loop) -> None:
    loop.crown(loop.shop.add(2.0))
    found = [contest(loop, loop.shop.add(skill)) for skill in (1.0, 1.5, 2.2)]

    asked = [look.confidence for look in looks(loop)]
    assert [look.number for look in looks(loop)] == [1, 2, 3]
    assert [look.passed for look in looks(loop)] == [c.result.passed for c in found]
    assert asked == sorted(asked)
    assert asked == pytest.approx([0.9696, 0.9924, 0.9966], abs=1e-4)
    assert "look 3 at 100% of these rows" in " ".join(found[-1].result.reasons)


def test_the_same_contest_again_is_no_new_look_and_has_the_same_answer(loop: Loop) -> None:
    loop.crown(loop.shop.add(0.0))
    version = loop.shop.add(0.8)
    first = contest(loop, version)
    contest(loop, loop.shop.add(0.3))
    again = contest(loop, version)

    assert len(looks(loop)) == 2
    assert again.result.asked == first.result.asked
    assert again.result.overall == first.result.overall


def test_fresh_rows_are_asked_for_no_more_than_a_first_look(loop: Loop) -> None:
    loop.crown(loop.shop.add(2.0))
    known = rows(loop)
    contest(loop, loop.shop.add(1.0), known.iloc[:1050])
    later = loop.shop.add(1.5, trained_until=known["at"].iloc[1050].to_pydatetime())
    fresh = contest(loop, later, known)

    assert looks(loop)[1].confidence == pytest.approx(0.9696, abs=1e-4)
    assert fresh.result.asked is not None
    assert fresh.result.asked.share == 0


def test_a_look_by_somebody_else_meanwhile_is_counted_before_ours(loop: Loop) -> None:
    loop.crown(loop.shop.add(2.0))
    contest(loop, loop.shop.add(1.0))
    rival = replace(looks(loop)[0], number=2, digest="f" * 64, challenger="99")
    loop.bench = replace(loop.bench, database=_Rivalled(loop.database, rival))
    contest(loop, loop.shop.add(1.5))

    assert [look.challenger for look in looks(loop)] == ["2", "99", "3"]
    assert looks(loop)[2].confidence == pytest.approx(0.9966, abs=1e-4)


class _Rivalled:
    """A database in which somebody else looks between the second and the third transaction."""

    def __init__(self, database: Any, rival: Look) -> None:
        self._database, self._rival, self._opened = database, rival, 0

    def transaction(self) -> Any:
        self._opened += 1
        if self._opened == 3:
            with self._database.transaction() as stores:
                stores.looks.record(self._rival)
        return self._database.transaction()


def test_a_class_that_came_up_since_does_not_stop_the_gate_for_ever(loop: Loop) -> None:
    loop.crown(loop.shop.add(0.0))
    known = rows(loop)
    known["late"] = known["late"].astype(object)
    known.loc[known.index[-5:], "late"] = "diverted"
    found = contest(loop, loop.shop.add(2.0), known)

    assert found.result.passed
    assert "5 rows have a label that the challenger does not know" in " ".join(found.result.reasons)


def test_a_margin_asks_for_more_than_just_better(loop: Loop, project: Path) -> None:
    loop.crown(loop.shop.add(0.0))
    version = loop.shop.add(2.0)
    assert contest(loop, version).result.passed

    set_gate(loop, project, margin="50%")
    found = contest(loop, version)
    assert not found.result.passed
    assert "is asked" in found.result.reasons[0]


@pytest.mark.parametrize(
    ("limit", "name", "said"),
    [
        ({"max_size": "1 kB"}, "size", "gate.max_size is 1 kB"),
        ({"max_latency": "0.001us"}, "latency", "gate.max_latency is"),
        ({"max_slowdown": 0.01}, "latency", "gate.max_slowdown is 0.01"),
    ],
)
def test_a_better_version_over_its_budget_is_rejected(
    loop: Loop, project: Path, limit: dict[str, object], name: str, said: str
) -> None:
    loop.crown(loop.shop.add(0.0))
    set_gate(loop, project, **limit)
    found = contest(loop, loop.shop.add(2.0))

    assert not found.result.passed
    assert checked(found)[name] is False
    assert checked(found)["better"] is True
    assert said in found.result.reasons[0]


def test_a_version_as_fast_as_the_champion_is_not_called_slower(loop: Loop, project: Path) -> None:
    loop.crown(loop.shop.add(0.0))
    set_gate(loop, project, max_slowdown=1.5, max_latency="1s", max_size="1 GB")
    found = contest(loop, loop.shop.add(2.0))

    assert checked(found)["latency"] is True
    assert checked(found)["size"] is True


def test_a_promotion_by_hand_that_lost_is_a_look_too(loop: Loop) -> None:
    loop.crown(loop.shop.add(2.0))
    promote_by_hand(loop.bench, MODEL, loop.shop.add(1.0).version, actor="ada")

    assert [look.passed for look in looks(loop)] == [False]
    assert np.isfinite([looks(loop)[0].start, looks(loop)[0].end]).all()
