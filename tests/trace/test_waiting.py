"""Predictions that are captured and not yet in the log are told from where they wait."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from trimtab.records.places import Place
from trimtab.records.traces import Whereabouts
from trimtab.trace.finding import find
from trimtab_services.captured import CapturedRequest, encode
from trimtab_services.quarantine import Quarantine
from trimtab_services.segments import SegmentWriter

if TYPE_CHECKING:
    from datetime import datetime

    from tests.trace.conftest import Story

REQUEST = "019d48e5b00070008000000000abcdef"


def captured(at: datetime) -> bytes:
    return encode(
        CapturedRequest(
            request_id=REQUEST,
            version="3",
            received=at + timedelta(seconds=1),
            status=200,
            latency_us=800,
            source="web",
            device="cpu",
            detail=None,
            time=at,
            columns=("x", "airport"),
            inputs=((1.5, "JFK"), (2.5, None)),
            predictions=("yes", "no"),
            probabilities=((0.25, 0.75), (0.9, 0.1)),
            keys=("order-7", None),
        )
    )


def test_one_that_waits_in_a_capture_segment_is_told(story: Story, noon: datetime) -> None:
    writer = SegmentWriter(story.settings.home.spool("late"))
    try:
        writer.append(bytes.fromhex(REQUEST), captured(noon))
        found = find(story.settings, story.database, ["other", "late"], f"{REQUEST}-1")
    finally:
        writer.close()

    assert found.found_in is Whereabouts.SPOOL
    assert (found.prediction.model, found.prediction.version) == ("late", "3")
    assert found.prediction.inputs == {"x": 2.5, "airport": None}
    assert (found.prediction.prediction, found.prediction.key) == ("no", None)
    assert found.prediction.received == noon + timedelta(seconds=1)


def test_one_that_lies_in_quarantine_is_told(story: Story, noon: datetime) -> None:
    quarantine = Quarantine(story.settings.home.spool("late") / "quarantine")
    quarantine.put(Place("s", 12, 90), [captured(noon)])
    found = find(story.settings, story.database, ["late"], f"{REQUEST}-0")

    assert found.found_in is Whereabouts.QUARANTINE
    assert found.prediction.probabilities == (0.25, 0.75)
