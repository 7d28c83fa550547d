"""Our block in a description: replaced, and never at the cost of what others wrote."""

from hypothesis import given
from hypothesis import strategies as st

from trimtab.policy.descriptions import plain, with_block

BEGIN, END = "<!-- trimtab:monitoring -->", "<!-- /trimtab:monitoring -->"
texts = st.text(alphabet=st.sampled_from("ab #\n-><!"), max_size=30)


@given(before=texts, first=texts, after=texts, second=texts)
def test_what_others_wrote_around_a_block_stays_to_the_letter(
    before: str, first: str, after: str, second: str
) -> None:
    described = with_block(before, "monitoring", first) + after

    again = with_block(described, "monitoring", second)

    head, tail = described.split(BEGIN)[0], described.split(END)[-1]
    assert again.startswith(head)
    assert again.endswith(tail)
    assert again.count(BEGIN) == again.count(END) == 1


@given(st.text(max_size=40), st.text(max_size=40))
def test_writing_a_block_twice_is_writing_it_once(before: str, text: str) -> None:
    once = with_block(before, "monitoring", text)

    assert with_block(once, "monitoring", text) == once


def test_a_block_that_lost_its_end_is_left_to_whoever_took_it() -> None:
    described = with_block(f"{BEGIN}\nmine now", "monitoring", "drift")
    again = with_block(described, "monitoring", "stable")

    assert again == f"{BEGIN}\nmine now\n\n{BEGIN}\nstable\n{END}"


def test_two_blocks_do_not_touch_each_other() -> None:
    both = with_block(with_block("", "gate", "better"), "monitoring", "stable")

    assert with_block(both, "gate", "worse") == both.replace("better", "worse")


def test_text_of_the_data_is_no_markup_in_a_description() -> None:
    shown = plain("[x](javascript:y) <script>\n# h `c` a_b")

    assert "<script>" not in shown
    assert "\n" not in shown
    assert r"\[x\]\(javascript:y\)" in shown
