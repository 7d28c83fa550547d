"""Whether a port can be had, and a clear word when it cannot."""

import errno
import os
import socket

from trimtab.errors import ExitCode, SettingsError, TrimtabError

_NO_SUCH_ADDRESS = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


class PortInUseError(TrimtabError):
    """Somebody else listens where we must."""

    exit_code = ExitCode.USAGE

    def __init__(self, host: str, port: int, setting: str) -> None:
        super().__init__(
            f"Port {port} on {host} is in use. Stop what listens there, or set {setting} in "
            "trimtab.toml to another port."
        )
        self.port = port


class AddressError(SettingsError):
    """Nobody, or not this user, can listen at an address of `trimtab.toml`."""


def require_free(host: str, port: int, setting: str) -> None:
    """Check that a port can be bound; `setting` is the one that names it.

    Raises PortInUseError, or AddressError for another reason.
    """
    host_setting = f"{setting.rpartition('.')[0]}.host"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise AddressError(f"{host_setting} = {host!r} is no address and no known name.") from None
    refusals = {_refusal(family, address) for family, _, _, _, address in found}
    if errno.EADDRINUSE in refusals:
        raise PortInUseError(host, port, setting)
    if errno.EACCES in refusals:
        raise AddressError(
            f"Port {port} on {host} is not yours to listen on; ports below 1024 mostly are not. "
            f"Set {setting} in trimtab.toml to a higher one."
        )
    if refusals <= _NO_SUCH_ADDRESS:  # of a name with two families, one may do
        raise AddressError(
            f"This machine has no address {host}. Set {host_setting} in trimtab.toml to one of "
            "its own, such as 127.0.0.1."
        )
    for number in refusals - _NO_SUCH_ADDRESS - {0}:
        raise AddressError(f"{setting}: {host} port {port}: {os.strerror(number)}.")


def _refusal(family: int, address: object) -> int:
    """Try to bind an address; give the number of the error, 0 for none."""
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)  # type: ignore[arg-type]
    except OSError as error:
        return error.errno or errno.EIO
    return 0
