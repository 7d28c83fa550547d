"""Two folders trade names in one step, so that a reader sees the one or the other, never both."""

import ctypes
import os
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_HERE = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE


def exchange(one: Path, other: Path) -> None:
    """Let two folders of one file system trade names.

    Raises OSError; EINVAL or ENOSYS where the file system cannot do it (NFS cannot).
    """
    done = _LIBC.renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE)
    if done != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(one))
