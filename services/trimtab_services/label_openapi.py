"""How `POST /labels` is described in the endpoint's OpenAPI document."""

from typing import Any

from trimtab.policy.labelling import LONGEST_KEY
from trimtab.records.contracts import Contract, Task

_ID = {"type": "string", "pattern": "^[0-9a-f]{32}-[0-9]+$"}
_KEY = {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY}
_COUNTS = {
    "added": "Labels of names that had none.",
    "unchanged": "Told before, with the same value.",
    "corrected": "They replace an earlier one, which is kept in the history.",
    "outdated": "Something that became known later was told before; kept in the history alone.",
    "unknown": "Names that no prediction has been found for; they count as soon as one comes.",
}
REFUSALS = {
    400: "The body is no JSON, or a label cannot be taken: then none is; `fields` says why.",
    401: "The endpoint has keys, and none with the scope `label` was sent.",
    403: "The endpoint has no key, and was called from elsewhere.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The body is not `application/json`, or is packed.",
    503: "The labels were not kept: nothing is kept here, too much waits, or the disk is full.",
}


def labels_path(contract: Contract, max_rows: int, refused: dict[str, Any]) -> dict[str, Any]:
    """Describe the path; `refused` is the content of a refusal."""
    applied = {"applied": {"const": True}, **{n: _count(why) for n, why in _COUNTS.items()}}
    applied["unknown_names"] = {"type": "array", "items": {"type": "string"}}
    return {
        "post": {
            "summary": "Tell what came true",
            "description": "All labels of a request are taken, or none. They are safe before "
            "they are answered. `Prefer: respond-async` answers at once.",
            "requestBody": {"required": True, **_json(_request(contract, max_rows))},
            "responses": {
                "200": {"description": "The labels count.", **_json(_answer(applied))},
                "202": {
                    "description": "The labels are safe, and will count.",
                    **_json(_answer({"applied": {"const": False}})),
                },
                **{str(code): {"description": w, **refused} for code, w in REFUSALS.items()},
            },
        }
    }


def _request(contract: Contract, max_rows: int) -> dict[str, Any]:
    about = {"value": _value(contract), "known_at": {"type": "string", "format": "date-time"}}
    forms = [
        {
            "type": "object",
            "required": [name, "value"],
            "properties": {name: kind, **about},
            "additionalProperties": False,
        }
        for name, kind in (("key", _KEY), ("prediction_id", _ID))
    ]
    labels = {"type": "array", "minItems": 1, "maxItems": max_rows, "items": {"oneOf": forms}}
    return {
        "type": "object",
        "required": ["labels"],
        "properties": {"labels": labels},
        "additionalProperties": False,
    }


def _value(contract: Contract) -> dict[str, Any]:
    if contract.task is Task.REGRESSION:
        return {"type": "number", "description": contract.target}
    known = [value for one in contract.classes for value in dict.fromkeys((one, str(one)))]
    return {"enum": known, "description": contract.target}


def _answer(more: dict[str, Any]) -> dict[str, Any]:
    properties = {
        "request_id": {"type": "string"},
        "accepted": _count("Labels of this request that are safe."),
        **more,
    }
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


def _count(description: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "description": description}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}
