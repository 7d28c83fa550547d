"""Calls to an MLflow server, repeated with a bound where repeating does no harm."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from mlflow import MlflowClient
from mlflow.environment_variables import (
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR,
    MLFLOW_HTTP_REQUEST_MAX_RETRIES,
    MLFLOW_HTTP_REQUEST_TIMEOUT,
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT,
)
from mlflow.exceptions import MlflowException
from tenacity import (
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from trimtab.errors import RegistryUnreachableError
from trimtab.records.urls import without_userinfo

Result = TypeVar("Result")

_PASSING = {"INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED"}
_ABSENT = {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"}


def connect(tracking_uri: str) -> MlflowClient:
    """Open a client that sends each request once.

    MLflow's own client repeats every call for minutes, creations included: two lost answers made
    three runs and three versions (3.17.2). Who may repeat a call is decided here instead.
    """
    # MLflow takes these from the environment alone, anew for every call.
    os.environ[MLFLOW_HTTP_REQUEST_MAX_RETRIES.name] = "0"
    os.environ[MLFLOW_HTTP_REQUEST_TIMEOUT.name] = "30"
    os.environ[MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.name] = "false"
    os.environ[MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.name] = "true"
    return MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)


def is_passing(error: BaseException) -> bool:
    """Tell whether a failure may be gone at the next attempt."""
    if isinstance(error, MlflowException):
        return error.error_code in _PASSING
    if isinstance(error, OSError) and hasattr(error, "response"):  # of the HTTP client
        status = getattr(error.response, "status_code", None)
        return status is None or status == 429 or status >= 500
    return False


def is_absent(error: MlflowException) -> bool:
    """Tell whether MLflow says that there is no such thing."""
    return error.error_code in _ABSENT


@dataclass(frozen=True, slots=True)
class Patience:
    """Repeats calls to one server; only for calls that may be done twice."""

    tracking_uri: str
    attempts: int = 5
    seconds: float = 10.0
    """No attempt is begun later than this."""

    def __call__(self, call: Callable[[], Result]) -> Result:
        """Make a call until it is answered. Raises RegistryUnreachableError."""
        repeated = Retrying(
            stop=stop_after_attempt(self.attempts) | stop_after_delay(self.seconds),
            wait=wait_random_exponential(multiplier=0.2, max=2.0),
            retry=retry_if_exception(is_passing),
            reraise=True,
        )
        try:
            return repeated(call)
        except (MlflowException, OSError) as error:
            if is_passing(error):
                shown = without_userinfo(self.tracking_uri)
                raise RegistryUnreachableError(shown, _short(error)) from error
            raise


def _short(error: BaseException) -> str:
    text = without_userinfo(str(error)).split("exception ")[-1]
    return text if len(text) <= 200 else f"{text[:200]}..."
