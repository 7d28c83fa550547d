"""A log that a flood of bad requests cannot fill."""

import logging

BURST = 5
"""Records of one origin that pass in a period."""
PERIOD_SECONDS = 60.0


class FloodFilter(logging.Filter):
    """Lets a few records of each origin through a minute, and says when it keeps some back."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record may pass."""
        origin = (record.name, str(record.msg)[:200])
        since, count = self._seen.get(origin, (record.created, 0))
        if record.created - since > PERIOD_SECONDS:
            since, count = record.created, 0
        self._seen[origin] = (since, count + 1)
        if count == BURST:
            record.msg = f"{record.msg} (more of these are left out for a minute)"
        if len(self._seen) > 1000:  # origins with free text in them
            self._seen.clear()
        return count <= BURST


def log_to_stderr() -> None:
    """Configure the log of an endpoint's process."""
    handler = logging.StreamHandler()
    handler.addFilter(FloodFilter())
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, handlers=[handler], format=form)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
