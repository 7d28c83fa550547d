"""A child that ends with its parent: the kernel sends it a signal."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def end_with_parent(parent: int, sig: signal.Signals = signal.SIGTERM) -> None:
    """Have this process sent a signal when its parent ends; called in the new child.

    `parent` is the id of who started it: one that died before this was called sends nothing
    any more. The signal comes too when only the thread that started the child ends.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, sig)
    if os.getppid() != parent:
        os._exit(1)
