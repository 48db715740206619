"""Rows as a model is asked, in the form its reasoner would ask for, and how right answers are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from generated_scenes import building

from spatial_vlm_ros.data import generators
from spatial_vlm_ros.data.generators.graph import scene_graph
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.reasoners.checked import Asked
from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.reasoners.question_form import Form, FormKind
from spatial_vlm_ros.training.lessons import Unteachable, asked, drawn, form_of, lesson, numbered
from spatial_vlm_ros.training.scoring import score

ROW = Row("1", "small", "simulated/room-1", "question", "What is it?", "a lamp")
NUMBERS = Numbering((3, 5, 9))
BOX = '[{"label": "lamp", "bbox_3d": [1.00, 2.00, 0.50, 0.40, 0.30, 0.60, 0.10]}]'
OTHER = '[{"label": "lamp", "bbox_3d": [4.00, 2.00, 0.50, 0.40, 0.30, 0.60, 0.10]}]'


@pytest.mark.parametrize("kind", ["proxy3d", "ssr"])
def test_rows_are_asked_as_the_reasoner_asks(kind: str) -> None:
    scene = building(3)
    graph, forms, asked_about = scene_graph(scene), set(), 0
    ids = [item.id for item in graph.present()]
    numbering = Numbering.of(ids, 100) if kind == "proxy3d" else Numbering(())
    for name in generators.NAMES:
        for row in generators.generator(name)(scene, 0, 6):
            try:
                taught = lesson(row, kind, numbering)
            except Unteachable:
                continue
            at_inference = Asked.of(asked(row), graph, numbering)
            assert taught.question == at_inference.words, row
            assert taught.form == at_inference.form, row
            forms.add(taught.form.kind)
            asked_about += 1
    assert forms == set(FormKind) and asked_about > 100


def test_numbers_are_the_models_own() -> None:
    row = replace(ROW, question="Is the lamp (#5) left of #9?", answer="No, of the sofa (#3).")
    taught = lesson(row, "proxy3d", NUMBERS)
    assert taught.question == "Is the lamp <OBJ001> left of <OBJ002>?"
    assert taught.answer == "No, of the sofa <OBJ000>."


@pytest.mark.parametrize(
    ("kind", "said"), [("proxy3d", "no number for the model"), ("ssr", "images do not show")]
)
def test_objects_that_it_cannot_know(kind: str, said: str) -> None:
    numbering = NUMBERS if kind == "proxy3d" else Numbering(())
    for row in (replace(ROW, question="What is #7?"), replace(ROW, answer="#7")):
        with pytest.raises(Unteachable, match=said):
            lesson(row, kind, numbering)
    lesson(replace(ROW, answer="hotel room #"), kind, numbering)


def test_grounding_is_by_number_or_by_box() -> None:
    row = replace(ROW, task="grounding", question="Which is the lamp?", answer=BOX, targets=(9, 3))
    assert lesson(row, "proxy3d", NUMBERS).answer == "<OBJ002>, <OBJ000>"
    assert lesson(row, "ssr", Numbering(())).answer == BOX
    nothing = replace(row, answer="[]", targets=())
    assert lesson(nothing, "proxy3d", NUMBERS).answer == "None"
    assert lesson(nothing, "ssr", Numbering(())).answer == "[]"
    with pytest.raises(Unteachable, match="grounding without numbers"):
        lesson(replace(row, targets=()), "proxy3d", NUMBERS)
    boxes = replace(row, question="What is the 3D bounding box of the lamp?")
    for kind in ("proxy3d", "ssr"):  # the reasoner will hold the answer to boxes
        taught = lesson(boxes, kind, NUMBERS)
        assert (taught.answer, taught.form.kind) == (BOX, FormKind.BOXES)


@pytest.mark.parametrize(
    ("row", "form"),
    [
        (replace(ROW, options=("left", "right"), answer="B"),
         Form(FormKind.OPTION, {"A": "left", "B": "right"})),
        (replace(ROW, task="counting", question="How many lamps are there?", answer="3"),
         Form(FormKind.COUNT)),
        (replace(ROW, task="counting", question="How many lamps are there?", answer="three"),
         Form()),
        (replace(ROW, task="distance", question="How far is it?", answer="3.1"),
         Form(FormKind.NUMBER, unit="m")),
        (replace(ROW, task="object_size", question="How long is the bed in cm?", answer="190"),
         Form(FormKind.NUMBER, unit="cm")),
        (replace(ROW, task="room_size", question="How large is the room?", answer="21.5"),
         Form(FormKind.NUMBER, unit="m2")),
        (replace(ROW, task="distance", question="How far is #3?", answer="3.1"),
         Form(FormKind.NUMBER, unit="m")),
        (replace(ROW, task="coordinates", question="How high is #3?", answer="0.41"),
         Form(FormKind.NUMBER, unit="m")),
        (replace(ROW, task="coordinates", question="Where is #3?", answer="[1.00, 2.00]"), Form()),
        (replace(ROW, task="distance", question="How far is it?", answer="3.1 m"), Form()),
        (ROW, Form()),
    ],
)  # fmt: skip
def test_forms(row: Row, form: Form) -> None:
    assert form_of(row) == form


def test_drawn_numbers_are_of_all_objects_and_all_are_drawn() -> None:
    seen = set()
    for seed in range(200):
        numbers = numbered(drawn((3, 5, 9), 10, np.random.default_rng(seed)))
        assert sorted(numbers) == [3, 5, 9] and len(set(numbers.values())) == 3
        seen |= set(numbers.values())
    assert seen == set(range(10))
    numbering = drawn((3, 5, 9), 10, np.random.default_rng(0))
    words = numbering.to_model("#3, #5, #9, #7, #99999999999999999999")
    assert words.count("<OBJ") == 3 and "#7, #99999999999999999999" in words
    many = numbered(drawn(range(50), 10, np.random.default_rng(0)))
    assert sorted(many) == list(range(10))


@pytest.mark.parametrize(
    ("row", "text", "right"),
    [
        (replace(ROW, options=("left", "right"), answer="B"), "B", 1),
        (replace(ROW, options=("left", "right"), answer="B"), "A", 0),
        (ROW, "Lamp.", 1),
        (ROW, "a red lamp", 0),
        (replace(ROW, accepted=("floor lamp",)), "the floor lamp", 1),
        (replace(ROW, task="counting", question="How many?", answer="3"), "3", 1),
        (replace(ROW, task="counting", question="How many?", answer="3"), "2", 0),
        (replace(ROW, task="distance", question="How far is it?", answer="2"), "2", 1),
        (replace(ROW, task="distance", question="How far is it?", answer="2"), "2.2", 0.9),
        (replace(ROW, task="distance", question="How far is it?", answer="2"), "3", 0.1),
        (replace(ROW, task="distance", question="How far is it?", answer="2"), "4", 0),
        (replace(ROW, task="grounding", answer=BOX, targets=(9,)), "<OBJ002>", 1),
        (replace(ROW, task="grounding", answer=BOX, targets=(9,)), "<OBJ002>, <OBJ000>", 2 / 3),
        (replace(ROW, task="grounding", answer="[]"), "None", 1),
        (replace(ROW, task="grounding", answer="[]"), "<OBJ000>", 0),
        (replace(ROW, question="Its 3D box?", task="coordinates", answer=BOX), BOX, 1),
        (replace(ROW, question="Its 3D box?", task="coordinates", answer=BOX), OTHER, 0),
        (replace(ROW, question="Its 3D box?", task="coordinates", answer=BOX), "no box", 0),
        (replace(ROW, question="Where?", answer="[3.00, 4.00, 0.00]"), "[3.00, 4.00, 0.00]", 1),
        (replace(ROW, question="Where?", answer="[3.00, 4.00, 0.00]"), "[3.00, 3.00, 0.00]", 0.7),
        (replace(ROW, question="Where?", answer="[3.00, 4.00, 0.00]"), "[-3.00, 4.00, 0.00]", 0),
        (replace(ROW, question="Where?", answer="[3.00, 4.00, 0.00]"), "[3.00, 4.00]", 0),
        (replace(ROW, question="Where?", answer="[3.00, 4.00, 0.00]"), "near", 0),
        (replace(ROW, question="Which cell?", answer="[3, 4]"), "[3, 4]", 1),
        (replace(ROW, question="Which cell?", answer="[3, 4]"), "[3, 5]", 0),
    ],
)
def test_scores(row: Row, text: str, right: float) -> None:
    taught = lesson(row, "proxy3d", NUMBERS)
    assert score(row, taught, NUMBERS, text) == pytest.approx(right)


def test_scores_of_boxes_in_words_of_images() -> None:
    row = replace(ROW, task="grounding", answer=BOX, targets=(9,))
    taught = lesson(row, "ssr", Numbering(()))
    assert score(row, taught, Numbering(()), f"It is here: {BOX}") == 1
    assert score(row, taught, Numbering(()), "#9") == 0
    empty = replace(row, answer="[]", targets=())
    assert score(empty, lesson(empty, "ssr", Numbering(())), Numbering(()), "[]") == 1
