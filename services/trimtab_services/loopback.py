"""Whether only this machine can reach an address."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine's own, for itself alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
