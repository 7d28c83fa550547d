"""MLflow does what it is asked, and the answer is lost: nothing is made twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .proxy import losing

if TYPE_CHECKING:
    from tests.faults.conftest import Scene, Stage

pytestmark = pytest.mark.e2e


def is_call(name: str) -> bool:
    return not name.startswith("commit")


@pytest.fixture(scope="module")
def undisturbed(stage: Stage) -> tuple[dict[str, Any], list[str]]:
    scene: Scene = stage()
    assert scene.run("work") == 0
    return scene.state(), list(filter(is_call, scene.tape))


def test_when_the_first_answer_to_every_call_is_lost_one_version_is_made_all_the_same(
    stage: Stage, undisturbed: tuple[dict[str, Any], list[str]], mlflow_server: str
) -> None:
    wanted, calls = undisturbed
    first_calls = {name for name in calls if name.endswith(" #1") and "PUT" not in name}
    lost: list[str] = []

    def first(name: str) -> str:
        if name not in first_calls:
            return ""
        lost.append(name)
        return "503" if len(lost) % 2 else "cut"

    with losing(mlflow_server, first) as proxy:
        scene = stage(proxy)
        assert scene.run("work") == 0

    assert set(lost) == first_calls
    assert scene.state() == wanted


@pytest.mark.long
@pytest.mark.timeout(20_000)
@pytest.mark.parametrize("how", ["503", "cut"])
def test_whichever_answer_is_lost_one_version_is_made(
    stage: Stage,
    undisturbed: tuple[dict[str, Any], list[str]],
    mlflow_server: str,
    how: str,
    repeats: int,
) -> None:
    wanted, calls = undisturbed
    wrong = []
    for call in calls * repeats:
        lost: list[str] = []

        def one(name: str, call: str = call, lost: list[str] = lost) -> str:
            if name != call:
                return ""
            lost.append(name)
            return how

        with losing(mlflow_server, one) as proxy:
            scene = stage(proxy)
            assert scene.run("work") == 0
        state = scene.state()
        if not lost or state != wanted:
            wrong.append(f"{call}: {state}")
            print(wrong[-1], flush=True)  # noqa: T201 (hours may pass before the end)
    print(f"{len(calls) * repeats} answers lost by {how}, {len(wrong)} of them told")  # noqa: T201

    assert wrong == []
