"""Regions tell the inputs apart by where the model errs, and are counted as every column is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from trimtab.policy.drift.adding import add
from trimtab.policy.drift.regions import grow, place
from trimtab.policy.summaries import Numbers, Texts, summarise
from trimtab.records.documents import from_json, to_json
from trimtab.records.reference import REGIONS, Reference
from trimtab.records.verdicts import FindingKind, VerdictKind

if TYPE_CHECKING:
    from tests.policy.drift.conftest import Lab, Watched

ROWS = 6000


def errs_where_signs_agree(frame: pd.DataFrame) -> np.ndarray:
    """A loss that no single column tells: large where x2 and x3 are of the same sign."""
    noise = np.random.default_rng(1).exponential(0.2, len(frame))
    return np.asarray(noise + (frame["x2"] * frame["x3"] > 0))


@pytest.fixture(scope="module")
def watched(lab: Lab) -> Watched:
    frame = lab.stream(ROWS, seed=31)
    return lab.watched(frame, losses=errs_where_signs_agree(frame))


def test_the_tree_finds_where_the_model_errs(lab: Lab) -> None:
    rng = np.random.default_rng(3)
    number, kinds = rng.normal(size=ROWS), rng.integers(0, 4, ROWS)
    losses = (number > 0.5) * 2.0 + (kinds == 2) * 1.0 + rng.normal(size=ROWS) * 0.1
    coded = {
        "number": summarise("number", Numbers(number)),
        "kind": summarise("kind", Texts(kinds, ["a", "b", "c", "d"])),
    }
    columns = {name: (column.codes, column.summary) for name, column in coded.items()}

    regions = grow(columns, losses)

    assert regions is not None
    assert regions.columns[0] == "number"
    where = place(regions.splits, {n: c for n, (c, _) in columns.items()}, ROWS)
    assert np.bincount(where).tolist() == list(regions.summary.counts[:-1])
    means = np.array(regions.summary.output_means[:-1], dtype=float)
    assert np.var(losses - means[where]) < 0.1 * np.var(losses)


def test_without_losses_that_differ_there_are_no_regions() -> None:
    coded = summarise("x", Numbers(np.random.default_rng(0).normal(size=ROWS)))

    assert grow({"x": (coded.codes, coded.summary)}, np.ones(ROWS)) is None
    assert grow({"x": (coded.codes, coded.summary)}, np.full(ROWS, np.nan)) is None


def test_rows_that_move_where_the_model_errs_are_found_though_each_column_stays(
    lab: Lab, watched: Watched
) -> None:
    frame = lab.stream(1000, seed=32)
    moved = frame.assign(x3=np.abs(frame["x3"]) * np.sign(frame["x2"]))

    found = watched.findings(moved)

    assert found[REGIONS].kind is FindingKind.DRIFTED
    assert "x2" in found[REGIONS].note
    assert found["x2"].kind is FindingKind.STABLE


def test_regions_have_a_finding_in_a_window_of_too_few_rows(lab: Lab, watched: Watched) -> None:
    judged = watched.judged(lab.stream(50, seed=33))

    assert judged.kind is VerdictKind.NOT_ENOUGH_ROWS
    assert REGIONS in {finding.column for finding in judged.findings}


def test_regions_add_up_as_columns_do(lab: Lab, watched: Watched) -> None:
    frame = lab.stream(700, seed=34)

    whole = watched.sums(frame).columns[REGIONS]
    parts = add([watched.sums(frame[:300]), watched.sums(frame[300:])]).columns[REGIONS]

    assert parts.counts == whole.counts
    assert sum(whole.counts) == 700


def test_regions_of_a_column_that_is_not_captured_say_nothing(lab: Lab, watched: Watched) -> None:
    frame = lab.stream(500, seed=35)
    reference = watched.reference
    assert reference.regions is not None
    hidden = reference.regions.columns[0]

    judged = watched.judged(frame.drop(columns=hidden), withheld={hidden: "dropped"})

    assert REGIONS not in {finding.column for finding in judged.findings}
    assert judged.kind is VerdictKind.STABLE


def test_regions_are_made_without_hidden_columns(lab: Lab) -> None:
    frame = lab.stream(ROWS, seed=36)
    losses = errs_where_signs_agree(frame) + np.asarray(frame["x1"] > 0)

    seen = lab.watched(frame, losses=losses).reference.regions
    apart = lab.watched(frame, losses=losses, hidden={"x1"}).reference.regions

    assert seen is not None
    assert apart is not None
    assert "x1" in seen.columns
    assert "x1" not in apart.columns


def test_regions_outlive_being_written_and_read(lab: Lab, watched: Watched) -> None:
    known = from_json(Reference, to_json(watched.reference))
    frame = lab.stream(400, seed=37)
    again = replace(watched, reference=known)

    assert known.regions == watched.reference.regions
    assert again.sums(frame) == watched.sums(frame)


def test_windows_of_an_unchanged_stream_seldom_move_among_regions(lab: Lab) -> None:
    frame = lab.stream(ROWS + 60 * 200, seed=38, memory=0.8)
    losses = errs_where_signs_agree(frame)
    watched = lab.watched(frame[:ROWS], losses=losses[:ROWS])

    moved = [
        watched.findings(window)[REGIONS].kind is FindingKind.DRIFTED
        for window in lab.windows(frame[ROWS:], 200)
    ]

    assert sum(moved) <= 2  # a quarter of the budget of 1% is theirs
