"""Keeping connections away from private targets, where they are made: at connect.

A look at the name beforehand would not do: it may resolve to something else a moment later, and a
redirect or a library may lead elsewhere.
"""

import ipaddress
import sys
from typing import Any

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")  # the old way to write an IPv4 address as IPv6
_ALSO_PRIVATE = [  # whatever this version of Python calls global
    ipaddress.ip_network(network)
    for network in (
        "168.63.129.16/32",  # Azure's metadata, inside each virtual network
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata is among them
        "64:ff9b:1::/48",  # NAT64 of a site's own
        "fec0::/10",  # site-local, deprecated
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
    )
]
_CONNECTING = {"socket.connect", "socket.sendto", "socket.sendmsg"}

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


class PrivateTargetError(OSError):
    """A connection to a private target was refused."""


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to the public internet; False for what is no address.

    An address that carries another one in it (mapped, NAT64, 6to4, Teredo) is as public as that.

    >>> is_public("93.184.215.14"), is_public("64:ff9b::10.0.0.1"), is_public("100.100.100.200")
    (True, False, False)
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return all(_is_global(each) for each in (ip, *_carried(ip)))


def refuse_private_targets(refused: list[str]) -> None:
    """From now on, for good, let this process connect to public addresses only.

    What is refused is added to `refused`, as libraries swallow the error.
    """

    def check(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _CONNECTING and not _may_be_reached(arguments[1]):
            refused.append(str(arguments[1]))
            raise PrivateTargetError("private targets are refused")

    sys.addaudithook(check)


def _may_be_reached(target: object) -> bool:
    """Judge what a socket is about to be connected to; a name or a path cannot be judged."""
    if target is None:  # a datagram on a socket that is connected already
        return True
    return isinstance(target, tuple) and bool(target) and is_public(str(target[0]))


def _carried(ip: Ip) -> list[Ip]:
    """List the addresses that an IPv6 address carries in itself."""
    if isinstance(ip, ipaddress.IPv4Address):
        return []
    teredo = ip.teredo or ()
    found: list[Ip | None] = [ip.ipv4_mapped, ip.sixtofour, *teredo]
    if ip in _NAT64 or ip in _COMPATIBLE:
        found.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    return [each for each in found if each is not None]


def _is_global(ip: Ip) -> bool:
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        return True  # as public as what it carries, which is judged on its own
    return ip.is_global and not ip.is_multicast and not any(ip in net for net in _ALSO_PRIVATE)
