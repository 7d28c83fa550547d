"""Private targets are refused when they are connected to, whatever they are called."""

import ipaddress
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab_monitoring.targets import is_public

PRIVATE = [
    *("3fff::1", "5f00::1", "192.0.0.170"),
    *("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255"),
    *("192.168.0.1", "169.254.169.254", "100.64.0.1", "100.127.255.255", "100.100.100.200"),
    *("168.63.129.16", "192.0.0.192", "198.18.0.1", "224.0.0.1", "239.1.1.1", "255.255.255.255"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::10.0.0.1"),
    *("64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1", "64:ff9b:1::10.0.0.1"),
    *("2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::", "2001:db8::1", "100::1"),
    *(
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "",
        "localhost",
        "example.com",
        "127.1",
        "0x7f000001",
    ),
]
PUBLIC = [
    *("93.184.215.14", "8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.255.255", "100.128.0.1"),
    *("2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_of_the_public_internet_is_private(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_of_the_public_internet_is_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_no_way_of_writing_a_private_address_as_ipv6_makes_it_public(
    ip: ipaddress.IPv4Address,
) -> None:
    high, low = f"{int(ip) >> 16:x}", f"{int(ip) & 0xFFFF:x}"
    for written in (f"::ffff:{ip}", f"64:ff9b::{high}:{low}", f"2002:{high}:{low}::1"):
        assert is_public(ip.exploded) or not is_public(written)


TRIES = """
import socket, sys, threading
from trimtab_monitoring.targets import PrivateTargetError, refuse_private_targets

server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
found = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
socket.getaddrinfo = lambda *_, **__: [found]
refused = []
refuse_private_targets(refused)


def plain(): socket.socket().connect(("127.0.0.1", port))
def with_errno(): socket.socket().connect_ex(("127.0.0.1", port))
def by_name(): socket.socket().connect(("localhost", port))
def rebound(): socket.create_connection(("public.example", port))
def datagram(): socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port))
def message():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendmsg([b"x"], [], 0, ("127.0.0.1", port))
def local(): socket.socket(socket.AF_UNIX).connect("/run/whatever.sock")
def in_a_thread():
    caught = []
    def run():
        try: plain()
        except PrivateTargetError as error: caught.append(error)
    thread = threading.Thread(target=run); thread.start(); thread.join()
    raise caught[0]


for attempt in (plain, with_errno, by_name, rebound, datagram, message, local, in_a_thread):
    try: attempt()
    except PrivateTargetError: print(attempt.__name__)
server.settimeout(0.05)
try: print("CONNECTED", server.accept())
except TimeoutError: pass
"""


def test_every_way_to_a_private_target_is_closed_at_the_connection() -> None:
    """Also when a name has changed its mind since it was looked up."""
    done = subprocess.run(
        [sys.executable, "-c", TRIES], capture_output=True, text=True, timeout=30, check=False
    )

    assert done.stdout.split() == [
        *("plain", "with_errno", "by_name", "rebound", "datagram", "message", "local"),
        "in_a_thread",
    ], done.stderr
