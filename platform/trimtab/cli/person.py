"""Who types: the name by which the ledger knows a person."""

import getpass


def person() -> str:
    """Give the name of the user that runs the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "cli"
