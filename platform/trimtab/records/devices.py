"""Names of devices, as people write them and as answers are stamped: `cpu`, `cuda`, `cuda:1`."""

from typing import Annotated

from pydantic import StringConstraints

_FORM = r"(auto|cpu|cuda(:(0|[1-9][0-9]?))?)"
WantedDevice = Annotated[str, StringConstraints(pattern=rf"^{_FORM}$")]
"""`auto`, `cpu`, `cuda` for the first GPU that the process sees, or `cuda:1` for its second."""


def ordinal_of(device: str) -> int:
    """Tell which of the GPUs that a process sees is meant, from 0.

    >>> ordinal_of("cuda:1"), ordinal_of("cuda"), ordinal_of("auto")
    (1, 0, 0)
    """
    return int(device.partition(":")[2] or 0)


def is_gpu(device: str) -> bool:
    """Tell whether a device is a GPU.

    >>> is_gpu("cuda:1"), is_gpu("cpu")
    (True, False)
    """
    return device.partition(":")[0] == "cuda"
