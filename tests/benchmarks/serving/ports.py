"""Ports of loopback that nobody listens on."""

import socket


def free_port() -> int:
    """Find one; it is free until somebody else takes it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
