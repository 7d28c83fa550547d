"""Starting, watching and ending the processes of a platform."""

from .group import ProcessGroup, Report, StartError
from .listening import PortInUseError, require_free
from .lock import AlreadyUpError, is_up
from .process import CHILD_ENVIRONMENT, Child, ProcessSpec
from .signals import until_signal
from .up import platform_up

__all__ = [
    "CHILD_ENVIRONMENT",
    "AlreadyUpError",
    "Child",
    "PortInUseError",
    "ProcessGroup",
    "ProcessSpec",
    "Report",
    "StartError",
    "is_up",
    "platform_up",
    "require_free",
    "until_signal",
]
