"""How the endpoint looks to BentoML: its options, its image and its typed API."""

from collections.abc import Mapping
from typing import Any

import bentoml
import orjson
from bentoml.exceptions import InternalServerError, InvalidArgument
from pydantic import BaseModel, create_model
from pydantic_core import to_json
from starlette.applications import Starlette

from .bundle import Bundle
from .guard import Guard
from .image import (
    NVIDIA,
    UV_FILE,
    base_image,
    gpus_needed,
    python_version,
    uv_installation,
    uv_removal,
)
from .reply import Arrival
from .service import Endpoint
from .wire import Wire


def request_spec(wire: Wire) -> type[BaseModel]:
    """Describe the request to BentoML."""
    return create_model("PredictRequest", __base__=(bentoml.IODescriptor, wire.request))


def answer_spec(wire: Wire) -> type[BaseModel]:
    """Describe the answer to BentoML."""
    return create_model("PredictAnswer", __base__=(bentoml.IODescriptor, wire.answer))


def in_process(endpoint: Endpoint, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a caller in this process; it is captured and counted as any other.

    Raises bentoml.exceptions.InvalidArgument and InternalServerError.
    """
    reply = endpoint.predict(to_json(asked, inf_nan_mode="constants"), Arrival.now())
    answer: dict[str, Any] = orjson.loads(reply.body)
    if reply.status >= 500:
        raise InternalServerError(answer["error"])
    if reply.status >= 400:
        raise InvalidArgument(answer["error"])
    return answer


def guard_first(app: Starlette) -> Starlette:
    """Let the guard answer before BentoML's middlewares see a request, as none is for its paths."""
    guard: Any = Guard
    app.user_middleware.sort(key=lambda middleware: middleware.cls is not guard)
    return app


def options(bundle: Bundle) -> dict[str, Any]:
    """Give the settings of `@bentoml.service`."""
    chosen: dict[str, Any] = {
        "name": bundle.model,
        "image": image(bundle),
        "labels": {"version": bundle.version, "manifest": bundle.manifest_sha256[:12]},
        # With another BENTOML_HOST the bento starts only with keys. A service cannot see
        # `bentoml serve --host`: the guard refuses what comes from elsewhere without a key.
        "http": {"host": "127.0.0.1"},
        "traffic": {"timeout": 10},  # each request that reaches BentoML leaves a timer for so long
        # the guard and `metrics.py` do these at a tenth of the cost, with bounded labels
        "metrics": {"enabled": False, "namespace": "bentoml_service"},
        "logging": {"access": {"enabled": False}},
        "tracing": {"excluded_urls": ".*"},
    }
    if bundle.device != "cpu":
        chosen["envs"] = [{"name": name, "value": value} for name, value in NVIDIA.items()]
    if gpus := gpus_needed(bundle.device):
        chosen["resources"] = {"gpu": gpus}
    return chosen


def image(bundle: Bundle) -> Any:
    """Describe the image that `bentoml containerize` makes, as far as BentoML lets us."""
    base = base_image(bundle.device)
    described = bentoml.images.Image(
        base_image=base,
        distro="",  # of a distribution that it knows, BentoML installs compilers and git
        python_version=python_version(),
        lock_python_packages=False,  # the pins are complete
    )
    described.run(uv_installation(base)).build_include(UV_FILE)
    described.python_packages(*bundle.requirements)
    return described.run(uv_removal(base))
