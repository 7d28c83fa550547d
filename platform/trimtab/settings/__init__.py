"""What a user declares: `trimtab.toml` and the environment."""

from .environment import TELEMETRY_OFF, Environment
from .home import Home
from .hosts import is_loopback
from .loading import FILE, Settings, load
from .project import (
    MODEL_NAME,
    AlertSettings,
    CaptureSettings,
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
from .rules import rules_of

__all__ = [
    "FILE",
    "MODEL_NAME",
    "TELEMETRY_OFF",
    "AlertSettings",
    "CaptureSettings",
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
    "is_loopback",
    "load",
    "rules_of",
]
