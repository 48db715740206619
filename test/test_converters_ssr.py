"""Converters of SSR's data sets, on small files in the exact layout of each."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from real_data import DATA

from spatial_vlm_ros.data.converters import converter, pieces
from spatial_vlm_ros.data.converters.conversations import asked, dialogue
from spatial_vlm_ros.data.converters.spar7m import FORMS
from spatial_vlm_ros.data.row import Mark, Reference, Rejected, Row
from spatial_vlm_ros.data.scenes import AnnotatedObject, AnnotatedScene
from spatial_vlm_ros.data.unusable import Unusable
from spatial_vlm_ros.language.box_text import read_boxes
from spatial_vlm_ros.scene.box import Box

NAMES = ("spar7m", "threedllm", "vla3d", "referit3d", "vica", "vlm3r", "vsi590k")

VLA3D = DATA / "gt" / "vla3d"

OPTION = "Answer with the option's letter from the given choices directly."
WORD = "Please answer the question using a single word or phrase."

#: At (2, 1, 1.5) of the world, level, looking along its y: x right, y down, z forward.
T_WORLD_FIRST = np.array(
    [[1.0, 0, 0, 2], [0, 0, 1, 1], [0, -1, 0, 1.5], [0, 0, 0, 1]],
)


def scene(name: str, *objects: AnnotatedObject) -> dict[str, AnnotatedScene]:
    return {name: AnnotatedScene(name, objects, T_WORLD_FIRST)}


def thing(number: int, category: str, *values: float) -> AnnotatedObject:
    return AnnotatedObject(number, category, Box.from_tuple(values))


def written(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def lines(path: Path, *items: Any) -> Path:
    texts = [item if isinstance(item, str) else json.dumps(item) for item in items]
    return written(path, "".join(f"{text}\n" for text in texts))


def table(path: Path, *rows: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def run(name: str, root: Path, scenes: Any = None) -> tuple[list[Row], list[Rejected]]:
    """Rows and what makes none. Both are the same each time, and no two rows have one id."""
    units = list(converter(name).units(root, scenes or {}))
    made = [item for unit in units for item in unit.rows()]
    again = [item for unit in converter(name).units(root, scenes or {}) for item in unit.rows()]
    assert made == again
    assert len({unit.name for unit in units}) == len(units)
    rows = [item for item in made if isinstance(item, Row)]
    assert len({row.id for row in rows}) == len(rows)
    assert {row.dataset for row in rows} <= {name}
    assert all(row.license for row in rows)
    assert all(Row.from_json(json.loads(json.dumps(row.to_json()))) == row for row in rows)
    return rows, [item for item in made if isinstance(item, Rejected)]


def reasons(rejected: list[Rejected]) -> dict[str, int]:
    return dict(Counter(item.reason for item in rejected))


def said(*texts: str) -> list[dict[str, str]]:
    return [{"from": ("human", "gpt")[n % 2], "value": text} for n, text in enumerate(texts)]


# -- prompts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "question", "options"),
    [
        ("How many chairs?", "How many chairs?", ()),
        (f"These are frames of a video.\nHow many?\n{WORD}", "How many?", ()),
        (
            f"These are frames of a video.\nWhich?\nOptions:\nA. lamp\nB. door\n{OPTION}",
            "Which?",
            ("lamp", "door"),
        ),
        (
            "Which of these?\nMeasure to the nearest.\nA. lamp\nB.door",
            "Which of these?\nMeasure to the nearest.",
            ("lamp", "door"),
        ),
        ("Which?\n(A) lamp\n(B) 1.5", "Which?", ("lamp", "1.5")),
        (
            "Where is it? Choose the appropriate option from the choices provided.\n"
            "A. left, above, \nB. left, , front\n"
            "Your answer can only include one of options A, B, C or D.",
            "Where is it?",
            ("left, above,", "left, , front"),
        ),
        ("How deep? Provide a numeric response with just one value.", "How deep?", ()),
        ("Choose a seat. Which one has options?", "Choose a seat. Which one has options?", ()),
    ],
)
def test_prompt(text: str, question: str, options: tuple[str, ...]) -> None:
    assert asked(text, FORMS) == (question, options)


@pytest.mark.parametrize(
    "text", ["Which?\nA. lamp\nC. door", "Which?\nB. lamp\nC. door", "Which?\nOptions:\nlamp, door"]
)
def test_options_that_are_not_understood(text: str) -> None:
    with pytest.raises(Unusable, match="options not understood"):
        asked(text)


def test_dialogue_says_who_speaks() -> None:
    assert dialogue(["How\nmany?"]) == "How\nmany?"
    assert (
        dialogue(["Hi!", "Hello.", "How\nmany?"])
        == "Person: Hi!\nAssistant: Hello.\nPerson: How many?"
    )


# -- SPAR-7M -----------------------------------------------------------------------------------


def spar(kind: str, images: int, *texts: str, **marks: Any) -> dict[str, Any]:
    paths = [f"scene0261_00/image_color/{n}.jpg" for n in range(images)]
    return {
        "id": "scene0261_00_16",
        "conversations": said(*texts),
        "image": paths,
        "type": kind,
    } | marks


def test_spar7m(tmp_path: Path) -> None:
    folder = tmp_path / "scannet" / "qa_jsonl" / "train"
    lines(
        folder / "depth_prediction_oc" / "sentence" / "sentence_1.jsonl",
        spar(
            "depth_prediction_oc",
            1,
            "With the counter (red point) at 1.6 m, how deep is the towel (blue point)?",
            "About 1.5 meters.",
            depth=["scene0261_00/image_depth/543.png"],
            red_point=[[553, 397]],
            blue_point=[[641, 838]],
        ),
    )
    lines(
        folder / "distance_prediction_oo" / "select" / "select_2.jsonl",
        spar(
            "distance_prediction_oo",
            1,
            "<image>\nHow far? Choose the correct response from the given choices.\n"
            "A. 0.6\nB. 1.0\nYour answer can only include one of options A or B.",
            "B",
        ),
        spar("distance_prediction_oo", 1, "How far?\nA. 0.6\nB. 1.0", "C"),
    )
    rows, rejected = run("spar7m", tmp_path)
    assert reasons(rejected) == {"the answer is none of the options": 1}
    assert rejected[0].source == (
        "scannet/qa_jsonl/train/distance_prediction_oo/select/select_2.jsonl:2"
    )
    depth, distance = rows
    assert (depth.task, depth.subtask, depth.scene) == (
        "depth",
        "depth_prediction_oc",
        "scannet/scene0261_00",
    )
    assert depth.images == ("scannet/images/scene0261_00/image_color/0.jpg",)
    assert depth.marks == (Mark(0, "red", 0.553, 0.397), Mark(0, "blue", 0.641, 0.838))
    assert depth.answer == "About 1.5 meters."
    assert (distance.question, distance.options, distance.answer) == (
        "How far?",
        ("0.6", "1.0"),
        "B",
    )


POINTS = {"red_point": [[100, 0]], "blue_point": [[200, 0]], "green_point": [[300, 0]]}
BOXES = {f"{name}_bbox": [[n, n, 1000, 1000]] for n, name in enumerate(("red", "blue", "green"))}


TWO = {key: BOXES[key] for key in ("blue_bbox", "green_bbox")}
LISTED = {"bbox_list": [[[0, 0, 9, 9], [1, 1, 9, 9]]]}
PLACED = {"point_list": [[[0, 0], [1, 1]]]}


@pytest.mark.parametrize(
    ("kind", "marks", "places", "images"),
    [
        # Each type counts the images of its colours in its own order (``draw_marker.py``).
        ("depth_prediction_oo_mv", POINTS, [0, 2, 1], "red 0, blue 2, green 1"),
        ("distance_infer_center_oo_mv", POINTS, [0, 2, 1], "red 0, green 2, blue 1"),
        ("spatial_imagination_oc_mv", BOXES, [0, 2, 1], "green 0, blue 2, red 1"),
        ("obj_spatial_relation_oc_mv", BOXES, [2, 0, 1], "red 2, blue 2, green 2"),
        ("obj_spatial_relation_oo_mv", TWO, [1, 2], "blue 1, green 2"),
        ("position_matching", {"red_bbox": [[0, 0, 9, 9]]}, None, "red 0"),
        ("spatial_imagination_map_mv", LISTED, [2, 0], "object0 2, object1 0"),
        ("distance_infer_center_oo_video", PLACED, [1, 2], "objectA 1, object0 2"),
        ("distance_infer_center_oc_mv", POINTS, [0, 1, 2], ""),
        ("view_change_infer", {}, None, ""),
    ],
)
def test_spar7m_images_of_marks(
    tmp_path: Path, kind: str, marks: Any, places: list[int] | None, images: str
) -> None:
    if places is not None:
        shape = "point" if any("point" in key for key in marks) else "bbox"
        marks = marks | {f"{shape}_img_idx": [places]}
    item = spar(kind, 3, "What of it?", "This.", **marks)
    lines(tmp_path / "scannetpp" / "qa_jsonl" / "train" / kind / "fill" / "fill_1.jsonl", item)
    ((row,), rejected) = run("spar7m", tmp_path)
    assert not rejected
    assert ", ".join(f"{mark.colour} {mark.image}" for mark in row.marks) == images
    assert len(row.images) == 3
    if kind == "position_matching":
        assert row.marks == (Mark(0, "red", 0.0, 0.0, (0.009, 0.009)),)


def test_spar7m_refused(tmp_path: Path) -> None:
    good = spar("obj_count", 12, "How many chairs?", "4")
    point = {"red_point": [[100, 0]]}
    path = tmp_path / "structured3d" / "qa_jsonl" / "train" / "obj_count" / "fill" / "fill_9.jsonl"
    lines(
        path,
        good,
        good | {"type": "colour_guessing"},
        good | {"image": []},
        good | {"conversations": said("How many?")},
        good | {"conversations": said("How many?", "4", "Sure?", "Yes.")},
        {key: value for key, value in good.items() if key != "type"},
        spar("depth_prediction_oc_mv", 3, "How deep?", "1.5", **point),
        spar("depth_prediction_oc", 1, "How deep?", "1.5", red_point=[[1001, 0]]),
        spar("depth_prediction_oc", 1, "How deep?", "1.5", red_point=[[1, 2, 3, 4]]),
        spar("depth_prediction_oc_mv", 2, "How deep?", "1", **point, point_img_idx=[[2]]),
        "{",
        "[1]",
        "",
    )
    path.write_bytes(path.read_bytes() + b'{"id": "\xff"}\n')
    rows, rejected = run("spar7m", tmp_path)
    assert [row.task for row in rows] == ["counting"]
    assert rows[0].scene == "structured3d/scene0261_00"
    assert reasons(rejected) == {
        "kind not known": 1,
        "no images": 1,
        "no questions and answers in turn": 1,
        "more than one question": 1,
        "field missing": 1,
        "marks without an image": 1,
        "malformed": 2,
        "mark not understood": 1,
        "no object of JSON": 3,
    }
    assert rejected[-1].source.endswith("fill_9.jsonl:14")
    assert rejected[-1].content == r'{"id": "\xff"}'


# -- 3D-LLM ------------------------------------------------------------------------------------


def test_threedllm_as_released(tmp_path: Path) -> None:
    written(tmp_path / "final_scene_map_dict_scan_v2.json", {"7": "scene0024_00"})
    item = {"scene_id": 7, "question": "Describe the room.", "answers": ["A kitchen."]}
    talk = "Human: Hi! Robot: Hello. Human: Where do I sit?"
    written(
        tmp_path / "data_part2_scene_v2.json",
        [
            item,
            item | {"question": talk, "answers": ["Robot: Here."]},
            item
            | {"question": "Agent 1: Where is it?", "answers": ["There.", "There.", "Behind."]},
            item | {"scene_id": 8},
            item | {"answers": ["Tables are at (3.374, 1.318, 0.341)."]},
            item | {"answers": ["A sink is 5.349 meters away from the center point."]},
            item | {"question": "Human: Hi! Human: Where?"},
            item | {"answers": ["Human: And then?"]},
            item | {"answers": ["Agent 2:"]},
            item | {"answers": []},
        ],
    )
    rows, rejected = run("threedllm", tmp_path)
    assert [(row.task, row.question, row.answer, row.accepted) for row in rows] == [
        ("caption", "Describe the room.", "A kitchen.", ()),
        ("question", "Person: Hi!\nAssistant: Hello.\nPerson: Where do I sit?", "Here.", ()),
        ("question", "Where is it?", "There.", ("Behind.",)),
    ]
    assert {row.scene for row in rows} == {"scannet/scene0024_00"}
    assert reasons(rejected) == {
        "scene is not in the map": 1,
        "place in a frame that is not told": 2,
        "no questions and answers in turn": 1,
        "the answer is the person's": 1,
        "no answer": 2,
    }


def test_threedllm_of_scannet(tmp_path: Path) -> None:
    def item(question: str, answer: str) -> dict[str, Any]:
        return {"question": question, "answers": [answer], "scene_id": "scene0367_00"}

    written(
        tmp_path / "3d_llm_embodied_question_answer_train.json",
        [
            item("### human: I am at a desk. What is on my left? ### assistant:", "sink,"),
            item("### human: i want to tidy up. what should i do?", "1. go to the desk"),
            item("### human: Where? ### assistant:", "There.") | {"scene_id": "7"},
        ],
    )
    rows, rejected = run("threedllm", tmp_path)
    assert [(row.task, row.subtask, row.question, row.answer) for row in rows] == [
        ("situated", "embodied_question_answer", "I am at a desk. What is on my left?", "sink"),
        (
            "question",
            "embodied_question_answer",
            "i want to tidy up. what should i do?",
            "1. go to the desk",
        ),
    ]
    assert reasons(rejected) == {"not a scene of a known data set": 1}


def test_threedllm_needs_the_map_of_its_version(tmp_path: Path) -> None:
    item = {"scene_id": 7, "question": "Where?", "answers": ["Here."]}
    written(tmp_path / "data_part2_scene_v3.json", [item])
    with pytest.raises(
        ValueError, match=r"needs final_scene_map_dict_scan_v3\.json .* there are 0"
    ):
        list(converter("threedllm").units(tmp_path, {}))
    written(tmp_path / "final_scene_map_dict_scan_v2.json", {"7": "scene0001_00"})
    assert run("threedllm", tmp_path)[0][0].scene == "scannet/scene0001_00"
    written(tmp_path / "final_scene_map_dict_scan_v3.json", {"7": "scene0002_00"})
    assert run("threedllm", tmp_path)[0][0].scene == "scannet/scene0002_00"


# -- VLA-3D ------------------------------------------------------------------------------------


def vla_object(number: int, *box: float) -> dict[str, Any]:
    names = ("cx", "cy", "cz", "xlength", "ylength", "zlength", "heading")
    labels = {"object_id": number, "region_id": 0, "raw_label": "thing", "nyu_label": "thing"}
    return labels | {f"object_bbox_{name}": part for name, part in zip(names, box, strict=True)}


def vla_reading(target: str, *anchors: str) -> dict[str, Any]:
    return {
        "target_index": target,
        "target_class": f"kind {target}",
        "distractor_ids": [],
        "relation": "closest",
        "relation_type": "ordered",
        "anchors": {
            f"anchor_{n}": {"index": index, "class": f"kind {index}"}
            for n, index in enumerate(anchors, 1)
        },
    }


def vla(root: Path, regions: dict[str, Any]) -> None:
    folder = root / "Scannet" / "scene0010_01"
    written(
        folder / "scene0010_01_referential_statements.json",
        {"scene_name": "scene0010_01", "regions": regions},
    )
    table(
        folder / "scene0010_01_object_result.csv",
        vla_object(3, 1, 4, 0.5, 2, 1, 1, 0),
        vla_object(4, 2, 2, 1, 1, 1, 1, 0),
        vla_object(5, 9, 9, 9, 1, 1, 1, 0),
        vla_object(6, 1, 1, 1, 1, -1, 1, 0),
    )


def test_vla3d_in_the_frame_of_the_first_camera(tmp_path: Path) -> None:
    """The box at (1, 4, 0.5) lies 3 m ahead, 1 m left and 1 m below a camera that looks along y."""
    vla(tmp_path, {"0": {"region": "office", "the desk near the lamp": [vla_reading("3", "4")]}})
    ((row,), rejected) = run("vla3d", tmp_path, scene("scannet/scene0010_01"))
    assert not rejected
    assert row.scene == "scannet/scene0010_01"
    assert (row.task, row.subtask) == ("grounding", "closest")
    assert row.question == "Which object does this describe? the desk near the lamp"
    np.testing.assert_allclose(row.boxes[0].to_tuple(), (3, 1, -1, 2, 1, 1, -np.pi / 2), atol=1e-12)
    assert row.targets == (3,)
    (read,) = read_boxes(row.answer).boxes
    assert read.label == "kind 3"
    np.testing.assert_allclose(read.box.to_tuple(), (3, 1, -1, 2, 1, 1, -1.57), atol=1e-2)
    (anchor,) = row.refs
    assert (anchor.object, anchor.category) == (4, "kind 4")
    np.testing.assert_allclose(anchor.box.center, (1, 0, -0.5), atol=1e-12)


def test_vla3d_takes_numbers_and_boxes_of_the_scene(tmp_path: Path) -> None:
    """Object 3 there is 31 here, object 5 is not here; numbers 3 and 5 here are other things."""
    vla(
        tmp_path,
        {
            "0": {
                "the desk": [vla_reading("3", "4")],
                "the desk far from the shelf": [vla_reading("3", "5")],
            }
        },
    )
    objects = (
        thing(31, "desk", 3.1, 1, -1, 2, 1, 1, -np.pi / 2),
        thing(3, "lamp", 1, 0, -0.5, 1, 1, 1, 0),
        thing(5, "floor", 0, 0, -3, 9, 9, 0.1, 0),
    )
    ((row,), rejected) = run("vla3d", tmp_path, scene("scannet/scene0010_01", *objects))
    assert row.targets == (31,)
    assert row.boxes == (objects[0].box,)
    assert row.refs == (Reference(3, "kind 4", objects[1].box),)
    assert reasons(rejected) == {"object not known": 1}


def test_vla3d_knows_a_turned_object_by_its_axis_aligned_box(tmp_path: Path) -> None:
    """A board at 45 degrees shares a tenth of its volume with the box along the walls round it."""
    vla(tmp_path, {"0": {"the board": [vla_reading("7")]}})
    path = tmp_path / "Scannet" / "scene0010_01" / "scene0010_01_object_result.csv"
    table(path, vla_object(7, 1, 4, 0.5, 2, 0.1, 1, np.pi / 4))
    side = 2.1 / np.sqrt(2)
    board = thing(12, "whiteboard", 3, 1, -1, side, side, 1, 0)
    ((row,), _) = run("vla3d", tmp_path, scene("scannet/scene0010_01", board))
    assert row.targets == (12,)
    assert row.boxes == (board.box,)


def test_vla3d_refused_and_regions(tmp_path: Path) -> None:
    one = {"the desk": [vla_reading("3")]}
    vla(
        tmp_path,
        {
            "0": {"region": "office"} | one,
            "1": {"region": "hall"} | one,
            "2": {"region": "hall"} | one,
            "3": [],
            "4": {
                "region": "bath",
                "the lamp": [vla_reading("3"), vla_reading("4")],
                "the other lamp": [vla_reading("4"), vla_reading("4", "3")],
                "the bent one": [vla_reading("6")],
                "the lost one": [vla_reading("7")],
                "nothing": [],
                "a fragment": [{"target_index": "3"}],
            },
        },
    )
    rows, rejected = run("vla3d", tmp_path, scene("scannet/scene0010_01"))
    assert [row.question.partition("? ")[2] for row in rows] == [
        "In the office: the desk",
        "In the bath: the other lamp",
    ]
    assert reasons(rejected) == {
        "region is not told": 2,
        "may mean several objects": 2,
        "object without a box": 2,
        "field missing": 1,
    }
    rows, rejected = run("vla3d", tmp_path)
    assert not rows
    assert reasons(rejected) == {"scene not known": 9}


def test_vla3d_tables_must_be_whole(tmp_path: Path) -> None:
    vla(tmp_path, {"0": {"the desk": [vla_reading("3")]}})
    path = tmp_path / "Scannet" / "scene0010_01" / "scene0010_01_object_result.csv"
    table(path, {"object_id": 3, "object_bbox_cx": 1})
    with pytest.raises(ValueError, match="has no column object_bbox_cy"):
        run("vla3d", tmp_path)
    path.unlink()
    with pytest.raises(ValueError, match=r"object_result\.csv is missing"):
        run("vla3d", tmp_path)


@pytest.mark.skipif(not VLA3D.exists(), reason="no VLA-3D data")
def test_vla3d_sample() -> None:
    """All phrases of two published rooms; boxes are as far apart as their published centres."""
    names = ("arkitscenes/47204840", "3rscan/02b33e01-be2b-2d54-93fb-4145a709cec5")
    rows, rejected = run("vla3d", VLA3D, {name: scene(name)[name] for name in names})
    assert not rejected
    assert Counter(row.scene for row in rows) == {names[0]: 100, names[1]: 747}
    path = VLA3D / "ARKitScenes" / "47204840" / "47204840_referential_statements.json"
    region = json.loads(path.read_text())["regions"]["0"]
    phrases = [text for text in region if text != "region"]
    found = [row for row in rows if row.scene == names[0]]
    assert [row.question.partition("? ")[2] for row in found] == phrases
    for row, text in zip(found, phrases, strict=True):
        reading = region[text][0]
        target = np.array(reading["target_position"])
        for ref, (_, anchor) in zip(row.refs, sorted(reading["anchors"].items()), strict=True):
            apart = np.linalg.norm(target - anchor["position"])
            assert np.linalg.norm(row.boxes[0].center - ref.box.center) == pytest.approx(apart)
            assert row.boxes[0].z - ref.box.z == pytest.approx(target[2] - anchor["position"][2])


# -- ReferIt3D ---------------------------------------------------------------------------------


def test_referit3d(tmp_path: Path) -> None:
    shared = {"scan_id": "scene0525_00", "target_id": 9, "instance_type": "office chair"}
    shared |= {"utterance": "The chair by the window.", "mentions_target_class": True}
    people = shared | {"stimulus_id": "scene0525_00-chair-2-9-8", "correct_guess": True}
    table(
        tmp_path / "nr3d.csv",
        people,
        people | {"correct_guess": False},
        people | {"mentions_target_class": False},
        people | {"scan_id": "scene0000_00"},
        people | {"target_id": 8},
        people | {"target_id": 2},
        people | {"target_id": "nine"},
        people | {"correct_guess": "perhaps"},
        people | {"utterance": " "},
    )
    table(
        tmp_path / "sr3d.csv",
        shared
        | {"coarse_reference_type": "between", "reference_type": "between"}
        | {"distractor_ids": "[8]", "anchors_types": "['desk', 'door']", "anchor_ids": "[2, 5]"},
    )
    objects = (
        thing(9, "chair", 1, 2, -0.5, 0.5, 0.5, 1, 0),
        thing(2, "desk", 2, 2, -0.5, 1, 0.5, 1, 0),
        thing(5, "door", 3, 2, -0.5, 1, 0.5, 2, 0),
    )
    rows, rejected = run("referit3d", tmp_path, scene("scannet/scene0525_00", *objects))
    assert reasons(rejected) == {
        "not understood by people": 1,
        "kind of object is not said": 1,
        "scene not known": 1,
        "object not known": 1,
        "object is called otherwise": 1,
        "malformed": 2,
        "no utterance": 1,
    }
    nr3d, sr3d = rows
    assert nr3d.question == "Which object does this describe? The chair by the window."
    assert (
        nr3d.answer
        == '[{"label": "chair", "bbox_3d": [1.00, 2.00, -0.50, 0.50, 0.50, 1.00, 0.00]}]'
    )
    assert (nr3d.targets, nr3d.boxes) == ((9,), (objects[0].box,))
    assert (nr3d.subtask, sr3d.subtask) == ("nr3d", "between")
    assert [ref.object for ref in sr3d.refs] == [2, 5]
    assert nr3d.id == "nr3d.csv[0]"


def test_referit3d_names_the_columns_that_are_missing(tmp_path: Path) -> None:
    table(tmp_path / "nr3d.csv", {"scan_id": "scene0525_00", "utterance": "it"})
    with pytest.raises(
        ValueError,
        match=r"nr3d\.csv has no column target_id, instance_type, mentions_target_class, "
        "correct_guess; it has scan_id, utterance",
    ):
        list(converter("referit3d").units(tmp_path, {}))


# -- ViCA --------------------------------------------------------------------------------------


def test_vica(tmp_path: Path) -> None:
    item = {"video": "arkitscenes/47115148.mp4"}
    written(
        tmp_path / "arkitscenes" / "base" / "triangular_positional_relationship.json",
        [
            item | {"conversations": said("<image>\nHow do they lie?", "3.5 meters apart.")},
            item | {"conversations": said("<image>\nHow?", "So.")[:1]},
            item | {"video": "kitti/1.mp4", "conversations": said("How?", "So.")},
            {"conversations": said("How?", "So.")},
        ],
    )
    written(
        tmp_path / "scannetpp" / "complex" / "conversation.json",
        [
            {
                "video": "scannetpp/036bce3393.mp4",
                "conversations": said("<image>\nWhat for?", "For work.", "And then?", "Rest."),
            },
        ],
    )
    rows, rejected = run("vica", tmp_path)
    assert [(row.scene, row.task, row.subtask, row.question, row.answer) for row in rows] == [
        (
            "arkitscenes/47115148",
            "relation",
            "triangular_positional_relationship",
            "How do they lie?",
            "3.5 meters apart.",
        ),
        ("scannetpp/036bce3393", "question", "conversation", "What for?", "For work."),
        (
            "scannetpp/036bce3393",
            "question",
            "conversation",
            "Person: What for?\nAssistant: For work.\nPerson: And then?",
            "Rest.",
        ),
    ]
    assert [row.id for row in rows[1:]] == [
        "scannetpp/complex/conversation.json[0].0",
        "scannetpp/complex/conversation.json[0].1",
    ]
    assert reasons(rejected) == {
        "no questions and answers in turn": 1,
        "not a scene of a known data set": 1,
        "field missing": 1,
    }


def test_vica_names_files_that_are_none_of_its_own(tmp_path: Path) -> None:
    path = written(tmp_path / "scannet" / "base" / "object_colour.json", [])
    with pytest.raises(ValueError, match=f"{path}: its name is none of base/object_count"):
        list(converter("vica").units(tmp_path, {}))
    path.rename(path.with_name("object_count.json"))
    assert run("vica", tmp_path) == ([], [])
    written(path.with_name("object_count.json"), {"video": "scannet/scene0000_00.mp4"})
    with pytest.raises(ValueError, match=r"object_count\.json is no list but dict"):
        list(converter("vica").units(tmp_path, {}))


# -- VLM-3R ------------------------------------------------------------------------------------

CHOICE = f"Options:\nA. lamp\nB. door\n{OPTION}"


def vlm(kind: str | None, question: str, answer: str, number: str = "u1") -> dict[str, Any]:
    return {
        "id": number,
        "data_source": "scannet",
        "scene_name": "scene0191_00",
        "video": "scannet/videos/scene0191_00.mp4",
        "conversations": said(f"<image>\nThese are frames of a video.\n{question}", answer),
    } | ({} if kind is None else {"question_type": kind})


@pytest.mark.parametrize(
    ("kind", "task", "question", "answer"),
    [
        ("object_counting", "counting", f"How many chair(s) are in this room?\n{WORD}", "4"),
        ("object_size_estimation", "object_size", "What is the length of the longest side?", "92"),
        ("room_size_estimation", "room_size", "What is the size of this room?", "15.2"),
        ("object_abs_distance", "distance", "So, what is the direct distance between them?", "1.5"),
        ("object_rel_distance_v1", "nearest", "Which of these is the closest to the bed?", "A"),
        ("object_rel_direction_v3", "direction", "If I am standing by the bed, where is it?", "B"),
        ("obj_appearance_order", "order", "What will be the first-time appearance order?", "A"),
        ("route_planning", "route", "You are a robot beginning at the bed.", "A"),
        ("obj_obj_relative_pos_nf", "relation", "Is the bed [Near/Far] compared to it?", "A"),
        ("obj_obj_relative_pos_lr", "relation", "Is the bed to the [Left/Right]?", "A"),
        ("obj_obj_relative_pos_ud", "relation", "Is the bed to the [Up/Down]?", "A"),
        ("camera_movement_direction_v2", "camera", "During the sequence between these, how?", "A"),
        ("camera_obj_rel_dist_v1", "nearest", "Which is the closest to the camera in this?", "A"),
        ("camera_obj_abs_dist", "distance", "What is the approximate distance (in meters)?", "2.0"),
        (
            "camera_displacement",
            "camera",
            "Approximately how far (in meters) did the camera go?",
            "1",
        ),
    ],
)
def test_vlm3r_knows_kinds_by_name_and_by_wording(
    tmp_path: Path, kind: str, task: str, question: str, answer: str
) -> None:
    question = f"{question}\n{CHOICE}" if answer in "AB" else question
    written(
        tmp_path / "vsibench_train" / "merged_qa_scannet_train.json",
        [vlm(kind, question, answer), vlm(None, question, answer), vlm("", question, answer)],
    )
    rows, rejected = run("vlm3r", tmp_path)
    assert not rejected
    assert [(row.task, row.answer) for row in rows] == [(task, answer)] * 3
    assert rows[0].subtask == kind
    assert kind.startswith(rows[1].subtask)
    assert {row.scene for row in rows} == {"scannet/scene0191_00"}
    assert {row.options for row in rows} == {("lamp", "door") if CHOICE in question else ()}
    assert OPTION not in rows[0].question
    assert WORD not in rows[0].question


def test_vlm3r_refused(tmp_path: Path) -> None:
    good = vlm("object_counting", "How many chair(s) are in this room?", "4")
    written(
        tmp_path / "vsibench_train" / "merged_qa_scannet_train.json",
        [
            good,
            good | {"question_type": "object_mood"},
            vlm(None, "How are you?", "4"),
            vlm("object_counting", "How many?", "four"),
            good | {"data_source": "kitti"},
            good | {"scene_name": ""},
            {key: value for key, value in good.items() if key != "scene_name"},
        ],
    )
    rows, rejected = run("vlm3r", tmp_path)
    assert len(rows) == 1
    assert reasons(rejected) == {
        "kind not known": 2,
        "the answer is no number": 1,
        "not a scene of a known data set": 2,
        "field missing": 1,
    }


def test_vlm3r_answers_of_a_wrong_camera_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "vstibench_train"
    written(
        folder / "qa_camera_displacement.json",
        [vlm("camera_displacement", "How far?", "0.9", number) for number in ("u1", "u2")],
    )
    written(
        folder / "qa_obj_obj_relative_pos_lr.json",
        [vlm("obj_obj_relative_pos_lr", f"Left?\n{CHOICE}", "A")],
    )
    rows, rejected = run("vlm3r", tmp_path)
    assert [row.task for row in rows] == ["relation"]
    assert reasons(rejected) == {"answer of the release whose camera was wrong": 2}
    written(folder / "erratum_dropped_items.json", [{"id": "u2", "drop_reason": "out_of_range"}])
    rows, rejected = run("vlm3r", tmp_path)
    assert [row.task for row in rows] == ["camera", "relation"]
    assert reasons(rejected) == {"withdrawn by its authors": 1}


# -- VSI-590K ----------------------------------------------------------------------------------


def vsi(kind: str, question: str, answer: str, **media: str) -> dict[str, Any]:
    media = media or {"video": "scannetppv2/036bce3393.mp4"}
    prompt = f"<image>\nThese are frames of a video.\n{question}"
    return media | {"question_type": kind, "conversations": said(prompt, answer)}


def test_vsi590k(tmp_path: Path) -> None:
    order = "In what order?\nOptions:\nA. bed, lamp\nB. lamp, bed"
    lines(
        tmp_path / "vsi_590k.jsonl",
        vsi("absolute_distance_object", f"How far in centimeters?\n{WORD}", "240.0"),
        vsi("appearance_order", f"{order}\n{OPTION}", "B. lamp, bed"),
        vsi("relative_direction_camera", f"Left?\n{CHOICE}", "A", image="hypersim/ai_001/1.jpg"),
        vsi("relative_count", f"More?\n{CHOICE}", "B.", video="procthor/train/17.mp4"),
        vsi("appearance_order", order, "B. bed, lamp"),
        vsi("absolute_count", "How many?", "some"),
        vsi("mood", "How?", "good"),
        vsi("relative_direction_camera", f"Left?\n{CHOICE}", "A", image="../../home/me.jpg"),
        vsi("relative_direction_camera", f"Left?\n{CHOICE}", "A", image="/home/me.jpg"),
        vsi("absolute_count", "How many?", "4", video="scannet/../../home.mp4"),
        vsi("absolute_count", "How many?", "4", video="a.mp4", image="a.jpg"),
        vsi("absolute_count", "How many?", "4", video="youtube/1.mp4"),
        {"question_type": "absolute_count", "conversations": said("How many?", "4")},
    )
    rows, rejected = run("vsi590k", tmp_path)
    assert [(row.task, row.scene, row.images, row.answer) for row in rows] == [
        ("distance", "scannetpp/036bce3393", (), "240.0"),
        ("order", "scannetpp/036bce3393", (), "B"),
        ("direction", "", ("hypersim/ai_001/1.jpg",), "A"),
        ("counting", "procthor/train/17", (), "B"),
    ]
    assert rows[0].question == "How far in centimeters?"
    assert rows[1].options == ("bed, lamp", "lamp, bed")
    assert reasons(rejected) == {
        "the answer is none of the options": 1,
        "the answer is no number": 1,
        "kind not known": 1,
        "not one of video and image": 2,
        "malformed": 3,  # they lead out of the folder
        "not a scene of a known data set": 1,
    }


# -- all ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_folder_is_told_how_it_should_look(tmp_path: Path, name: str) -> None:
    found = converter(name)
    assert found.name == name
    with pytest.raises(ValueError) as error:
        list(found.units(tmp_path, {}))
    assert str(tmp_path) in str(error.value)
    assert f"{name} is read from\n{found.layout}" in str(error.value)


def test_pieces_do_not_change_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines, lists and tables: 7 items, three to a piece, give three units and the same rows."""
    lines(
        tmp_path / "vsi_590k.jsonl",
        *(vsi("absolute_count", f"How many {n}?", str(n)) for n in range(7)),
    )
    written(
        tmp_path / "scannet" / "base" / "room_size.json",
        [{"video": "scannet/a.mp4", "conversations": said(f"{n}?", str(n))} for n in range(7)],
    )
    people = {"scan_id": "a", "target_id": 1, "instance_type": "bed", "correct_guess": True}
    people |= {"mentions_target_class": True}
    table(tmp_path / "nr3d.csv", *(people | {"utterance": f"the\nbed {n}"} for n in range(7)))
    scenes = scene("scannet/a", thing(1, "bed", 0, 0, 0, 1, 1, 1, 0))
    for name in ("vsi590k", "vica", "referit3d"):
        whole = run(name, tmp_path, scenes)
        assert len(whole[0]) == 7
        assert len(list(converter(name).units(tmp_path, scenes))) == 1
        with monkeypatch.context() as patch:
            patch.setattr(pieces, "PIECE", 3)
            units = list(converter(name).units(tmp_path, scenes))
            assert [len(list(unit.rows())) for unit in units] == [3, 3, 1]
            assert run(name, tmp_path, scenes) == whole
            # A piece can be made again without those before it.
            assert list(units[2].rows()) == whole[0][6:]
