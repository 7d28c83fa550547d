"""NVIDIA's driver, asked by its own C interface: which GPUs there are, and how full they are."""

import ctypes
from typing import Any, Self

LIBRARY = "libcuda.so.1"


class CudaDriverError(Exception):
    """The driver is not there, or does not do what it was asked."""


class CudaDriver:
    """The driver as this process sees it: `CUDA_VISIBLE_DEVICES` hides GPUs and renumbers the rest.

    Asking it is final for the process: a child forked afterwards cannot use a GPU.
    """

    def __init__(self, library: Any) -> None:
        """Start the driver. Raises CudaDriverError."""
        self._library = library
        self._do("cuInit", 0)

    @classmethod
    def load(cls) -> Self:
        """Find the installed driver. Raises CudaDriverError."""
        try:
            library = ctypes.CDLL(LIBRARY)
        except OSError as error:
            raise CudaDriverError(f"there is no NVIDIA driver ({error})") from None
        return cls(library)

    @property
    def count(self) -> int:
        """How many GPUs there are."""
        count = ctypes.c_int(0)
        self._do("cuDeviceGetCount", ctypes.byref(count))
        return count.value

    def free_bytes(self, ordinal: int) -> int:
        """Tell how much of a GPU's memory nobody has taken.

        What the process needs to use the GPU at all is taken first, so it is not in the figure.
        """
        device, context = ctypes.c_int(0), ctypes.c_void_p()
        free, total = ctypes.c_size_t(0), ctypes.c_size_t(0)
        self._do("cuDeviceGet", ctypes.byref(device), ordinal)
        self._do("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        try:
            self._do("cuCtxPushCurrent_v2", context)
            try:
                self._do("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
            finally:
                self._do("cuCtxPopCurrent_v2", ctypes.byref(context))
        finally:
            self._do("cuDevicePrimaryCtxRelease_v2", device)
        return free.value

    def _do(self, name: str, *arguments: object) -> None:
        """Call a function of the driver; each gives 0, or the number of its error."""
        if error := getattr(self._library, name)(*arguments):
            raise CudaDriverError(f"the NVIDIA driver fails in {name} (CUDA error {error})")
