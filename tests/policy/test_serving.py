from hypothesis import given
from hypothesis import strategies as st

from trimtab.policy.serving import batching_pays, plan_serving
from trimtab.records.documents import from_json, to_json
from trimtab.records.plans import Cost, ServingPlan

SLOW = Cost(one_row=4600, sixteen_rows=4900)
FAST = Cost(one_row=45, sixteen_rows=70)
costs = st.builds(Cost, one_row=st.floats(1, 1e6), sixteen_rows=st.floats(1, 1e6))


def test_the_faster_engine_answers() -> None:
    assert plan_serving(SLOW, FAST).engine == "lowered"
    assert plan_serving(FAST, SLOW).engine == "pipeline"


def test_a_fast_path_that_is_slower_on_many_rows_is_none() -> None:
    assert plan_serving(SLOW, Cost(one_row=45, sixteen_rows=5000)).engine == "pipeline"


def test_without_a_fast_path_the_plan_says_why() -> None:
    plan = plan_serving(SLOW, None, "RobustScaler is not known")

    assert (plan.engine, plan.lowered, plan.note) == ("pipeline", None, "RobustScaler is not known")


def test_batching_pays_where_a_call_costs_much_and_a_row_little() -> None:
    assert batching_pays(SLOW)
    assert not batching_pays(Cost(one_row=4600, sixteen_rows=16 * 4600))
    assert not batching_pays(Cost(one_row=15, sixteen_rows=16))


@given(costs, st.floats(1, 10))
def test_dearer_calls_never_speak_against_batching(cost: Cost, factor: float) -> None:
    dearer = Cost(one_row=cost.one_row * factor, sixteen_rows=cost.sixteen_rows)

    assert batching_pays(dearer) or not batching_pays(cost)


@given(costs, st.none() | costs)
def test_a_plan_is_about_the_engine_that_answers_and_survives_its_file(
    pipeline: Cost, lowered: Cost | None
) -> None:
    plan = plan_serving(pipeline, lowered)

    assert plan.cost == (lowered if plan.engine == "lowered" else pipeline)
    assert plan.batching == batching_pays(plan.cost)
    assert from_json(ServingPlan, to_json(plan)) == plan
