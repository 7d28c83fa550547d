"""The endpoint keeps to its own OpenAPI document, whether what is sent fits it or not."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import negative_data_rejection, positive_data_acceptance

EXAMPLES = 60
BEYOND_A_SCHEMA = ("should be a time between the years", "items for")
"""What makes rows unfit although each of their parts fits."""
OURS = [positive_data_acceptance, negative_data_rejection]
"""Checks that we make ourselves, with the statuses that can be."""


@pytest.fixture(scope="module")
def schema(live: Any) -> Any:
    return schemathesis.openapi.from_url(f"http://127.0.0.1:{live.caller.port}/docs.json")


def hold(cases: st.SearchStrategy[Any], mode: GenerationMode) -> set[int]:
    """Send what was generated, check every answer against the document, give the statuses."""
    seen: set[int] = set()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def run(case: Any) -> None:
        response = case.call()
        case.validate_response(response, excluded_checks=OURS)
        seen.add(response.status_code)
        has_typed_rows = "rows" in (case.body if isinstance(case.body, dict) else ())
        is_fit = mode is GenerationMode.POSITIVE and has_typed_rows
        if is_fit and response.status_code != 200:
            whys = [field["message"] for field in response.json()["fields"]]
            assert whys
            assert all(any(part in why for part in BEYOND_A_SCHEMA) for why in whys)

    run()
    return seen


def test_what_fits_the_document_is_answered_as_it_says(schema: Any) -> None:
    operations = [found.ok() for found in schema.get_all_operations()]
    seen = {
        operation.label: hold(
            operation.as_strategy(GenerationMode.POSITIVE), GenerationMode.POSITIVE
        )
        for operation in operations
    }

    assert 200 in seen["POST /predict"]
    assert 202 in seen["POST /labels"]
    assert all(statuses == {200} for label, statuses in seen.items() if label.startswith("GET"))


def test_what_does_not_fit_is_refused_as_it_says(schema: Any) -> None:
    cases = schema["/predict"]["POST"].as_strategy(GenerationMode.NEGATIVE)

    assert hold(cases, GenerationMode.NEGATIVE) <= {400, 413, 415}


def test_the_document_says_how_everything_may_end(schema: Any) -> None:
    responses = schema.raw_schema["paths"]["/predict"]["post"]["responses"]

    assert {"200", "400", "401", "408", "413", "415", "500"} <= responses.keys()
