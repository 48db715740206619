"""Numbers that a model knows objects by: from people's words and back."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial_vlm_ros.reasoners.numbering import Numbering, settled

NUMBERS = Numbering.of([9, 4, 7, 1], 100)
NAMES = {1: "sofa", 4: "chair (#4)", 7: "chair (#7)", 9: "mug"}

#: What answers about objects are made of.
PIECES = [
    *("<OBJ", "<OBJ000>", "<OBJ002>", "<OBJ099>", "OBJ003", "<OBJ1234>", "O", "B", "<", ">"),
    *("#7", "#", "(#7)", "(", ")", "sofa", "chair", " chair", "s", " ", ". ", "7"),
    *("the red ", "é", "\n"),
    *("<OBJ" + "9" * 40 + ">", "#" + "1" * 40),
]
texts = st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=60)


def test_numbers_follow_the_ids() -> None:
    assert NUMBERS.ids == (1, 4, 7, 9)
    assert NUMBERS.words() == {1: "<OBJ000>", 4: "<OBJ001>", 7: "<OBJ002>", 9: "<OBJ003>"}


def test_numbers_stay_when_objects_come() -> None:
    before, after = NUMBERS.words(), Numbering.of([1, 4, 7, 9, 12, 15], 100).words()
    assert {number: after[number] for number in before} == before


@pytest.mark.parametrize(("limit", "count"), [(0, 0), (-1, 0), (2, 2), (4, 4), (100, 4)])
def test_no_more_than_the_model_knows(limit: int, count: int) -> None:
    assert len(Numbering.of([1, 4, 7, 9], limit).ids) == count


def test_no_more_than_can_be_written() -> None:
    assert len(Numbering.of(range(5000), 5000).words()) == 1000


@pytest.mark.parametrize(
    ("people", "model"),
    [
        ("How far is chair (#7) from #9?", "How far is chair <OBJ002> from <OBJ003>?"),
        ("Is #1 red? (#4)", "Is <OBJ000> red? <OBJ001>"),
        ("(see #7)", "(see <OBJ002>)"),
        ("#73, a#7, #7a, &#7;, # 7, #", "#73, a#7, #7a, &#7;, # 7, #"),
        ("#" + "7" * 5000, "#" + "7" * 5000),
        ("Where is the sofa?", "Where is the sofa?"),
    ],
)
def test_to_the_model(people: str, model: str) -> None:
    assert NUMBERS.to_model(people) == model


@pytest.mark.parametrize(
    ("model", "people"),
    [
        ("<OBJ002>", "chair (#7)"),
        ("The red chair <OBJ002> is near the Sofa <OBJ000>.",
         "The red chair (#7) is near the Sofa."),
        ("chair (<OBJ001>) or <OBJ002>", "chair (#4) or chair (#7)"),
        ("the seat (<OBJ001>)", "the seat (chair (#4))"),
        ("the armchair <OBJ001>", "the armchair chair (#4)"),
        ("mug<OBJ003>", "mug"),
        ("OBJ003 and <OBJ3>", "mug and mug"),  # brackets and zeros that a model lost
        ("<OBJ099>", "<OBJ099> (no such object)"),
        ("It is <OBJ1234>, #77.", "It is <OBJ1234> (no such object), #77 (no such object)."),
        ("chair (#7) and chair #4", "chair (#7) and chair (#4)"),
        ("OBJ12 <obj002> OBJECTIVE", "OBJ12 <obj002> OBJECTIVE"),
        ("<OBJ001> chair, <OBJ003> mug", "chair (#4), mug"),
        ("<OBJ001> chairs, <OBJ002> seat, #4", "chair (#4) chairs, chair (#7) seat, chair (#4)"),
        ("", ""),
    ],
)  # fmt: skip
def test_to_people(model: str, people: str) -> None:
    assert NUMBERS.to_people(model, NAMES) == people


def test_there_and_back() -> None:
    question = "Is chair (#7) left of chair (#4)?"
    assert NUMBERS.to_people(NUMBERS.to_model(question), NAMES) == question


def test_an_object_that_has_gone_is_none() -> None:
    names = {number: name for number, name in NAMES.items() if number != 7}
    assert NUMBERS.to_people("<OBJ002>", names) == "<OBJ002> (no such object)"


def test_citations_say_where_they_stand() -> None:
    text = "(<OBJ002>) or (see OBJ099), #4"
    cited = list(NUMBERS.citations(text))
    assert [c.id for c in cited] == [7, None, 4]
    assert [c.written for c in cited] == ["(<OBJ002>)", "OBJ099", "#4"]
    assert all(text[c.start : c.end] == c.written for c in cited)


@given(texts)
def test_any_text_can_be_read(text: str) -> None:
    NUMBERS.to_model(text)
    assert NUMBERS.to_people(text, NAMES).count("no such object") == text.count(
        "no such object"
    ) + sum(c.id not in NAMES for c in NUMBERS.citations(text))


@given(texts)
def test_what_is_shown_while_it_is_written_stays(text: str) -> None:
    whole = NUMBERS.to_people(text, NAMES)
    for end in range(len(text) + 1):
        shown = NUMBERS.to_people(settled(text[:end]), NAMES)
        assert whole.startswith(shown), (text[:end], shown)


@pytest.mark.parametrize("piece", ["<OBJ", "(#", "<OBJ9", "chair ", "(<OBJ003>", "  "])
def test_time_is_in_proportion_to_the_length(piece: str) -> None:
    start = time.perf_counter()
    for _ in NUMBERS.citations(piece * 30_000):
        pass
    NUMBERS.to_people(piece * 30_000, NAMES)
    settled(piece * 30_000)
    assert time.perf_counter() - start < 5
