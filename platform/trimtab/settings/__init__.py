"""What a user declares: `trimtab.toml` and the environment."""

from .environment import TELEMETRY_OFF, Environment
from .home import Home
from .hosts import is_loopback
from .learning import GateSettings, PromotionSettings, RetrainSettings, TrainSettings
from .loading import FILE, Settings, load
from .project import (
    MODEL_NAME,
    AlertSettings,
    DemoSettings,
    ModelSettings,
    PlatformSettings,
    Project,
)
from .rules import rules_of
from .serving import CaptureSettings, MonitorSettings, ServeSettings

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
    "PromotionSettings",
    "RetrainSettings",
    "ServeSettings",
    "Settings",
    "TrainSettings",
    "is_loopback",
    "load",
    "rules_of",
]
