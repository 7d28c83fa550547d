"""Whether a port can be had, and a clear word when it cannot."""

import socket

from trimtab.errors import ExitCode, TrimtabError


class PortInUseError(TrimtabError):
    """Somebody else listens where we must."""

    exit_code = ExitCode.USAGE

    def __init__(self, host: str, port: int, setting: str) -> None:
        super().__init__(
            f"Port {port} on {host} is in use. Stop what listens there, or set {setting} in "
            "trimtab.toml to another port."
        )
        self.port = port


def require_free(host: str, port: int, setting: str) -> None:
    """Raise PortInUseError unless the port can be bound."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise PortInUseError(host, port, setting) from None
