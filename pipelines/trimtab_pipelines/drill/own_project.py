"""A project of its own for the temporary platform: the model's settings, other places."""

import random
import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trimtab.settings import FILE, Settings, load
from trimtab_pipelines.live_traffic.own_home import at_home

from .material import KEY
from .toml_text import to_toml

ROWS = "rows.parquet"
"""The source of the model: all rows of the drill, those of the future included."""
_PORTS = range(20_000, 32_000)
"""Below those that the kernel gives to outgoing connections: one of these could be in the way."""
_HOST = "127.0.0.1"


def write_project(
    settings: Settings, model: str, folder: Path, home: Path, alerts: str
) -> Settings:
    """Write the project into a folder and load it; `alerts` is the URL that gets the alerts.

    All that decides what the platform does is the user's: windows, budgets, rules, learners. A
    winner is promoted without approval, as nobody is there to give it. Ports are free ones.
    """
    content = tomllib.loads((settings.folder / FILE).read_text(encoding="utf-8"))
    ports = free_ports()
    table: dict[str, Any] = {**content["models"][model], "source": ROWS}
    table.pop("source_url", None)
    table.setdefault("key", KEY)
    table["serve"] = {**table.get("serve", {}), "host": _HOST, "port": next(ports)}
    for name, section in table.items():
        if isinstance(section, dict) and "approval" in section:
            table[name] = {**section, "approval": "automatic"}
    project = {
        "models": {model: table},
        "alerts": {"urls": [alerts], "allow_private": True},
        "platform": {"mlflow_port": next(ports)},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(to_toml(project), encoding="utf-8")
    return load(folder, at_home(settings.environment, home))


def free_ports() -> Iterator[int]:
    """Yield ports on loopback that nobody listens on, each once."""
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind((_HOST, port))
            except OSError:
                continue
        yield port
