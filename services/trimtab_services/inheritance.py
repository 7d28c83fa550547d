"""What a child process gets from its parent: some of its environment, and its end."""

import os
import signal

from trimtab.adapters.lifetime import end_with_parent

_PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
"""Of the parent's environment; an endpoint has no business with database passwords."""
BASE_ENVIRONMENT = {
    "PYTHONDONTWRITEBYTECODE": "1",  # a bento stays as it was built
    "PYTHONUNBUFFERED": "1",
    "OMP_NUM_THREADS": "1",  # a second thread on one row costs twice and answers later
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # a thread would not survive a fork
    "BENTOML_DO_NOT_TRACK": "True",
    "DO_NOT_TRACK": "true",
}


def passed_on() -> dict[str, str]:
    """Give what a child inherits of our own environment."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_ON or name.startswith("OTEL_")  # where traces go, and how
    }


def begin_child(parent: int) -> None:
    """Called in a new child before it runs anything, with the id of who started it."""
    end_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's business
