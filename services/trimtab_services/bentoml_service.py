"""How the endpoint looks to BentoML: its options, its image and its typed API."""

from typing import Any

import bentoml
from pydantic import BaseModel, create_model
from starlette.requests import Request

from .bundle import Bundle
from .image import (
    NVIDIA,
    UV_FILE,
    base_image,
    gpus_needed,
    python_version,
    uv_installation,
    uv_removal,
)
from .service import Arrival
from .wire import Wire


class _Unread:
    """A request as the guard let it through; the endpoint reads it, strictly and once."""

    model_fields = ("body", "arrival")

    def __init__(self, body: bytes, arrival: Arrival) -> None:
        self.body = body
        self.arrival = arrival


class _Described(bentoml.IODescriptor):  # type: ignore[misc]  # BentoML resolves it lazily
    """Is shown in OpenAPI, and leaves the parsing to the endpoint.

    BentoML's own parsing takes text for numbers and logs what it refuses, values included.
    """

    @classmethod
    async def from_http_request(cls, request: Request, serde: object) -> Any:
        """Hand the body on as it came."""
        return _Unread(await request.body(), request.state.arrival)


def request_spec(wire: Wire) -> type[BaseModel]:
    """Describe the request to BentoML."""
    return create_model("PredictRequest", __base__=(_Described, wire.request))


def answer_spec(wire: Wire) -> type[BaseModel]:
    """Describe the answer to BentoML."""
    return create_model("PredictAnswer", __base__=(_Described, wire.answer))


def options(bundle: Bundle) -> dict[str, Any]:
    """Give the settings of `@bentoml.service`."""
    chosen: dict[str, Any] = {
        "name": bundle.model,
        "image": image(bundle),
        "labels": {"version": bundle.version, "manifest": bundle.manifest_sha256[:12]},
        # With another BENTOML_HOST the bento starts only with keys. Whoever gives
        # `bentoml serve --host` has to think of the key: a service cannot see that option.
        "http": {"host": "127.0.0.1"},
        "traffic": {"timeout": 10},  # each request leaves a timer behind for so long
        # the guard and `metrics.py` do these at a third of the cost, with bounded labels
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
