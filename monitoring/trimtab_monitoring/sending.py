"""Having one alert sent by a process that may be ended: bounded time, bounded reach."""

import os
import subprocess
import sys

from pydantic import ValidationError

from trimtab.records.deliveries import Attempt
from trimtab.records.documents import from_json, to_json

from .addresses import Address
from .sender import Job, Outcome

LONGEST_SECONDS = 20.0
"""After this an attempt is ended, whatever the address does."""


def send_apart(
    address: Address,
    attempt: Attempt,
    *,
    allow_private: bool,
    seconds: float = LONGEST_SECONDS,
) -> Outcome:
    """Send an alert to an address. Raises nothing."""
    job = Job(
        parent=os.getpid(),
        url=address.url,
        secrets=tuple(secret.hex() for secret in address.secrets),
        attempt=attempt,
        allow_private=allow_private,
    )
    try:
        done = subprocess.run(
            [sys.executable, "-m", "trimtab_monitoring.sender"],
            input=to_json(job),  # not an argument: other users of this machine can read those
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(allow_private),
            timeout=seconds,
            check=False,
        )
        return from_json(Outcome, done.stdout)
    except subprocess.TimeoutExpired:
        return Outcome(error=f"it did not answer within {seconds:g} s", is_unsure=True)
    except ValidationError:
        return Outcome(error="the sender died", is_unsure=True)
    except OSError as error:
        return Outcome(error=f"the sender did not start: {error.strerror}")


def _environment(allow_private: bool) -> dict[str, str]:
    """Give the sender what it needs: no secrets of ours, and no proxy that would hide a target."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TRIMTAB_")
        and (allow_private or not name.lower().endswith("_proxy"))
    }
