"""The socket of an endpoint: owned by the supervisor, so that no request is lost with a process."""

import errno
import socket
import time

from trimtab.errors import OpenEndpointError, SettingsError
from trimtab.settings import Settings
from trimtab.supervisor import PortInUseError

from .loopback import is_loopback

_BACKLOG = 2048
PATIENCE_SECONDS = 6.0
"""A supervisor that was killed leaves a process behind that drains this long."""


def listen(
    settings: Settings, model: str, patience: float = PATIENCE_SECONDS, *, has_keys: bool = False
) -> socket.socket:
    """Listen where the model's endpoint must; callers wait in line until a process serves them.

    `has_keys` tells whether there are keys besides one in the environment. Raises
    PortInUseError, OpenEndpointError where anybody could call without a key, and SettingsError.
    """
    serve = settings.model(model).serve
    is_closed = has_keys or settings.environment.api_key is not None
    if not is_closed and not is_loopback(serve.host):
        raise OpenEndpointError(model, serve.host)
    family = socket.AF_INET6 if ":" in serve.host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    deadline = time.monotonic() + patience
    while True:
        try:
            listening.bind((serve.host, serve.port))
            listening.listen(_BACKLOG)
            return listening
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            listening.close()
            if error.errno == errno.EADDRINUSE:
                setting = f"models.{model}.serve.port"
                raise PortInUseError(serve.host, serve.port, setting) from None
            where = f"{serve.host} port {serve.port}"
            raise SettingsError(f"models.{model}.serve cannot listen on {where}: {error}") from None
