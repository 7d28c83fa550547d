"""What a user declares: `trimtab.toml` and the environment."""

from .environment import TELEMETRY_OFF, Environment
from .home import Home
from .loading import FILE, Settings, load
from .project import (
    AlertSettings,
    DemoSettings,
    GateSettings,
    ModelSettings,
    MonitorSettings,
    PlatformSettings,
    Project,
    RetrainSettings,
    ServeSettings,
    TrainSettings,
)

__all__ = [
    "FILE",
    "TELEMETRY_OFF",
    "AlertSettings",
    "DemoSettings",
    "Environment",
    "GateSettings",
    "Home",
    "ModelSettings",
    "MonitorSettings",
    "PlatformSettings",
    "Project",
    "RetrainSettings",
    "ServeSettings",
    "Settings",
    "TrainSettings",
    "load",
]
