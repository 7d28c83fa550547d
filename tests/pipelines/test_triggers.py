"""What nobody asks for today: schedules, labels that came, obstacles that have ended."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from trimtab.adapters.sql import SqlDatabase
from trimtab.records.requests import Obstacle, RequestState, RetrainRequest, Trigger
from trimtab.records.row_counts import RowCount
from trimtab.settings import Settings, load
from trimtab_pipelines.firsts import FirstVersions
from trimtab_pipelines.jobs import Jobs, run_counts
from trimtab_pipelines.prospects import Prospect
from trimtab_pipelines.pursuing import Pursuit
from trimtab_pipelines.triggers import Triggers

Loop = Any  # the conftest's; it is no module that could be imported
MODEL = "late"
DAY = timedelta(days=1)
NO_JOBS = cast(Jobs, None)  # `ask` starts no process


def triggers(loop: Loop, *on: str, **retrain: object) -> Triggers:
    """Keep the triggers of a project whose settings say so."""
    path = loop.bench.settings.folder / "trimtab.toml"
    lines = [f"on = {list(on)}".replace("'", '"'), *(f"{k} = {v}" for k, v in retrain.items())]
    path.write_text(path.read_text() + "\n".join(lines) + "\n")
    settings: Settings = load(path.parent)
    return Triggers(settings, loop.database, loop.clock, NO_JOBS)


def requests(loop: Loop) -> list[RetrainRequest]:
    database: SqlDatabase = loop.database
    with database.transaction() as stores:
        return list(stores.requests.recent(MODEL))


def counted(loop: Loop, new_rows: int) -> None:
    with loop.database.transaction() as stores:
        stores.row_counts.put(
            RowCount(model=MODEL, epoch=1, counted_at=loop.clock.now(), new_rows=new_rows)
        )


def test_a_schedule_asks_when_it_is_due_and_once(loop: Loop) -> None:
    keeper = triggers(loop, "every 30d")
    loop.crown(loop.shop.add(2.0))  # twenty days ago
    keeper.ask()
    assert requests(loop) == []

    loop.clock.moment += 10 * DAY
    for _ in range(20):
        keeper.ask()
    [request] = requests(loop)
    assert request.trigger is Trigger.SCHEDULE
    assert loop.events() == ["retrain requested"]


def test_labels_ask_once_enough_were_counted_and_are_counted_until_then(loop: Loop) -> None:
    keeper = triggers(loop, "400 new labels")
    assert keeper.ask() == [], "without a champion a first version is asked for anyway"
    loop.crown(loop.shop.add(2.0))
    assert keeper.ask() == [MODEL]
    counted(loop, 399)
    assert keeper.ask() == [MODEL]
    assert requests(loop) == []
    counted(loop, 400)
    assert keeper.ask() == []

    assert [r.trigger for r in requests(loop)] == [Trigger.LABELS]


def test_a_declined_request_is_one_row_until_its_obstacle_ends(loop: Loop) -> None:
    """Half seconds go by, labels come: the ledger has the no, and then the ask that follows."""
    keeper = triggers(loop, "every 4d", cooldown='"1d"')
    loop.bench = _with(loop, keeper.settings)
    loop.crown(loop.shop.add(2.0))
    few = loop.bench.settings.folder / "rows.csv"
    all_rows = few.read_text().splitlines()
    few.write_text("\n".join(all_rows[:950]) + "\n")
    keeper.ask()
    pursue(loop)
    for _ in range(50):
        assert keeper.ask() == [MODEL], "rows are counted, as something waits for them"
        loop.clock.moment += timedelta(minutes=10)
    [declined] = requests(loop)
    assert declined.obstacles == (Obstacle.ROWS,)
    assert loop.events() == ["retrain requested", "retrain declined"]

    few.write_text("\n".join(all_rows) + "\n")
    run_count(loop)
    keeper.ask()
    newest, _ = requests(loop)
    assert newest.state is RequestState.ASKED
    assert "asked again: declined" in newest.reasons[0]
    assert "too few new labelled rows" in newest.reasons[0]


def run_count(loop: Loop) -> None:
    now = loop.clock.now()
    rows = loop.bench.collect(loop.bench.settings, MODEL, now)
    Prospect(bench=loop.bench, model=MODEL, now=now).count(rows, is_present=True)


def pursue(loop: Loop) -> None:
    with loop.database.transaction() as stores:
        request = stores.requests.claim([MODEL], "worker", timedelta(seconds=30))
    assert request is not None
    Pursuit(bench=loop.bench, request=request, holder="worker").run()


def _with(loop: Loop, settings: Settings) -> Any:
    return replace(loop.bench, settings=settings)


def test_the_process_that_counts_writes_what_it_found(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIMTAB_TRACKING_URI", "http://127.0.0.1:9")  # nobody: it is not needed
    folder = loop.bench.settings.folder
    run_counts(folder, [MODEL])
    with loop.database.transaction() as stores:
        count = stores.row_counts.get(MODEL)
    assert count is not None
    assert (count.epoch, count.new_rows) == (0, 1200)

    (folder / "rows.csv").unlink()
    run_counts(folder, [MODEL])  # it is logged, and the next count tries again


def test_after_a_person_was_asked_no_first_version_is_asked_for(loop: Loop) -> None:
    firsts = FirstVersions(loop.database, loop.clock)
    firsts.ask([MODEL])
    with loop.database.transaction() as stores:
        claimed = stores.requests.claim([MODEL], "worker", DAY)
        assert claimed is not None
        declined = replace(claimed, state=RequestState.DECLINED, obstacles=(Obstacle.GIVEN_UP,))
        stores.requests.finish(declined, "worker")
    FirstVersions(loop.database, loop.clock).ask([MODEL])

    assert len(requests(loop)) == 1
