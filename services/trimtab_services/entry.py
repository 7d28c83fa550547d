"""The service of a bento: a build copies this file into the bento's sources as `service.py`."""

from pathlib import Path
from typing import Any

import bentoml

from trimtab_services.bentoml_service import answer_spec, in_process, options, request_spec
from trimtab_services.environment import ServingEnvironment
from trimtab_services.guard import Guard
from trimtab_services.keys import Keyring
from trimtab_services.openapi import describe
from trimtab_services.service import Endpoint

environment = ServingEnvironment()
keyring = Keyring(environment.api_key, environment.api_keys_file, environment.bentoml_host)
endpoint = Endpoint(Path(__file__).parent, environment)


@bentoml.service(**options(endpoint.bundle))
class Served:
    """Predictions of one model, with its inputs named and typed."""

    def __init__(self) -> None:
        endpoint.open()

    @bentoml.api(  # type: ignore[untyped-decorator]  # BentoML types it for its own classes only
        route="/predict",
        input_spec=request_spec(endpoint.wire),
        output_spec=answer_spec(endpoint.wire),
    )
    async def predict(self, **asked: Any) -> dict[str, Any]:
        """Predict one row or many; every column must be in every row."""
        return in_process(endpoint, asked)  # callers from outside are answered by the guard

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def close(self) -> None:
        """Bring what was captured to disk."""
        endpoint.close()


service: Any = Served  # the decorator made a bentoml.Service of the class
service.add_asgi_middleware(
    Guard, endpoint=endpoint, keyring=keyring, describe=lambda: describe(service, endpoint)
)
