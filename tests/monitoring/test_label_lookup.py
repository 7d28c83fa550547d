"""Labels by prediction id count like those by key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.records.labels import Label
from trimtab.records.reference import OUTPUT

if TYPE_CHECKING:
    from tests.monitoring.conftest import Lab, World


def test_a_label_by_prediction_id_counts_although_the_row_has_a_key(world: World, lab: Lab) -> None:
    frame = lab.traffic(lab.rows_a_week, seed=100)
    truth = lab.truth(frame.assign(**{OUTPUT: 1 - frame[OUTPUT]}), seed=0)
    by_id = [
        Label(key=f"1-0-{i}", value=value, known_at=lab.monday) for i, value in enumerate(truth)
    ]
    with world.database.transaction() as stores:
        stores.labels.put(lab.model, by_id[: len(truth) // 2])
    world.serve(0, frame)
    (verdict,) = world.watch.step()

    assert verdict.quality is not None
    assert verdict.quality.labelled == len(truth) // 2
    assert verdict.quality.value is not None
    assert verdict.quality.is_worse
