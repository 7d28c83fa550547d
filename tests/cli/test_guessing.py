"""What `trimtab init` takes a column for is what `trimtab train` can read."""

import pandas as pd
import pytest

from trimtab.cli.guessing import guess


@pytest.mark.parametrize(
    ("first", "second", "is_time"),
    [
        ("2013-04-01", "2013-04-02T12:00:00Z", True),
        ("2013-04-01 10:00", "2013-04-02 12:00", True),
        ("04/01/2013", "04/13/2013", False),
        ("1 April 2013", "2 April 2013", False),
    ],
)
def test_only_iso_8601_is_taken_for_time(first: str, second: str, is_time: bool) -> None:
    frame = pd.DataFrame({"date": [first, second], "x": [1.5, 2.5], "late": [True, False]})

    assert guess(frame).time == ("date" if is_time else None)


@pytest.mark.parametrize("name", ["order_id", "Order ID", "order.id", "id"])
def test_a_key_is_known_by_its_name_however_words_are_parted(name: str) -> None:
    frame = pd.DataFrame({name: ["a", "b"], "x": [1.5, 2.5], "late": [True, False]})

    assert guess(frame).key == name
