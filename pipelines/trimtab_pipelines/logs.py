"""What a process of pipelines writes to its log."""

import logging
import sys

_TALKATIVE = ("alembic", "fsspec", "git", "matplotlib", "mlflow", "urllib3")
"""Libraries of which only warnings are of use here."""


def log_to_stderr() -> None:
    """Configure the logging of a process; its supervisor keeps what it writes."""
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
