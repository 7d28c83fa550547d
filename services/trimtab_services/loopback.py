"""Whether only this machine can reach an address."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine's own, for itself alone."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    mapped = getattr(address, "ipv4_mapped", None)  # how an IPv6 socket shows an IPv4 caller
    return (mapped or address).is_loopback
