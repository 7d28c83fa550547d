"""Why a past cannot be replayed."""

from trimtab.errors import ExitCode, TrimtabError


class ReplayError(TrimtabError):
    """The past, or the way it is asked for, allows no comparison of policies."""

    exit_code = ExitCode.REFUSED
