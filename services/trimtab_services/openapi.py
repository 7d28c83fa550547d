"""The endpoint's OpenAPI document: BentoML's, with what it cannot know."""

from typing import Any

import orjson

from .label_openapi import labels_path
from .service import Endpoint
from .wire import Wire

_REF = "#/components/schemas/{model}"
_PROBES = {
    "/healthz": "The same as `/livez`, under its older name.",
    "/livez": "200 while the process runs.",
    "/readyz": "200 once a version is loaded and has given its golden rows, 503 before. Says which "
    "version answers, where it computes, and how many requests were answered and captured.",
    "/metrics": "Counters and times in Prometheus' text format.",
}
_REFUSALS = {
    400: "The body is no JSON, or does not fit the model's inputs; `fields` says where.",
    401: "The endpoint has keys, and none of them was sent.",
    403: "The endpoint has no key, and was called from elsewhere.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The body is not `application/json`, or is packed.",
    500: "The model could not answer.",
}
_ABOUT = (
    "Answers of the model {model}. `POST /predict` takes one row or many: `rows`, each naming "
    "every column, or `columns` once and `data` as lists. Each row's answer has a "
    "`prediction_id`, by which a label finds it later, as it does by the key that you send. Where "
    "keys are set up, send one as `Authorization: Bearer KEY`."
)
_ERROR = {
    "title": "Refusal",
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {"type": "string"},
        "fields": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
_ID = {
    "x-request-id": {
        "description": "The id under which the request is captured; "
        "the ids of its predictions are this one, a dash, and the number of the row.",
        "schema": {"type": "string"},
    }
}


def describe(service: Any, endpoint: Endpoint) -> bytes:
    """Write the document of a `bentoml.Service` for the version that answers now."""
    found = service.openapi_spec.asdict()
    document = orjson.loads(orjson.dumps(found, option=orjson.OPT_NON_STR_KEYS))
    document["info"] = {
        "title": endpoint.contract.model,
        "version": endpoint.champion.version,
        "description": _ABOUT.format(model=endpoint.contract.model),
    }
    for path, words in _PROBES.items():
        document["paths"][path]["get"]["description"] = words
    schemas = document["components"]["schemas"]
    schemas["PredictColumnsRequest"] = _columns(endpoint.wire)
    schemas["Refusal"] = _ERROR
    predict = document["paths"]["/predict"]["post"]
    forms = ("PredictRequest", "PredictColumnsRequest")
    predict["requestBody"] = {
        "required": True,
        **_json({"oneOf": [{"$ref": _REF.format(model=name)} for name in forms]}),
    }
    refused = _json({"$ref": _REF.format(model="Refusal")})
    predict["responses"] = {
        "200": {**predict["responses"]["200"], "headers": _ID},
        **{str(code): {"description": why, **refused} for code, why in _REFUSALS.items()},
    }
    document["paths"]["/labels"] = labels_path(endpoint.contract, endpoint.wire.max_rows, refused)
    return orjson.dumps(document)


def _columns(wire: Wire) -> dict[str, Any]:
    return wire.columns_request.model_json_schema(ref_template=_REF)


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}
