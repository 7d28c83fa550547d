from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.settings import load
from trimtab.settings.project import ModelSettings
from trimtab_pipelines.collect import collect, known_rows
from trimtab_pipelines.errors import ColumnError, MissingColumnError, SourceError

UNTIL = datetime(2013, 1, 4, tzinfo=UTC)
BARE: dict[str, Any] = {"task": "binary", "source": "x.csv", "target": "late"}
TIMED = BARE | {"time": "at"}


def model(**changes: Any) -> ModelSettings:
    return ModelSettings.model_validate(TIMED | changes)


def rows(**columns: Any) -> pd.DataFrame:
    days = ["2013-01-03", "2013-01-01", "2013-01-04", "2013-01-02"]
    return pd.DataFrame({"at": days, "late": [1, 0, 1, 0], "x": [3, 1, 4, 2]} | columns)


def test_rows_come_in_the_order_of_time_up_to_the_moment() -> None:
    found = known_rows(rows(), model(), UNTIL)

    assert found["x"].tolist() == [1, 2, 3]
    assert found.index.tolist() == [0, 1, 2]
    assert str(found["at"].dtype) == "datetime64[ns, UTC]"


def test_a_row_whose_label_had_not_come_is_not_known() -> None:
    came = ["2013-01-05", "2013-01-02", None, "2013-01-04"]

    found = known_rows(rows(came=came), model(label_time="came"), UNTIL)

    assert found["x"].tolist() == [1, 2]


def test_a_row_without_a_label_is_left_out() -> None:
    assert known_rows(rows(late=[1, None, 1, 0]), model(), UNTIL)["x"].tolist() == [2, 3]


def test_without_a_time_column_the_given_order_stays() -> None:
    found = known_rows(rows(), ModelSettings.model_validate(BARE), UNTIL)

    assert found["x"].tolist() == [3, 1, 4, 2]


def test_knowing_twice_changes_nothing() -> None:
    once = known_rows(rows(), model(), UNTIL)

    pd.testing.assert_frame_equal(known_rows(once, model(), UNTIL), once)


@given(st.lists(st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1)), min_size=1))
def test_nothing_from_later_is_ever_known(moments: list[datetime]) -> None:
    frame = pd.DataFrame({"at": moments, "late": 1})
    known = [moment for moment in moments if moment < UNTIL.replace(tzinfo=None)]
    if not known:
        with pytest.raises(SourceError, match="no row has a label that was known at 2013-01-04"):
            known_rows(frame, model(), UNTIL)
        return

    found = known_rows(frame, model(), UNTIL)

    assert [at.replace(tzinfo=None) for at in found["at"]] == sorted(known)


@pytest.mark.parametrize(
    "text",
    [
        ["2013-01-01", "2013-01-01T12:00:00Z", "2013-01-01 12:00", "2013-01-01T12:00:00+05:00"],
        [datetime(2013, 1, 1), datetime(2013, 1, 2, 1), None, datetime(2013, 1, 3)][:2] * 2,
    ],
)
def test_times_may_be_written_as_people_write_them(text: list[Any]) -> None:
    assert len(known_rows(rows(at=text), model(), UNTIL)) == 4


@pytest.mark.parametrize(
    ("at", "why"),
    [
        (["2013-01-01", "soon", "2013-01-02", "2013-01-03"], "for example 'soon'"),
        (["01/02/2013"] * 4, "for example '01/02/2013'"),
        ([1, 2, 3, 4], "for example 1"),
        (["2013-01-01", None, "2013-01-02", None], "has no time in 2 rows"),
    ],
)
def test_a_time_that_does_not_parse_is_named_with_a_sample(at: list[Any], why: str) -> None:
    with pytest.raises(ColumnError, match=f"Column 'at' .*{why}"):
        known_rows(rows(at=at), model(), UNTIL)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("target", "lat"),
        ("time", "att"),
        ("key", "xx"),
        ("label_time", "lates"),
        ("exclude", ["xx"]),
        ("gate", {"slices": ["xx"]}),
    ],
)
def test_a_column_that_is_not_there_is_named_with_the_nearest(setting: str, value: Any) -> None:
    with pytest.raises(MissingColumnError, match=rf"{setting}.* Did you mean '(late|at|x)'\?"):
        known_rows(rows(), model(**{setting: value}), UNTIL)


def test_collect_reads_the_source_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "trimtab.toml").write_text(
        '[models.late]\ntask = "binary"\nsource = "rows.csv"\ntarget = "late"\ntime = "at"\n'
    )
    rows().to_csv(tmp_path / "rows.csv", index=False)

    assert collect(load(tmp_path), "late", UNTIL)["x"].tolist() == [1, 2, 3]
