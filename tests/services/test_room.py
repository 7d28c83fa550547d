"""A swap on a GPU that has no room for two versions, with devices as the driver would choose."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trimtab.adapters.device import DeviceChoice
from trimtab.adapters.golden import GoldenReport
from trimtab.adapters.predictor import Predictor
from trimtab.policy.serving import plan_serving
from trimtab.records.plans import Cost
from trimtab_services.bundle import source_of
from trimtab_services.environment import ServingEnvironment
from trimtab_services.room import take_in
from trimtab_services.service import Endpoint
from trimtab_services.swap import Champion

FULL = DeviceChoice(device="cpu", note="CPU: the GPU has 1 MiB free", awaits_room=True)
GPU = DeviceChoice(device="cuda", note="GPU found and working")
Load = Callable[[], Champion]


@pytest.fixture(scope="module")
def source(shelf: Any) -> Path:
    folder: Path = source_of(shelf.bento("1"))
    return folder


@pytest.fixture
def endpoint(source: Path) -> Endpoint:
    endpoint = Endpoint(source, ServingEnvironment())
    endpoint.swap(champion(endpoint, "1", GPU))
    return endpoint


def champion(endpoint: Endpoint, version: str, choice: DeviceChoice) -> Champion:
    return Champion(
        version=version,
        manifest_sha256="",
        predictor=Predictor(endpoint.contract, None, choice),
        golden=GoldenReport(rows=1, differing=0, worst=0.0),
        plan=plan_serving(Cost(one_row=1.0, sixteen_rows=1.0), None),
    )


def loads(endpoint: Endpoint, *choices: DeviceChoice | Exception) -> tuple[Load, list[str]]:
    """Make a loader that finds these devices in turn, and the record of what answered then."""
    waiting: Iterator[DeviceChoice | Exception] = iter(choices)
    answered: list[str] = []

    def load() -> Champion:
        answered.append(f"{endpoint.champion.version} on {endpoint.champion.device}")
        choice = next(waiting)
        if isinstance(choice, Exception):
            raise choice
        return champion(endpoint, "2", choice)

    return load, answered


def test_a_version_that_fits_is_loaded_once(endpoint: Endpoint) -> None:
    load, answered = loads(endpoint, GPU)
    take_in(endpoint, load)

    assert (endpoint.champion.version, endpoint.champion.device) == ("2", "cuda")
    assert answered == ["1 on cuda"]


def test_a_version_without_room_answers_from_the_cpu_until_the_old_one_is_gone(
    endpoint: Endpoint,
) -> None:
    load, answered = loads(endpoint, FULL, GPU)
    take_in(endpoint, load)

    assert answered == ["1 on cuda", "2 on cpu"]
    assert (endpoint.champion.version, endpoint.champion.device) == ("2", "cuda")


def test_a_gpu_that_others_fill_leaves_the_version_on_the_cpu(endpoint: Endpoint) -> None:
    load, _ = loads(endpoint, FULL, FULL)
    take_in(endpoint, load)

    assert (endpoint.champion.version, endpoint.champion.device) == ("2", "cpu")
    assert "1 MiB free" in endpoint.champion.predictor.device_note


def test_what_goes_wrong_on_the_way_to_the_gpu_does_not_undo_the_swap(endpoint: Endpoint) -> None:
    load, _ = loads(endpoint, FULL, RuntimeError("out of memory"))
    take_in(endpoint, load)

    assert (endpoint.champion.version, endpoint.champion.device) == ("2", "cpu")


def test_a_version_that_is_refused_at_once_leaves_the_old_one(endpoint: Endpoint) -> None:
    load, _ = loads(endpoint, ValueError("not proven"))

    with pytest.raises(ValueError, match="not proven"):
        take_in(endpoint, load)
    assert (endpoint.champion.version, endpoint.champion.device) == ("1", "cuda")


def test_the_old_version_is_let_go_before_the_second_look(endpoint: Endpoint) -> None:
    import weakref

    old = weakref.ref(endpoint.champion.predictor)
    gone: list[bool] = []
    inner, _ = loads(endpoint, FULL, GPU)

    def load() -> Champion:
        gone.append(old() is None)
        return inner()

    take_in(endpoint, load)

    assert gone == [False, True]
