"""Estimates beside the truth, and when they have been right often enough to warn alone."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.policy.grading import grade, is_trusted, with_record
from trimtab.policy.quality_words import evidence_of, said_of
from trimtab.records.estimates import Estimator, Method
from trimtab.records.quality import Estimate, Grade, Quality, SliceQuality, TrackRecord, Voice

ESTIMATOR = Estimator(
    method=Method.CBPE, metric="log_loss", expected=0.4, limit=0.5, margin=0.02, rows=100
)


def quality(
    value: float | None = None, *, estimated: float = 0.4, graded: Grade | None = None
) -> Quality:
    return Quality(
        metric="log_loss",
        value=value,
        limit=0.45,
        labelled=830,
        completeness=0.83,
        estimate=Estimate(
            method=Method.CBPE,
            value=estimated,
            low=estimated - 0.02,
            high=estimated + 0.02,
            limit=0.5,
            rows=1000,
            grade=graded,
        ),
    )


def after(*grades: Grade | None, estimated: float = 0.4, value: float | None = None) -> Quality:
    """A window whose estimate was graded as the last of these, newest first."""
    newest, *earlier = grades
    judged = quality(value, estimated=estimated, graded=newest)
    return with_record(judged, [quality(graded=one) for one in earlier], ESTIMATOR)


HELD, MISSED = Grade(error=0.01, held=True), Grade(error=0.03, held=False)


def test_a_grade_compares_the_same_rows() -> None:
    estimated = np.array([0.4, 0.5, np.nan, 9.0])
    measured = np.array([0.38, 0.5, 7.0, np.nan])

    found = grade(replace(ESTIMATOR, rows=2), estimated, measured)

    assert found is not None
    assert found.error == pytest.approx(0.01)
    assert found.held
    assert grade(ESTIMATOR, estimated[2:], measured[2:]) is None


def test_fewer_rows_widen_the_interval() -> None:
    estimated, measured = np.full(25, 0.43), np.full(25, 0.4)

    few, many = (grade(ESTIMATOR, np.tile(estimated, n), np.tile(measured, n)) for n in (1, 4))

    assert few is not None
    assert many is not None
    assert few.held  # 0.02 becomes 0.04 with a quarter of the rows
    assert not many.held


def test_the_record_is_of_the_last_ten_graded_windows() -> None:
    found = after(None, *[HELD] * 9, None, MISSED, *[MISSED] * 20)

    assert found.estimate is not None
    record = found.estimate.record
    assert record is not None
    assert (record.windows, record.held) == (10, 9)
    assert record.error == pytest.approx(0.012)


@pytest.mark.parametrize(
    ("record", "rise", "is_good"),
    [
        (None, 1.0, False),
        (TrackRecord(windows=4, held=4, error=0.0), 1.0, False),
        (TrackRecord(windows=5, held=4, error=0.01), 0.1, True),
        (TrackRecord(windows=10, held=7, error=0.01), 0.1, False),
        (TrackRecord(windows=10, held=10, error=0.1), 0.1, False),
        (TrackRecord(windows=10, held=10, error=0.0), 0.0, False),
    ],
)
def test_trust_is_earned_by_windows_intervals_and_errors(
    record: TrackRecord | None, rise: float, is_good: bool
) -> None:
    assert is_trusted(record, rise) is is_good


@given(st.lists(st.sampled_from([HELD, MISSED, None]), min_size=1, max_size=30))
def test_doing_it_again_changes_nothing(grades: list[Grade | None]) -> None:
    once = after(*grades)

    again = with_record(once, [quality(graded=one) for one in grades[1:]], ESTIMATOR)

    assert again == once


def test_an_estimate_alone_warns_only_when_it_has_been_right() -> None:
    unproven = after(None, HELD, estimated=0.6)
    proven = after(None, *[HELD] * 5, estimated=0.6)
    wrong = after(None, *[MISSED] * 5, estimated=0.6)

    assert [q.is_worse for q in (unproven, proven, wrong)] == [False, True, False]
    assert [q.voice for q in (unproven, proven, wrong)] == [None, Voice.ESTIMATED, None]


def test_an_estimate_never_says_that_all_is_well() -> None:
    assert after(None, *[HELD] * 9, estimated=0.3).voice is None


def test_labels_have_the_word_where_there_are_enough() -> None:
    well = after(HELD, *[HELD] * 5, estimated=0.6, value=0.41)
    bad = after(HELD, *[HELD] * 5, estimated=0.3, value=0.6)

    assert (well.voice, well.is_worse) == (Voice.MEASURED, False)
    assert (bad.voice, bad.is_worse) == (Voice.MEASURED, True)


def test_people_read_who_spoke_and_how_well_it_did() -> None:
    found = after(MISSED, *[HELD] * 9, value=0.41)

    assert said_of(found) == (
        "log_loss 0.4100 measured (limit 0.4500, 83% labelled), "
        "estimated 0.4000 (±0.0200), held 9 of 10"
    )
    assert said_of(quality()) == "830 labels, estimated 0.4000 (±0.0200), not graded yet"
    assert said_of(replace(quality(), estimate=None)) == "830 labels"


def test_the_evidence_names_the_voice_and_the_worst_slices() -> None:
    slices = tuple(
        SliceQuality(name=f"origin={n}", rows=50, value=0.5 + n / 10, limit=0.55) for n in range(6)
    )
    measured = replace(after(HELD, value=0.5), slices=slices)
    warned = after(None, *[HELD] * 5, estimated=0.6)

    assert evidence_of(measured) == [
        "log_loss 0.5000, limit 0.4500 (830 labels, 83% of the rows)",
        "origin=5: 1.0000, limit 0.5500 (50 labels)",
        "origin=4: 0.9000, limit 0.5500 (50 labels)",
        "origin=3: 0.8000, limit 0.5500 (50 labels)",
    ]
    (line,) = evidence_of(warned)
    assert line.startswith("log_loss estimated 0.6000 (±0.0200), held 5 of 5, limit 0.5000 (CBPE")
    assert evidence_of(quality()) == []
