"""What the components need of the outside world, worded for the caller."""

from .clock import Clock
from .inference_log import InferenceLog, LogUpkeep
from .labels import LabelFiles, Labels, LabelSearch
from .registry import ModelRegistry
from .reports import Reports
from .stores import (
    Database,
    Endpoints,
    FalseMarks,
    Incidents,
    Keys,
    Ledger,
    Outbox,
    Promotions,
    RetrainRequests,
    Stores,
    Trials,
    Verdicts,
)

__all__ = [
    "Clock",
    "Database",
    "Endpoints",
    "FalseMarks",
    "Incidents",
    "InferenceLog",
    "Keys",
    "LabelFiles",
    "LabelSearch",
    "Labels",
    "Ledger",
    "LogUpkeep",
    "ModelRegistry",
    "Outbox",
    "Promotions",
    "Reports",
    "RetrainRequests",
    "Stores",
    "Trials",
    "Verdicts",
]
