"""A challenger beside the champion: loaded and proven like it, for a share of the requests."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.errors import ExitCode, TrimtabError
from trimtab.policy.routing import goes_to_challenger

from .bundle import can_follow, source_of

if TYPE_CHECKING:
    from .swap import Champion


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What an endpoint's process is told of a canary."""

    trial: str
    """Its id, the salt of the routing."""
    beside: str
    """The champion's version: with another one the canary is over."""
    version: str
    manifest_sha256: str
    bento: Path
    share: float


class OtherEnvironmentError(TrimtabError):
    """A challenger does not run in the process of the champion."""

    exit_code = ExitCode.REFUSED

    def __init__(self, version: str) -> None:
        super().__init__(
            f"Version {version} needs another environment, or another request, than the champion; "
            "try it as a shadow."
        )
        self.version = version


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A loaded challenger, and whose requests are its."""

    tried: Tried
    challenger: "Champion"

    def takes(self, keys: Sequence[str | None], request_id: str) -> bool:
        """Tell whether the challenger answers a request."""
        return goes_to_challenger(self.tried.trial, self.tried.share, keys, request_id)


def load_canary(tried: Tried, running: Path, device: str) -> Canary:
    """Load a challenger into a process that runs a bento's sources: verified, then proven.

    Raises OtherEnvironmentError and what `load_champion` raises.
    """
    from .swap import load_champion  # seconds of imports, which the supervisor does without

    source = source_of(tried.bento)
    if not can_follow(source, running):
        raise OtherEnvironmentError(tried.version)
    loaded = load_champion(source, tried.version, tried.manifest_sha256, device)
    return Canary(tried=tried, challenger=loaded)
