"""The process that sends one alert to one address, and ends.

A process of its own can be ended when an address dribbles on for ever, and can be forbidden to
connect to private targets without forbidding it to the monitor, whose database may be one.
"""

import logging
import os
import signal
import sys
import time
from dataclasses import dataclass

import httpx2

from trimtab.adapters.lifetime import end_with_parent
from trimtab.records.deliveries import Attempt
from trimtab.records.documents import from_json, to_json

from .addresses import is_webhook
from .messages import text_of
from .targets import refuse_private_targets
from .webhooks import message_id, payload, signatures

_ANSWER_SECONDS = 10.0
_TIMES = httpx2.Timeout(_ANSWER_SECONDS, connect=5.0)
_DOUBT = "You may have this already: an attempt before this one ended without an answer."
_PRIVATE = "it is a private target; alerts.allow_private = true would let it be reached"
# What callers send may end up in an alert, and must not call people or lead them elsewhere.
_HARMLESS = str.maketrans(
    {
        "<": "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}",
        ">": "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}",
        "@": "@\N{ZERO WIDTH SPACE}",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What the sender is told on its standard input."""

    parent: int
    """The id of the process that waits for it."""
    url: str
    secrets: tuple[str, ...]
    """Hexadecimal."""
    attempt: Attempt
    allow_private: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the sender writes to its standard output."""

    error: str | None
    """None where the address has the alert. It names no address."""
    is_unsure: bool = False
    """The address may have the alert nevertheless."""


def main() -> None:
    """Send what standard input says."""
    answer = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whatever a library prints is no answer
    job = from_json(Job, sys.stdin.buffer.read())
    end_with_parent(job.parent, signal.SIGKILL)
    logging.disable(logging.CRITICAL)  # libraries log addresses, tokens included
    os.write(answer, to_json(send(job)))


def send(job: Job) -> Outcome:
    """Send an alert. Raises nothing; forbids private targets to this process for good."""
    refused: list[str] = []
    if not job.allow_private:
        refuse_private_targets(refused)
    try:
        outcome = _post(job) if is_webhook(job.url) else _notify(job)
    except Exception as error:  # plugins raise what they like, with addresses in the text
        outcome = Outcome(error=type(error).__name__, is_unsure=True)
    return Outcome(error=_PRIVATE) if outcome.error and refused else outcome


def _post(job: Job) -> Outcome:
    """Send a signed webhook; proxies and redirects would hide where it ends."""
    alert, now = job.attempt.alert, int(time.time())
    body, id = payload(alert), message_id(alert)
    secrets = [bytes.fromhex(secret) for secret in job.secrets]
    headers = {
        "content-type": "application/json",
        "user-agent": "trimtab",
        "webhook-id": id,
        "webhook-timestamp": str(now),
        "webhook-signature": signatures(secrets, id, now, body),
    }
    try:
        with (
            httpx2.Client(trust_env=False, follow_redirects=False, timeout=_TIMES) as client,
            client.stream("POST", job.url, content=body, headers=headers) as answer,
        ):
            return _judged(answer)
    except (httpx2.ConnectError, httpx2.ConnectTimeout):
        return Outcome(error="it cannot be reached")
    except httpx2.TimeoutException:
        return Outcome(error="it did not answer in time", is_unsure=True)
    except httpx2.TransportError:
        return Outcome(error="it closed the connection without an answer", is_unsure=True)


def _judged(answer: httpx2.Response) -> Outcome:
    if answer.is_success:
        return Outcome(error=None)
    hint = "; redirects are not followed" if answer.is_redirect else ""
    return Outcome(error=f"it answered {answer.status_code}{hint}")


def _notify(job: Job) -> Outcome:
    """Send by Apprise, which says no more than that it worked or did not."""
    import apprise  # half a second that webhooks need not wait
    from apprise.url import URLBase

    URLBase.socket_read_timeout = _ANSWER_SECONDS  # 4 s: too often the message arrived after all
    messenger = apprise.Apprise(asset=apprise.AppriseAsset(http_redirects=False))
    if not messenger.add(job.url):
        return Outcome(error="Apprise does not know such an address")
    alert, began = job.attempt.alert, time.monotonic()
    text = f"{text_of(alert)}\n{_DOUBT}" if job.attempt.is_unsure else text_of(alert)
    sent = messenger.notify(
        title=alert.title.translate(_HARMLESS),
        body=text.translate(_HARMLESS),
        body_format=apprise.NotifyFormat.TEXT,
    )
    if sent:
        return Outcome(error=None)
    slow = time.monotonic() - began >= _ANSWER_SECONDS
    return Outcome(error="it did not take the message", is_unsure=slow)


if __name__ == "__main__":
    main()
