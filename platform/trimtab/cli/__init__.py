"""The command `trimtab`: thin verbs over what Python can do as well."""

from .group import main
from .moments import Moment
from .options import project_option
from .output import Story, console, tell

__all__ = ["Moment", "Story", "console", "main", "project_option", "tell"]
