"""What a life of windows, promotions and people can do to incidents, and what it cannot."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.errors import IncidentOverError
from trimtab.policy.handling import acknowledge, mark_false, marks_of, snooze
from trimtab.policy.incidents import FAR_BACK, News, Step, next_steps
from trimtab.policy.sensitivity import sensitivity
from trimtab.records.checks import CheckKind
from trimtab.records.incidents import Incident, IncidentState, Severity, Situation
from trimtab.records.promotions import Promotion
from trimtab.records.quality import Quality
from trimtab.records.verdicts import Finding, FindingKind, Verdict, VerdictKind
from trimtab.records.windows import Window

START = datetime(2013, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)
K, N = 2, 3
STABLE, DRIFT = VerdictKind.STABLE, VerdictKind.DRIFT
BROKEN, TOO_FEW = VerdictKind.BROKEN_DATA, VerdictKind.NOT_ENOUGH_ROWS


def verdict(
    kind: VerdictKind, day: int, *, lost: bool = False, version: str = "1", columns: int = 1
) -> Verdict:
    found = {DRIFT: FindingKind.DRIFTED, BROKEN: FindingKind.BROKEN}.get(kind, FindingKind.STABLE)
    loss = 0.9 if lost else 0.1
    return Verdict(
        model="m",
        version=version,
        window=Window(START + day * DAY, START + (day + 1) * DAY),
        kind=kind,
        rows=1000,
        rows_needed=200,
        findings=tuple(
            Finding(
                column=f"c{i}",
                kind=found,
                check=CheckKind.LOCATION,
                effect=0.2,
                p_value=1e-6,
                limit=1e-4,
                exceeds=100.0,
            )
            for i in range(columns)
        ),
        quality=Quality(metric="log_loss", value=loss, limit=0.5, labelled=900, completeness=0.9),
        refused=0,
        judged_at=START + (day + 1) * DAY,
    )


class Life:
    """A model's incidents, window after window, as the monitor keeps them."""

    def __init__(self, k: int = K, n: int = N) -> None:
        self.k, self.n = k, n
        self.verdicts: list[Verdict] = []
        self.incidents: dict[str, Incident] = {}
        self.champion = "1"
        self.told: list[tuple[News, str]] = []

    @property
    def now(self) -> datetime:
        return START + len(self.verdicts) * DAY

    @property
    def active(self) -> list[Incident]:
        return [i for i in self.incidents.values() if not i.state.is_over]

    @property
    def only(self) -> Incident:
        (found,) = self.incidents.values()
        return found

    def steps(self, verdicts: Sequence[Verdict]) -> tuple[Step, ...]:
        promotion = Promotion(
            model="m",
            epoch=1,
            version=self.champion,
            previous=None,
            manifest_sha256="0" * 64,
            actor="gate",
            reasons=(),
            at=START,
        )
        known = list(self.incidents.values())
        return next_steps(verdicts, known, promotion, k=self.k, n=self.n, now=self.now)

    def keep(self, steps: Iterable[Step]) -> None:
        for step in steps:
            self.incidents[step.incident.id] = step.incident
            if step.news is not None:
                self.told.append((step.news, step.incident.id))

    @property
    def newest_first(self) -> list[Verdict]:
        own = [v for v in reversed(self.verdicts) if v.version == self.champion]
        return own[: FAR_BACK * self.n]

    def see(self, *kinds: VerdictKind, lost: bool = False) -> None:
        for kind in kinds:
            day = len(self.verdicts)
            self.verdicts.append(verdict(kind, day, lost=lost, version=self.champion))
            self.keep(self.steps(self.newest_first))

    def news(self) -> list[News]:
        told, self.told = [news for news, _ in self.told], []
        return told


def test_an_incident_gathers_what_each_window_shows_and_stays_small() -> None:
    life = Life()
    life.see(DRIFT, DRIFT, STABLE, DRIFT)

    assert life.only.showing == 3
    assert [seen.shows for seen in life.only.windows] == [True, True, False, True]
    assert life.only.windows[-1].columns == ("c0",)
    assert "c0: location moved" in life.only.windows[-1].lines[0]
    life.see(*[DRIFT] * 60)
    assert life.only.showing == 63
    assert len(life.only.windows) == 20


def test_what_lasts_escalates_once_and_once_more_when_quality_is_lost_too() -> None:
    life = Life()
    found = []
    for windows, lost in ((5, False), (2, False), (2, True)):
        life.see(*[DRIFT] * windows, lost=lost)
        drift = next(i for i in life.active if i.situation is Situation.DRIFT)
        found.append((drift.severity, sorted(life.news())))

    assert found == [
        (Severity.NOTICE, [News.OPENED]),
        (Severity.SERIOUS, [News.ESCALATED]),
        (Severity.CRITICAL, [News.ESCALATED, News.OPENED]),
    ]


@pytest.mark.parametrize("state", [IncidentState.ACKNOWLEDGED, IncidentState.SNOOZED])
def test_what_somebody_has_taken_on_or_put_off_does_not_escalate(state: IncidentState) -> None:
    life = Life()
    life.see(DRIFT, DRIFT)
    handled = (
        acknowledge(life.only, by="ada")
        if state is IncidentState.ACKNOWLEDGED
        else snooze(life.only, by="ada", until=START + 99 * DAY)
    )
    life.incidents = {handled.id: handled}
    life.news()

    life.see(*[DRIFT] * 9)

    assert life.news() == []
    assert life.only.state is state
    assert life.only.showing == 11


def test_when_a_snooze_is_over_people_are_told_once_how_it_stands() -> None:
    life = Life()
    life.see(DRIFT, DRIFT)
    asleep = snooze(life.only, by="ada", until=life.now + 6 * DAY)
    life.incidents = {asleep.id: asleep}
    life.news()

    life.see(*[DRIFT] * 8)

    assert life.news() == [News.GOES_ON]
    assert life.only.state is IncidentState.OPEN
    assert life.only.severity is Severity.SERIOUS


def test_a_snooze_ends_without_a_new_window_too() -> None:
    life = Life()
    life.see(DRIFT, DRIFT)
    asleep = snooze(life.only, by="ada", until=life.now)
    life.incidents = {asleep.id: asleep}

    (step,) = life.steps([])

    assert (step.news, step.incident.state) == (News.GOES_ON, IncidentState.OPEN)


def test_one_that_comes_back_is_the_same_and_needs_twice_as_many_good_windows() -> None:
    life = Life()
    life.see(DRIFT, DRIFT, STABLE, STABLE, STABLE)
    assert life.news() == [News.OPENED, News.RESOLVED]
    life.see(DRIFT, DRIFT)
    assert life.news() == [News.CAME_BACK]
    assert life.only.comebacks == 1
    life.see(*[STABLE] * 5)
    assert life.news() == []
    life.see(STABLE)
    assert life.news() == [News.RESOLVED]
    assert life.only.resolution == "the last 6 windows were well"
    assert life.only.resolved_at is not None


def test_flapping_is_told_of_ever_more_seldom() -> None:
    life = Life()
    for _ in range(40):
        life.see(DRIFT, DRIFT, STABLE, STABLE, STABLE)

    assert len(life.incidents) == 1
    assert life.news() == [News.OPENED, News.RESOLVED, News.CAME_BACK, News.ESCALATED]


def test_long_after_one_is_over_the_next_is_a_new_one() -> None:
    life = Life()
    life.see(DRIFT, DRIFT, *[STABLE] * 9, DRIFT, DRIFT)

    assert len(life.incidents) == 2
    assert life.news() == [News.OPENED, News.RESOLVED, News.OPENED]


def test_windows_of_one_marked_false_open_no_other_and_later_ones_may() -> None:
    life = Life()
    life.see(DRIFT, DRIFT)
    over = mark_false(life.only, by="ada", why="a holiday", now=life.now)
    life.incidents = {over.id: over}
    life.news()

    life.see(DRIFT)
    assert life.news() == []
    life.see(DRIFT)
    assert life.news() == [News.OPENED]
    assert len(life.incidents) == 2


def test_an_incident_of_before_these_facts_were_kept_goes_on() -> None:
    life = Life()
    life.see(DRIFT, DRIFT)
    bare = replace(life.only, windows=(), showing=0, seen_through=None)
    life.incidents = {bare.id: bare}

    life.see(STABLE, STABLE, STABLE)

    assert life.only.state is IncidentState.RESOLVED


def test_what_is_over_cannot_be_taken_on_or_put_off_and_is_marked_once() -> None:
    life = Life()
    life.see(DRIFT, DRIFT, STABLE, STABLE, STABLE)
    marked = mark_false(life.only, by="ada", why="x", now=START)

    assert marked.resolved_at == life.only.resolved_at
    with pytest.raises(IncidentOverError, match="windows were well"):
        acknowledge(life.only, by="ada")
    with pytest.raises(IncidentOverError):
        snooze(life.only, by="ada", until=START + DAY)
    with pytest.raises(IncidentOverError, match="marked false by ada: x"):
        mark_false(marked, by="bob", why="y", now=START)


def test_marks_multiply_and_end() -> None:
    life = Life()
    life.see(DRIFT, DRIFT)
    until = START + 10 * DAY
    marks = [
        mark
        for id in ("a", "b")
        for mark in marks_of(
            replace(life.only, id=id), ["c0", "c0"], by="ada", why="x", now=START, until=until
        )
    ]
    undone = replace(marks[0], undone_by="bob", undone_at=START)

    assert sensitivity([], START) == {}
    assert sensitivity(marks, START) == {"c0": 1 / 16}
    assert sensitivity([undone, marks[1]], START) == {"c0": 1 / 4}
    assert sensitivity(marks, until) == {}


events = st.one_of(
    st.tuples(st.sampled_from(VerdictKind), st.booleans()),
    st.sampled_from(["ack", "snooze", "false", "promote", "rollback"]),
)


@settings(max_examples=150, deadline=None)
@given(
    happens=st.lists(events, max_size=40),
    kn=st.tuples(st.integers(1, 4), st.integers(1, 4)).map(sorted),
)
def test_whatever_happens_the_laws_hold(happens: list[object], kn: list[int]) -> None:
    life = Life(*kn)
    for event in happens:
        before = dict(life.incidents)
        if isinstance(event, tuple):
            life.see(event[0], lost=event[1])
        elif event in ("promote", "rollback"):
            life.champion = "2" if event == "promote" else "1"
            life.keep(life.steps([]))
        elif life.active:
            handle(life, str(event))
        laws(life, before)


def handle(life: Life, event: str) -> None:
    found = life.active[0]
    changed = {
        "ack": lambda: acknowledge(found, by="ada"),
        "snooze": lambda: snooze(found, by="ada", until=life.now + 2 * DAY),
        "false": lambda: mark_false(found, by="ada", why="x", now=life.now),
    }[event]()
    life.incidents[found.id] = changed


def laws(life: Life, before: dict[str, Incident]) -> None:
    life.keep(life.steps(life.newest_first))  # another champion has verdicts of its own
    assert life.steps(life.newest_first) == (), "asked again about the same, it changes nothing"
    situations = [incident.situation for incident in life.active]
    assert len(situations) == len(set(situations)), "one of a situation that is not over"
    for incident in life.incidents.values():
        earlier = before.get(incident.id, incident)
        assert incident.severity.rank >= earlier.severity.rank, "it only rises"
        assert len(incident.windows) <= 20
        assert incident.state.is_over == bool(incident.resolution and incident.resolved_at)
        assert (incident.state is IncidentState.SNOOZED) == (incident.snoozed_until is not None)
        if earlier.state is IncidentState.MARKED_FALSE:
            assert incident.state is IncidentState.MARKED_FALSE, "what was false stays so"
    assert len(life.told) == len(set(keys(life.told))), "nothing is told twice"


def keys(told: list[tuple[News, str]]) -> list[tuple[str, str, str]]:
    """Number those that may come again by the comeback that they follow."""
    comebacks: dict[str, int] = {}
    found: list[tuple[str, str, str]] = []
    for position, (news, id) in enumerate(told):
        if news is News.CAME_BACK:
            comebacks[id] = comebacks.get(id, 0) + 1
        once = news in (News.OPENED, News.RESOLVED, News.CAME_BACK)
        found.append((news, id, str(comebacks.get(id, 0)) if once else f"at {position}"))
    return found
