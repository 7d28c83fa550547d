"""MLServer in an environment of its own: its dependencies do not agree with ours."""

from pathlib import Path

from tests.benchmarks.environments import environment


def mlserver() -> Path:
    """Give MLServer's command, installed once for all runs. Raises NotInstalledError."""
    pinned = ("mlserver==1.7.1", "mlserver-xgboost==1.7.1")
    return environment(pinned, same=("numpy", "xgboost")) / "bin" / "mlserver"
