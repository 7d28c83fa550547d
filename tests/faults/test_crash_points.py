"""Whatever boundary of its course a process is killed at, the end is that of an undisturbed one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.faults.conftest import Scene, Stage

pytestmark = pytest.mark.e2e
KILLED = -9
SIDES = ("before", "after")
ALIKE = "PUT artifact "
"""The files of an upload are like each other: the first and the last stand for all."""


def boundaries(tape: list[str]) -> list[tuple[str, str]]:
    """Name the points of a course at which a process is to be killed."""
    files = [name for name in tape if name.startswith(ALIKE)]
    left_out = set(files[1:-1])
    return [(name, side) for name in tape if name not in left_out for side in SIDES]


def pursued(scene: Scene, who: str, kill: str, side: str) -> dict[str, Any]:
    """Work with one death on the way; gives the state in the end."""
    code = scene.run("work", who=who, kill=kill, side=side)
    assert scene.has_fired, f"{kill} was never reached"
    assert code == (0 if who == "job" else KILLED)
    if who != "job":
        scene.lapse()
        assert scene.go_on("work") == 0
    return scene.state()


@pytest.fixture(scope="module")
def undisturbed(stage: Stage) -> tuple[Scene, dict[str, Any], list[str]]:
    """A first version, from the request to the alias: the scene, its state, its tape."""
    scene = stage()
    assert scene.run("work") == 0
    return scene, scene.state(), scene.tape


def test_an_undisturbed_course_makes_one_version_and_leaves_nothing_running(
    undisturbed: tuple[Scene, dict[str, Any], list[str]],
) -> None:
    _, state, tape = undisturbed

    assert state["moves"] == [("1", 1)]
    assert state["requests"] == [("promoted", "1")]
    assert state["runs of versions"] == ["FINISHED"]
    assert (state["finished runs"], state["running runs"]) == (1, 0)
    assert state["aliases"] == {"champion": "1"}
    assert "POST /model-versions/create #1" in tape
    assert "commit retrain_requests+ledger+promotions #1" in tape


@pytest.mark.parametrize(
    ("who", "kill", "side"),
    [
        ("job", "POST /model-versions/create #1", "after"),
        ("both", "commit retrain_requests+ledger+promotions #1", "after"),
    ],
)
def test_a_death_at_a_boundary_changes_nothing_in_the_end(
    stage: Stage,
    undisturbed: tuple[Scene, dict[str, Any], list[str]],
    who: str,
    kill: str,
    side: str,
) -> None:
    assert pursued(stage(), who, kill, side) == undisturbed[1]


@pytest.mark.long
@pytest.mark.timeout(20_000)
@pytest.mark.parametrize("who", ["job", "both", "worker"])
def test_a_death_at_any_boundary_changes_nothing_in_the_end(
    stage: Stage, undisturbed: tuple[Scene, dict[str, Any], list[str]], who: str, repeats: int
) -> None:
    _, wanted, tape = undisturbed
    if who == "worker":
        scene = stage()
        assert scene.run("work", who="worker") == 0
        tape = scene.tape
    wrong = []
    for name, side in boundaries(tape) * repeats:
        state = pursued(stage(), who, name, side)
        if state != wanted:
            differing = {key: state[key] for key in state if state[key] != wanted[key]}
            wrong.append(f"{side} {name}: {differing}")
            print(wrong[-1], flush=True)  # noqa: T201 (hours may pass before the end)

    print(f"{len(boundaries(tape)) * repeats} deaths of {who}, {len(wrong)} of them told")  # noqa: T201
    assert wrong == []


def retrained(scene: Scene, kill: str, side: str) -> list[str]:
    """Train against a champion, with one death of job and worker; gives what is wrong in the end.

    The rows are those of the champion, so the challenger is the same model and must lose.
    """
    before = scene.state()
    scene.ask()
    assert scene.run("work", who="both", kill=kill, side=side) == KILLED
    scene.lapse()
    assert scene.go_on("work") == 0
    after = scene.state()
    number = str(len(before["versions"]) + 1)
    wanted = {
        "moves": before["moves"],
        "requests": [("rejected", number), *before["requests"]],
        "versions": sorted([*before["versions"], number]),
        "finished runs": before["finished runs"] + 1,
        "running runs": 0,
        "aliases": {"champion": "1"},
    }
    return [f"{key}: {after[key]}" for key in wanted if after[key] != wanted[key]]


@pytest.mark.long
@pytest.mark.timeout(20_000)
def test_a_death_at_any_boundary_of_a_lost_contest_leaves_the_champion_and_nothing_else(
    stage: Stage, repeats: int
) -> None:
    scene = stage()
    assert scene.run("work") == 0
    scene.ask()
    assert scene.run("work", who="both") == 0
    points, wrong = boundaries(scene.tape) * repeats, []
    for name, side in points:
        if found := retrained(scene, name, side):
            wrong.append(f"{side} {name}: {found}")
            print(wrong[-1], flush=True)  # noqa: T201 (hours may pass before the end)
    print(f"{len(points)} deaths, {len(wrong)} of them told")  # noqa: T201

    assert wrong == []
