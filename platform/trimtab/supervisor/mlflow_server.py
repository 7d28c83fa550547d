"""How the MLflow server is started: small, closed, and on loopback only."""

import sys
from importlib.metadata import PackageNotFoundError, version

from trimtab.errors import TrimtabError
from trimtab.settings import Settings

from .process import ProcessSpec


class NoServerError(TrimtabError):
    """The MLflow server is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "The MLflow server is not installed. Install it with: pip install 'trimtab[server]', "
            "or point TRIMTAB_TRACKING_URI at one that runs."
        )


def mlflow_server(settings: Settings) -> ProcessSpec:
    """Describe the server of a home. Raises NoServerError."""
    try:
        version("mlflow")  # mlflow-skinny, the client, is a distribution of its own
    except PackageNotFoundError:
        raise NoServerError from None
    home, platform = settings.home, settings.project.platform
    home.artifacts.mkdir(parents=True, exist_ok=True)
    address = platform.address
    return ProcessSpec(
        name="mlflow",
        argv=[
            sys.executable,
            *("-m", "mlflow", "server"),
            *("--host", platform.host),
            *("--port", str(platform.mlflow_port)),
            *("--workers", "1"),  # more make SQLite slower, not faster
            # the default list lets any host name through that begins like a private address
            *("--allowed-hosts", f"{address},localhost:{platform.mlflow_port}"),
            *("--backend-store-uri", f"sqlite:///{home.mlflow_database}"),
            *("--artifacts-destination", str(home.artifacts)),
            *("--uvicorn-opts", "--log-level warning"),
        ],
        environment={
            "TRIMTAB_HOME": str(home.root),  # by which what a crash leaves is known as ours
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # eight processes that judge prompts
            "MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX": (
                "^(mlflow-artifacts|runs|models):/"
            ),
        },
        without=("TRIMTAB_DATABASE_URL", "TRIMTAB_API_KEY", "TRIMTAB_WEBHOOK_KEY"),
        log=home.logs / "mlflow.log",
        ready_url=f"http://{address}/health",
    )
