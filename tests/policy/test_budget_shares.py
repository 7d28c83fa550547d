"""One budget for all that may alarm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.policy.budget import shared


@given(st.floats(1e-6, 1.0), st.booleans())
def test_all_shares_together_are_the_budget(budget: float, has_labels: bool) -> None:
    shares = shared(budget, has_labels=has_labels)

    assert shares.drift + shares.quality + shares.slices == pytest.approx(budget)


def test_without_labels_drift_has_all_of_it() -> None:
    assert shared(0.1, has_labels=False).drift == 0.1
