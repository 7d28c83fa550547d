import logging

import pytest

from trimtab.adapters.device import PROBES, Probe, Wanted, driver, resolve


def fine() -> str | None:
    return None


def no_driver() -> str | None:
    return "there is no driver"


def broken() -> str | None:
    raise OSError("libcuda.so.1: file too short")


def test_a_gpu_is_taken_where_every_probe_is_content() -> None:
    assert resolve("auto", [fine, fine]).device == "cuda"
    assert resolve("cuda", [fine]).device == "cuda"


@pytest.mark.parametrize("wanted", ["auto", "cuda"])
@pytest.mark.parametrize("probes", [[no_driver], [fine, no_driver], [broken], [fine, broken]])
def test_one_probe_that_is_not_content_leaves_the_cpu(wanted: Wanted, probes: list[Probe]) -> None:
    choice = resolve(wanted, probes)

    assert choice.device == "cpu"
    assert "driver" in choice.note or "OSError: libcuda.so.1: file too short" in choice.note


def test_cpu_is_never_probed() -> None:
    def never() -> str | None:
        raise AssertionError

    assert resolve("cpu", [never]).note == "CPU, as set"


def test_a_gpu_that_was_asked_for_and_is_not_there_is_said_aloud(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        choice = resolve("cuda", [no_driver])

    assert choice.note == "CPU instead of the GPU asked for: there is no driver"
    assert "device = cuda is set, and cannot be used: there is no driver" in caplog.text


def test_auto_falls_back_without_alarm(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        resolve("auto", [no_driver])

    assert caplog.text == ""


def test_the_real_probes_answer_on_this_machine() -> None:
    choice = resolve("auto", PROBES)

    assert (choice.device == "cuda") == all(probe() is None for probe in PROBES)
    assert driver() is None or "NVIDIA driver" in str(driver())
