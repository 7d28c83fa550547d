import ctypes
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from trimtab.adapters.cuda_driver import CudaDriver, CudaDriverError
from trimtab.adapters.device import (
    PROBES,
    WORKING_BYTES,
    Probe,
    bytes_needed,
    choose,
    driver,
    resolve,
    room_for,
)
from trimtab.records.devices import WantedDevice, is_gpu, ordinal_of


def fine(ordinal: int) -> str | None:
    return None


def no_driver(ordinal: int) -> str | None:
    return "there is no driver"


def broken(ordinal: int) -> str | None:
    raise OSError("libcuda.so.1: file too short")


class Library:
    """Libcuda as a machine with some GPUs has it; `failing` names functions that do not work."""

    def __init__(self, *free: int, failing: str = "") -> None:
        self.free = free
        self.failing = failing
        self.retained = 0
        self.current: list[int] = []

    def __getattr__(self, name: str) -> Any:
        if name == self.failing:
            return lambda *_: 999
        return getattr(type(self), f"_{name}").__get__(self)

    def _cuInit(self, flags: int) -> int:
        return 0

    def _cuDeviceGetCount(self, count: Any) -> int:
        count._obj.value = len(self.free)
        return 0

    def _cuDeviceGet(self, device: Any, ordinal: int) -> int:
        if ordinal >= len(self.free):
            return 101
        device._obj.value = ordinal
        return 0

    def _cuDevicePrimaryCtxRetain(self, context: Any, device: ctypes.c_int) -> int:
        self.retained += 1
        context._obj.value = 4096 + device.value
        return 0

    def _cuCtxPushCurrent_v2(self, context: ctypes.c_void_p) -> int:
        self.current.append(int(context.value or 0) - 4096)
        return 0

    def _cuMemGetInfo_v2(self, free: Any, total: Any) -> int:
        free._obj.value, total._obj.value = self.free[self.current[-1]], 80 << 30
        return 0

    def _cuCtxPopCurrent_v2(self, context: Any) -> int:
        self.current.pop()
        return 0

    def _cuDevicePrimaryCtxRelease_v2(self, device: ctypes.c_int) -> int:
        self.retained -= 1
        return 0


def test_a_gpu_is_taken_where_every_probe_is_content() -> None:
    assert resolve("auto", [fine, fine]).device == "cuda"
    assert resolve("cuda", [fine]).device == "cuda"
    assert resolve("cuda:1", [fine], room=fine).device == "cuda:1"


@pytest.mark.parametrize("wanted", ["auto", "cuda", "cuda:0", "cuda:7"])
@pytest.mark.parametrize("probes", [[no_driver], [fine, no_driver], [broken], [fine, broken]])
def test_one_probe_that_is_not_content_leaves_the_cpu(wanted: str, probes: list[Probe]) -> None:
    choice = resolve(wanted, probes)

    assert choice.device == "cpu"
    assert not choice.awaits_room
    assert "driver" in choice.note or "OSError: libcuda.so.1: file too short" in choice.note


def test_cpu_is_never_probed() -> None:
    def never(ordinal: int) -> str | None:
        raise AssertionError

    assert resolve("cpu", [never], room=never).note == "CPU, as set"


def test_a_gpu_that_was_asked_for_and_is_not_there_is_said_aloud(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        choice = resolve("cuda:1", [no_driver])

    assert choice.note == "CPU instead of cuda:1, which was asked for: there is no driver"
    assert "device = cuda:1 is set, and cannot be used: there is no driver" in caplog.text


def test_auto_falls_back_without_alarm(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        resolve("auto", [no_driver])

    assert caplog.text == ""


def test_every_probe_is_asked_about_the_gpu_that_is_meant() -> None:
    asked: list[int] = []

    def note(ordinal: int) -> str | None:
        asked.append(ordinal)
        return None

    for wanted in ("cuda:3", "cuda", "auto"):
        resolve(wanted, [note], room=note)

    assert asked == [3, 3, 0, 0, 0, 0]


def test_room_is_only_asked_for_on_a_gpu_that_works() -> None:
    def never(ordinal: int) -> str | None:
        raise AssertionError

    assert resolve("cuda", [no_driver], room=never).note.endswith("there is no driver")


@pytest.mark.parametrize("count", [0, 1, 2])
def test_an_ordinal_beyond_the_gpus_of_the_process_is_refused(count: int) -> None:
    def load() -> CudaDriver:
        return CudaDriver(Library(*[1 << 30] * count))

    reasons = [driver(ordinal, load) for ordinal in range(3)]

    assert [reason is None for reason in reasons] == [ordinal < count for ordinal in range(3)]
    assert "GPU" in str(reasons[2])


def test_a_driver_that_does_not_start_is_a_reason() -> None:
    reason = driver(0, lambda: CudaDriver(Library(1, failing="cuInit")))

    assert reason == "the NVIDIA driver fails in cuInit (CUDA error 999)"


def test_a_missing_driver_is_a_reason() -> None:
    def load() -> CudaDriver:
        raise CudaDriverError("there is no NVIDIA driver (libcuda.so.1)")

    assert driver(0, load) == "there is no NVIDIA driver (libcuda.so.1)"


@given(free=st.integers(0, 80 << 30), size=st.integers(0, 20 << 30))
def test_a_gpu_is_taken_exactly_when_the_estimate_fits(free: int, size: int) -> None:
    needed = bytes_needed(size)
    choice = resolve("cuda:1", [fine], room_for(needed, lambda: CudaDriver(Library(0, free))))

    assert needed >= size + WORKING_BYTES
    assert (choice.device == "cuda:1") == (free >= needed)
    assert choice.awaits_room == (free < needed)


def test_a_full_gpu_is_said_with_both_figures() -> None:
    room = room_for(bytes_needed(1 << 30), lambda: CudaDriver(Library(1 << 30)))
    choice = resolve("auto", [fine], room)

    assert choice.note == "CPU: the GPU has 1024 MiB free, and the model may need 3328 MiB"


@pytest.mark.parametrize("failing", ["cuDevicePrimaryCtxRetain", "cuMemGetInfo_v2", "cuDeviceGet"])
def test_a_driver_that_cannot_tell_its_memory_leaves_the_cpu_and_holds_nothing(
    failing: str,
) -> None:
    library = Library(1 << 40, failing=failing)
    choice = resolve("cuda", [fine], room_for(1, lambda: CudaDriver(library)))

    assert choice.device == "cpu"
    assert failing in choice.note
    assert (library.retained, library.current) == (0, [])


@pytest.mark.parametrize("name", ["auto", "cpu", "cuda", "cuda:0", "cuda:1", "cuda:15"])
def test_names_of_devices_are_accepted(name: str) -> None:
    assert TypeAdapter(WantedDevice).validate_python(name) == name


@pytest.mark.parametrize(
    "name", ["", "gpu", "cuda:", "cuda:-1", "cuda:01", "cuda:1 ", "cuda:1\n", "cpu:0", "CUDA:1"]
)
def test_other_names_are_not(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(WantedDevice).validate_python(name)


def test_a_name_tells_whether_it_is_a_gpu_and_which() -> None:
    names = ["cpu", "cuda", "cuda:0", "cuda:12"]

    assert [is_gpu(name) for name in names] == [False, True, True, True]
    assert [ordinal_of(name) for name in names] == [0, 0, 0, 12]


def test_the_real_probes_answer_on_this_machine() -> None:
    choice = choose("auto", 0)

    assert is_gpu(choice.device) == (all(probe(0) is None for probe in PROBES))
    assert driver(0) is None or "NVIDIA driver" in str(driver(0))


def test_the_real_loader_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("trimtab.adapters.cuda_driver.LIBRARY", str(tmp_path / "libcuda.so.1"))

    with pytest.raises(CudaDriverError, match="there is no NVIDIA driver"):
        CudaDriver.load()
