"""Who can reach what listens on a host."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach it.

    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
    (True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
