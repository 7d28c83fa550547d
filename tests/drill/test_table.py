"""The table says in a line what happened, however often it did."""

import json
from dataclasses import replace
from datetime import UTC, datetime

from rich.console import Console

from trimtab.records.drills import Asked, Change, Drilled, Moment, Observed, Reaction
from trimtab.records.incidents import Situation
from trimtab.records.requests import RequestState, Trigger
from trimtab_pipelines.drill.table import as_json, show

OPENED = Reaction(situation=Situation.QUALITY, opened=Moment(windows=2, rows=1480), is_over=False)
ASKED = Asked(
    trigger=Trigger.QUALITY,
    state=RequestState.DECLINED,
    asked_at=datetime(2030, 1, 7, tzinfo=UTC),
)
SEEN = Observed(
    change=Change.LABEL_FLIP,
    done="late turned round",
    sent=Moment(windows=20, rows=14_800),
    noticed=Moment(windows=1, rows=740),
    reactions=(OPENED, replace(OPENED, opened=Moment(windows=9, rows=6000))),
    asked=(ASKED, ASKED, replace(ASKED, state=RequestState.PROMOTED)),
    alerts=3,
    received=2,
    unsettled="1 incident is not over",
    failed_requests=0,
)
DRILLED = Drilled(observed=SEEN, faults=("1 of 3 alerts did not arrive", "[odd]"))


def test_repeated_events_are_counted_and_every_fault_is_said() -> None:
    console = Console(width=200)
    with console.capture() as captured:
        show(console, "orders", [DRILLED], {Change.NULL_BURST: "every input is required"})
    text = captured.get()

    for words in (
        "1 window, 740 rows",
        "quality after 2 windows, 1,480 rows, 2 in all",
        "2 declined",
        "1 promoted",
        "2/3",
        "no, after 20 windows",
        "not as it should",
        "label-flip: 1 of 3 alerts did not arrive",
        "label-flip: [odd]",
        "null-burst was left out: every input is required",
    ):
        assert words in text


def test_scripts_get_everything_that_was_seen() -> None:
    content = json.loads(as_json("orders", [DRILLED], {}))

    assert content["model"] == "orders"
    assert content["drilled"][0]["observed"]["reactions"][0]["opened"]["rows"] == 1480
    assert content["drilled"][0]["faults"] == list(DRILLED.faults)
