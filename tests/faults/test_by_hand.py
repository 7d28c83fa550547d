"""A person's promotion or rollback that is killed has happened or not, and the alias follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.conftest import Scene, Stage

pytestmark = pytest.mark.e2e
KILLED = -9
COURSES = ("promote", "rollback")


@pytest.fixture(scope="module")
def two(stage: Stage) -> Scene:
    """A model with champion 1, and a version 2 that is the same and so lost."""
    scene = stage()
    assert scene.run("work") == 0
    scene.ask()
    assert scene.run("work") == 0
    assert scene.state()["aliases"] == {"champion": "1"}
    assert scene.state()["versions"] == ["1", "2"]
    return scene


def run_through(scene: Scene, course: str) -> list[tuple[str, str]]:
    """Run a course undisturbed, and take it back; gives the points at which it may be killed."""
    more = {"version": "2"} if course == "promote" else {}
    if course == "rollback":
        assert scene.run("promote", version="2") == 0
    assert scene.run(course, **more) == 0
    points = [(name, side) for name in scene.tape for side in ("before", "after")]
    if course == "promote":
        assert scene.run("rollback") == 0
    return points


def killed(scene: Scene, course: str, name: str, side: str) -> str:
    """Kill a course at a point and go on; gives what is wrong in the end, or nothing."""
    more = {"version": "2"} if course == "promote" else {}
    if course == "rollback":
        assert scene.run("promote", version="2") == 0
    moves = len(scene.state()["moves"])
    assert scene.run(course, kill=name, side=side, **more) == KILLED
    has_moved = len(scene.state()["moves"]) > moves
    if not has_moved:
        assert scene.go_on(course, **more) == 0  # who sees that nothing happened does it again
    assert scene.go_on("follow") == 0
    state, wanted = scene.state(), "2" if course == "promote" else "1"
    if course == "promote":
        assert scene.run("rollback") == 0
        assert scene.go_on("follow") == 0
    is_right = (
        state["moves"][0][0] == wanted
        and len(state["moves"]) == moves + 1
        and state["aliases"] == {"champion": wanted}
    )
    return "" if is_right else f"{course}, {side} {name}: {state}"


@pytest.mark.parametrize("course", COURSES)
def test_a_move_that_is_killed_at_any_boundary_happens_once_and_the_alias_follows(
    two: Scene, course: str
) -> None:
    points = run_through(two, course)
    wrong = [killed(two, course, name, side) for name, side in points]

    assert len(points) >= 4
    assert "".join(wrong) == ""


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("course", COURSES)
def test_a_move_that_is_killed_at_any_boundary_happens_once_however_often_it_is_tried(
    two: Scene, course: str, repeats: int
) -> None:
    points = run_through(two, course) * repeats
    wrong = [told for name, side in points if (told := killed(two, course, name, side))]
    print(f"{len(points)} deaths of {course}, {len(wrong)} of them told")  # noqa: T201

    assert wrong == []
