"""How long to wait before something that failed is tried again."""

import time
from dataclasses import dataclass

_FIRST, _LONGEST = 1.0, 60.0


@dataclass(slots=True)
class Backoff:
    """Waits longer each time, up to a minute."""

    failures: int = 0
    next_try: float = 0.0

    @property
    def is_due(self) -> bool:
        """Tell whether it may be tried now."""
        return time.monotonic() >= self.next_try

    def failed(self) -> None:
        """Note one more failure."""
        pause = min(_LONGEST, _FIRST * 2.0 ** min(self.failures, 10))  # no float goes to 2**1024
        self.failures += 1
        self.next_try = time.monotonic() + pause
