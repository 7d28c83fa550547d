"""The command `trimtab`: thin verbs over what Python can do as well."""

from .group import main
from .options import project_option
from .output import console, narrate

__all__ = ["console", "main", "narrate", "project_option"]
