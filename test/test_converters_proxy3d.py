"""Converters of the data sets that Proxy3D is trained on, on files in their exact layout."""

import json
import math
import os
import pickle
import struct
from collections import Counter

import numpy as np
import pytest

from spatial_vlm_ros.data.converters import converter, pieces
from spatial_vlm_ros.data.readers import reader
from spatial_vlm_ros.data.row import Rejected, Row
from spatial_vlm_ros.data.scenes import AnnotatedObject, AnnotatedScene
from spatial_vlm_ros.scene.nine_dof import OrientedBox, in_first_frame

SCENE = "scannet/scene0000_00"

#: The first camera stands at (1, 2, 1.5) and looks along +y of the world: scene x is world y, scene
#: y is world -x.
T_WORLD_FIRST = np.array([[1, 0, 0, 1], [0, 0, 1, 2], [0, -1, 0, 1.5], [0, 0, 0, 1]], float)

#: Least and greatest x, y, z in the world, by number; what text says of their boxes in the scene.
BOUNDS = {
    0: ("coffee table", (-1, 6, 0), (1, 7, 0.4)),
    3: ("office chair", (2, 4, 0), (3, 6, 1)),
    4: ("chair", (0, 3, 0), (1, 5, 1)),
}
TEXTS = {
    0: '{"label": "coffee table", "bbox_3d": [4.50, 1.00, -1.30, 2.00, 1.00, 0.40, -1.57]}',
    3: '{"label": "office chair", "bbox_3d": [3.00, -1.50, -1.00, 2.00, 1.00, 1.00, 0.00]}',
    4: '{"label": "chair", "bbox_3d": [2.00, 0.50, -1.00, 2.00, 1.00, 1.00, 0.00]}',
}
NUMBERS_3 = (3, -1.5, -1, 2, 1, 1, 0)


def scene(shift=0):
    """With objects numbered from ``shift`` on."""
    boxes = {
        number: in_first_frame(OrientedBox.from_bounds(low, high), T_WORLD_FIRST)
        for number, (_, low, high) in BOUNDS.items()
    }
    objects = [AnnotatedObject(n + shift, BOUNDS[n][0], box) for n, box in boxes.items()]
    return AnnotatedScene(SCENE, tuple(objects), T_WORLD_FIRST)


SCENES = {SCENE: scene()}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def run(name, root, scenes=SCENES):
    """Rows by id, what was rejected, and how often for which reason; the same each time."""
    made = [thing for unit in converter(name).units(root, scenes) for thing in unit.rows()]
    again = [thing for unit in converter(name).units(root, scenes) for thing in unit.rows()]
    assert made == again
    rows = [thing for thing in made if isinstance(thing, Row)]
    assert len({row.id for row in rows}) == len(rows)
    for row in rows:
        assert row.dataset == name
        assert row.license == converter(name).license
        assert Row.from_json(json.loads(json.dumps(row.to_json()))) == row
    rejected = [thing for thing in made if isinstance(thing, Rejected)]
    return {row.id: row for row in rows}, rejected, Counter(thing.reason for thing in rejected)


def close(box, numbers):
    return np.allclose(box.to_tuple(), numbers, atol=1e-9)


@pytest.mark.parametrize(
    "name", ["scanqa", "sqa3d", "scan2cap", "scanrefer", "multi3drefer", "mmscan", "sr91k"]
)
def test_an_empty_folder_is_told_what_belongs_there(name, tmp_path):
    found = converter(name)
    assert found.name == name
    with pytest.raises(ValueError) as told:
        list(found.units(tmp_path, {}))
    assert found.layout in str(told.value)
    assert str(tmp_path) in str(told.value)


# --- ScanQA


def scanqa(**changed):
    item = {
        "scene_id": "scene0000_00",
        "object_ids": [3],
        "object_names": ["office_chair"],
        "question_id": "train-scene0000_00-0",
        "question": "What color is the chair by the table?",
        "answers": ["dark brown", "brown", "dark brown"],
    }
    return {**item, **changed}


def test_scanqa(tmp_path):
    write(
        tmp_path / "ScanQA_v1.0_train.json",
        [
            scanqa(),
            scanqa(question_id="train-scene0000_00-1", answers=[" ", ""]),
            scanqa(question_id="train-scene0000_00-2", object_ids=[99]),
            scanqa(question_id="train-scene0000_00-3", object_ids=[0]),
            scanqa(question_id="train-scene0000_00-4", object_ids=[3, 4]),
            scanqa(question_id="train-scene0000_00-5", question=" "),
            scanqa(question_id="train-scene0000_00-6", answers="brown"),
            scanqa(question_id="train-scene0000_00-7", object_ids=[float("inf")]),
            scanqa(question_id="train-scene0000_00-8", scene_id="../../scene0000_00"),
            {key: value for key, value in scanqa().items() if key != "question_id"},
            ["not", "an", "object"],
        ],
    )
    write(
        tmp_path / "ScanQA_v1.0_val.json",
        [scanqa(scene_id="scene0009_00", question_id="val-scene0009_00-0")],
    )
    asked = {"scene_id": "scene0707_00", "question_id": "test-scene0707_00-0", "question": "Why?"}
    write(tmp_path / "ScanQA_v1.0_test_w_obj.json", [asked])
    rows, rejected, reasons = run("scanqa", tmp_path)

    assert set(rows) == {"train/train-scene0000_00-0", "val/val-scene0009_00-0"}
    row = rows["train/train-scene0000_00-0"]
    assert (row.scene, row.task) == (SCENE, "question")
    assert row.question == "What color is the chair by the table?"
    assert (row.answer, row.accepted) == ("dark brown", ("brown",))
    (ref,) = row.refs
    assert (ref.object, ref.category) == (3, "office chair")
    assert close(ref.box, NUMBERS_3)
    (ref,) = rows["val/val-scene0009_00-0"].refs  # its scene is not known
    assert (ref.object, ref.category, ref.box) == (3, "office chair", None)
    assert reasons == {
        "no answer": 2,
        "object not known": 1,
        "object is called otherwise": 1,
        "objects and names differ": 1,
        "no question": 1,
        "no object of JSON": 1,
        "malformed": 3,
        "field missing": 1,
    }
    assert [thing.source for thing in rejected if thing.reason == "field missing"] == [
        "ScanQA_v1.0_train.json[9]"
    ]
    assert rejected[0].content["question_id"] == "train-scene0000_00-1"


def test_a_file_that_is_no_list_is_named(tmp_path):
    write(tmp_path / "ScanQA_v1.0_val.json", {"train": []})
    with pytest.raises(ValueError, match=r"ScanQA_v1.0_val.json is a dict: expected a list"):
        list(converter("scanqa").units(tmp_path, {}))
    (tmp_path / "ScanQA_v1.0_val.json").write_text("[{")
    with pytest.raises(ValueError, match=r"ScanQA_v1.0_val.json is no JSON"):
        list(converter("scanqa").units(tmp_path, {}))


def test_large_files_are_several_units(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "PIECE", 2)
    items = [scanqa(question_id=f"train-{n}", answers=["a"] if n != 3 else []) for n in range(5)]
    write(tmp_path / "ScanQA_v1.0_train.json", items)
    units = list(converter("scanqa").units(tmp_path, SCENES))
    assert [unit.name for unit in units] == [f"scanqa-train-000{n}" for n in range(3)]
    assert [len(list(unit.rows())) for unit in units] == [2, 2, 1]
    (rejected,) = [thing for thing in units[1].rows() if isinstance(thing, Rejected)]
    assert rejected.source == "ScanQA_v1.0_train.json[3]"


# --- SQA3D


def sqa3d(number, scene_id="scene0000_00", **note):
    question = {
        "alternative_situation": ["I look out of the window.", "I am outside."],
        "question": "What color is the desk to my right?",
        "question_id": number,
        "scene_id": scene_id,
        "situation": "I am facing a window and there is a desk on my right.",
    }
    annotation = {
        "answer_type": "other",
        "answers": [{"answer": "brown", "answer_confidence": "yes", "answer_id": 1}],
        "position": {"x": 1, "y": 0, "z": 0},
        "question_id": number,
        "question_type": "N/A",
        "rotation": {"_w": math.sqrt(0.5), "_x": 0, "_y": 0, "_z": math.sqrt(0.5)},
        "scene_id": scene_id,
    }
    return question, {**annotation, **note}


def write_sqa3d(root, split, pairs):
    questions = [question for question, _ in pairs if question]
    notes = [note for _, note in pairs if note]
    about = {"info": {"version": "1.0"}, "data_type": "scannet"}
    name = "v1_balanced_{}_" + f"{split}_scannetv2.json"
    write(root / name.format("questions"), {**about, "questions": questions})
    write(root / name.format("sqa_annotations"), {**about, "annotations": notes})


def write_scan(folder, name="scene0000_00"):
    """Bounds (0, 0, 0) to (4, 6, 2.4); turned by 90 degrees and moved by (10, 0, 0.1)."""
    (folder / name).mkdir(parents=True)
    matrix = "0 -1 0 10 1 0 0 0 0 0 1 0.1 0 0 0 1"
    about = f"axisAlignment = {matrix} \ncolorHeight = 968\nsceneType = Bedroom\n"
    (folder / name / f"{name}.txt").write_text(about)
    header = "ply\nformat binary_little_endian 1.0\nelement vertex 3\n"
    header += "".join(f"property float {axis}\n" for axis in "xyz")
    header += "property uchar red\nelement face 0\nproperty list uchar int vertex_indices\n"
    points = [(0, 6, 1), (4, 0, 2.4), (1, 1, 0)]
    data = b"".join(struct.pack("<fffB", *point, 200) for point in points)
    (folder / name / f"{name}_vh_clean_2.ply").write_bytes(f"{header}end_header\n".encode() + data)


def test_sqa3d_says_where_one_stands(tmp_path):
    write_scan(tmp_path / "scans")
    write_sqa3d(tmp_path, "train", [sqa3d(7), sqa3d(8, "scene0009_00"), sqa3d(9)])
    rows, _, _ = run("sqa3d", tmp_path)
    row = rows["train/7"]
    assert (row.task, row.subtask, row.scene) == ("situated", "what", SCENE)
    assert row.question == (
        "I am facing a window and there is a desk on my right. What color is the desk to my right?"
    )
    assert row.answer == "brown"
    # The middle of the scan is (2, 3, 1.2), so this is (3, 3, 1.2) of the scan, (7, 3, 1.3) of the
    # aligned one, and seen from the first camera 1 m ahead and 6 m to the right. The view goes
    # along -x turned by 90 degrees, -y of the scan, +x when it is aligned: to the right as well.
    assert np.allclose(row.stands_at, (1, -6, -0.2, -math.pi / 2), atol=1e-6)
    assert rows["train/8"].stands_at is None  # its scene is not known
    rows, _, _ = run("sqa3d", tmp_path, {})
    assert rows["train/7"].stands_at is None


def test_sqa3d_without_scans(tmp_path):
    write_sqa3d(tmp_path, "val", [sqa3d(1)])
    write_sqa3d(
        tmp_path,
        "test",
        [
            (None, sqa3d(2)[1]),
            sqa3d(2, answers=[{"answer": "yes"}, {"answer": "yeah"}]),
            (sqa3d(3)[0], None),
            (None, sqa3d(4)[1]),
            sqa3d(5, scene_id="scene0001_00", answers=[]),
            (sqa3d(6)[0], sqa3d(6, scene_id="scene0001_00")[1]),
            sqa3d(7, rotation={"_w": 1}),
            sqa3d(8, position={"x": float("nan"), "y": 0, "z": 0}),
        ],
    )
    rows, rejected, reasons = run("sqa3d", tmp_path)
    assert set(rows) == {"val/1", "test/2"}
    assert rows["val/1"].stands_at is None
    assert (rows["test/2"].answer, rows["test/2"].accepted) == ("yes", ("yeah",))
    assert reasons == {
        "no annotation": 1,
        "no question": 2,
        "no answer": 1,
        "scenes differ": 1,
        "field missing": 1,
        "position is not finite": 1,
    }
    assert rejected[-1].content["annotation"]["question_id"] == 4


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        *[("Is it on?", "is"), ("How many?", "how"), ("Which one?", "which"), ("Can I?", "can")],
        *[("What's there?", "what"), ("Where do I go?", "other"), ("Does it?", "other")],
    ],
)
def test_sqa3d_kinds_of_questions(question, kind, tmp_path):
    asked, note = sqa3d(1)
    write_sqa3d(tmp_path, "train", [({**asked, "question": question}, note)])
    assert run("sqa3d", tmp_path)[0]["train/1"].subtask == kind


def test_sqa3d_names_the_file_that_is_missing(tmp_path):
    write_sqa3d(tmp_path, "train", [sqa3d(1)])
    (tmp_path / "v1_balanced_sqa_annotations_train_scannetv2.json").unlink()
    with pytest.raises(ValueError, match=r"sqa_annotations_train_scannetv2.json is missing"):
        list(converter("sqa3d").units(tmp_path, {}))
    write(tmp_path / "v1_balanced_sqa_annotations_train_scannetv2.json", {"questions": []})
    with pytest.raises(ValueError, match=r"has no annotations: expected lists there"):
        list(converter("sqa3d").units(tmp_path, {}))


# --- ScanRefer and Scan2Cap


def scanrefer(**changed):
    item = {
        "scene_id": "scene0000_00",
        "object_id": "3",
        "object_name": "office_chair",
        "ann_id": "0",
        "description": "this is a black office chair. it is left of the table. ",
        "token": ["this", "is", "a", "black", "office", "chair"],
    }
    return {**item, **changed}


SCANREFER = [
    scanrefer(),
    scanrefer(ann_id="1", description="a chair on wheels."),
    scanrefer(object_id="0", object_name="coffee_table"),
    scanrefer(object_id="0", object_name="office_chair", ann_id="1"),
    scanrefer(object_id="7", ann_id="2"),
    scanrefer(scene_id="scene0009_00"),
    scanrefer(object_id="three"),
    scanrefer(description="", ann_id="4"),
]
SCANREFER_REASONS = {
    "object is called otherwise": 1,
    "object not known": 1,
    "scene not known": 1,
    "malformed": 1,
    "no description": 1,
}


def test_scanrefer(tmp_path):
    write(tmp_path / "ScanRefer_filtered_train.json", SCANREFER)
    write(tmp_path / "ScanRefer_filtered_val.json", [scanrefer()])
    rows, _, reasons = run("scanrefer", tmp_path)
    assert set(rows) == {
        "train/scene0000_00/3/0",
        "train/scene0000_00/3/1",
        "train/scene0000_00/0/0",
        "val/scene0000_00/3/0",
    }
    assert reasons == SCANREFER_REASONS
    row = rows["train/scene0000_00/3/0"]
    assert (row.scene, row.task, row.targets) == (SCENE, "grounding", (3,))
    assert row.question.endswith("this is a black office chair. it is left of the table.")
    assert row.answer == f"[{TEXTS[3]}]"
    assert close(row.boxes[0], NUMBERS_3)
    assert rows["train/scene0000_00/0/0"].answer == f"[{TEXTS[0]}]"


def test_scenes_numbered_from_1_are_noticed(tmp_path):
    write(tmp_path / "ScanRefer_filtered_train.json", SCANREFER[:3])
    numbered = AnnotatedScene(SCENE, (*scene(1).objects[:2],), T_WORLD_FIRST)  # table 1, chair 4
    rows, _, reasons = run("scanrefer", tmp_path, {SCENE: numbered})
    assert not rows
    assert reasons == {"object not known": 3}
    shifted = AnnotatedScene(SCENE, (*scene(3).objects[:1],), T_WORLD_FIRST)  # the table is 3
    rows, _, reasons = run("scanrefer", tmp_path, {SCENE: shifted})
    assert not rows
    assert reasons == {"object is called otherwise": 2, "object not known": 1}


def test_numbers_are_those_that_the_reader_of_scannet_gives(tmp_path):
    write_scan(tmp_path / "scans")
    folder = tmp_path / "scans/scene0000_00"
    groups = [
        {"id": 0, "objectId": 0, "segments": [6], "label": "lamp"},
        {"id": 1, "objectId": 1, "segments": [5], "label": "office chair"},
    ]
    write(folder / "scene0000_00.aggregation.json", {"segGroups": groups})
    write(folder / "scene0000_00_vh_clean_2.0.010000.segs.json", {"segIndices": [5, 5, 6]})
    # In the scan as recorded; aligned it is (10, 0, 1.1) and looks along +y.
    pose = np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 1], [0, 0, 0, 1]])
    (folder / "pose").mkdir()
    (folder / "pose/0.txt").write_text("\n".join(" ".join(map(str, row)) for row in pose))
    known = {each.name: each for each in reader("scannet").read(tmp_path)}
    write(tmp_path / "ScanRefer_filtered_train.json", [scanrefer(object_id="1")])
    (row,) = run("scanrefer", tmp_path, known)[0].values()
    # Its vertices (0, 6, 1) and (4, 0, 2.4) are (4, 0, 1.1) and (10, 4, 2.5) of the aligned scan.
    assert close(row.boxes[0], (2, 3, 0.7, 6, 4, 1.4, -math.pi / 2))


def test_scan2cap(tmp_path):
    write(tmp_path / "ScanRefer_filtered_train.json", SCANREFER)
    rows, _, reasons = run("scan2cap", tmp_path)
    assert set(rows) == {
        "train/scene0000_00/3/0",
        "train/scene0000_00/3/1",
        "train/scene0000_00/0/0",
    }
    assert reasons == SCANREFER_REASONS
    first, second = (rows[f"train/scene0000_00/3/{n}"] for n in range(2))
    assert (first.task, first.scene, first.targets) == ("caption", SCENE, ())
    assert first.question == "Describe #3: what it looks like and where it is."
    assert first.answer == "this is a black office chair. it is left of the table."
    assert first.accepted == ("a chair on wheels.",)
    assert (second.answer, second.accepted) == (first.accepted[0], (first.answer,))
    assert [(ref.object, ref.category) for ref in first.refs] == [(3, "office chair")]
    assert close(first.refs[0].box, NUMBERS_3)


def test_scan2cap_keeps_what_is_good_of_an_object(tmp_path):
    """Half a character in one description does not spoil the others of the same object."""
    bad = SCANREFER[0] | {"ann_id": "9", "description": "a chair \ud83d"}
    write(tmp_path / "ScanRefer_filtered_train.json", [SCANREFER[0], bad])
    rows, _, reasons = run("scan2cap", tmp_path)
    assert set(rows) == {"train/scene0000_00/3/0"} and reasons == {"malformed": 1}


# --- Multi3DRefer


def multi(ann_id, kind, *numbers, **changed):
    item = {
        "scene_id": "scene0000_00",
        "object_ids": list(numbers),
        "object_name": "chair",
        "ann_id": ann_id,
        "eval_type": kind,
        "description": "the chairs at the table",
        "token": ["the", "chairs", "at", "the", "table"],
    }
    return {**item, **changed}


@pytest.mark.parametrize("name", ["multi3drefer_{}.json", "{}.json"])
def test_multi3drefer(name, tmp_path):
    write(
        tmp_path / name.format("train"),
        [
            multi(0, "zt_w_d"),
            multi(1, "zt_wo_d"),
            multi(2, "st_w_d", 3),
            multi(3, "mt", 4, 3),
            multi(4, "st_wo_d", 0, object_name="coffee_table"),
            multi(5, "mt", 3),
            multi(6, "zt_w_d", 3),
            multi(7, "st_w_d", 0),
            multi(8, "mt", 3, 9),
            multi(9, "xt", 3),
            multi(10, "st_w_d", 3, scene_id="scene0009_00"),
        ],
    )
    write(tmp_path / name.format("val"), [multi(0, "st_w_d", 4)])
    rows, _, reasons = run("multi3drefer", tmp_path)
    assert set(rows) == {f"train/scene0000_00/{n}" for n in range(5)} | {"val/scene0000_00/0"}
    assert reasons == {
        "objects contradict the kind": 2,
        "object is called otherwise": 1,
        "object not known": 1,
        "kind not known": 1,
        "scene not known": 1,
    }
    none, one, several = (rows[f"train/scene0000_00/{n}"] for n in (0, 2, 3))
    assert none.task == one.task == several.task == "grounding"
    assert (none.subtask, none.answer, none.targets, none.boxes) == ("zt_w_d", "[]", (), ())
    assert (one.subtask, one.answer, one.targets) == ("st_w_d", f"[{TEXTS[3]}]", (3,))
    assert (several.subtask, several.targets) == ("mt", (3, 4))
    assert several.answer == f"[{TEXTS[3]}, {TEXTS[4]}]"
    assert close(several.boxes[0], NUMBERS_3)


# --- MMScan

#: The office chair, which EmbodiedScan calls 17: its own y along the world's -x, and straight.
TURNED = [2.5, 5, 0.5, 2, 1, 1, math.pi / 2, 0, 0]
STRAIGHT = [2.5, 5, 0.5, 1, 2, 1, 0, 0, 0]
#: The chair, which is 3 there.
OTHER = [0.5, 4, 0.5, 1, 2, 1, 0, 0, 0]


def mmscan(number, kind="QA_Inter_Attribute_OO", **changed):
    item = {
        "sub_class": kind,
        "scan_id": SCENE,
        "question": "Carefully compare these two objects, are they similar in color? ",
        "answers": ["No, one is black.", "No."],
        "object_ids": [17, 3],
        "object_names": ["chair", "seat"],
        "input_bboxes_id": [17, 3],
        "input_bboxes": [TURNED, OTHER],
        "output_bboxes_id": None,
        "output_bboxes": None,
        "ID": f"{kind}__{SCENE}__{number}",
    }
    return {**item, **changed}


def one(number, box=TURNED, **changed):
    given = {"object_ids": [17], "object_names": ["chair"], "input_bboxes_id": [17]}
    asked = {"question": "Have a closer look at the object, what is the type of it? "}
    return mmscan(
        number, "QA_Single_Attribute", **{**given, **asked, "input_bboxes": [box], **changed}
    )


NO_BOX = {"object_ids": [], "object_names": [], "input_bboxes_id": None, "input_bboxes": None}


def write_mmscan(root, kind="QA", **splits):
    path = root / f"MMScan-beta-release/MMScan_samples/MMScan_{kind}.json"
    write(path, {"train": [], "val": [], **splits})


def test_mmscan_questions(tmp_path):
    asked = "Look carefully at the room, how many chairs are there in the room? "
    write_mmscan(
        tmp_path,
        train=[
            mmscan(0),
            one(1),
            one(2, STRAIGHT),
            mmscan(3, "QA_Single_EQ", question=asked, answers=["There are two."], **NO_BOX),
            mmscan(
                4, "QA_Single_EQ", question="Is there a bed? ", scan_id="scene0009_00", **NO_BOX
            ),
            mmscan(5, "QA_Inter_Space_OO"),
            mmscan(6, "QA_Advanced"),
            one(10, [2.5, 5, 0.5, 1, -2, 1, 0, 0, 0]),
            one(11, [9, 9, 0.5, 1, 1, 1, 0, 0, 0]),
            one(12, scan_id="scannet/scene0009_00"),
            mmscan(13, input_bboxes=[TURNED]),
            mmscan(14, input_bboxes=[TURNED, STRAIGHT]),
            mmscan(15, "QA_Riddle"),
            one(16, answers=[]),
            one(17, TURNED[:8]),
        ],
        val=[one(0)],
    )
    rows, _, reasons = run("mmscan", tmp_path)
    assert reasons == {
        "not a box": 2,
        "object not known": 1,
        "scene not known": 1,
        "boxes and objects differ": 1,
        "several boxes of one object": 1,
        "kind not known": 1,
        "no answer": 1,
    }
    assert len(rows) == 8
    row = rows[f"train/QA_Inter_Attribute_OO__{SCENE}__0"]
    assert (row.task, row.subtask, row.scene) == ("relation", "QA_Inter_Attribute_OO", SCENE)
    # Numbers are those of the scene, whatever EmbodiedScan calls them.
    assert row.question == (
        "About #3 and #4: Carefully compare these two objects, are they similar in color?"
    )
    assert (row.answer, row.accepted) == ("No, one is black.", ("No.",))
    assert [(ref.object, ref.category) for ref in row.refs] == [(3, "chair"), (4, "seat")]
    assert close(row.refs[0].box, NUMBERS_3)
    for number in (1, 2):  # two ways to say the same box
        row = rows[f"train/QA_Single_Attribute__{SCENE}__{number}"]
        assert row.question.startswith("About #3: Have a closer look at the object")
        assert row.task == "question"
        assert close(row.refs[0].box, NUMBERS_3)
    count = rows[f"train/QA_Single_EQ__{SCENE}__3"]
    assert (count.task, count.question, count.refs) == ("counting", asked.strip(), ())
    there = rows[f"train/QA_Single_EQ__{SCENE}__4"]
    assert (there.task, there.scene) == ("question", "scannet/scene0009_00")
    assert rows[f"train/QA_Inter_Space_OO__{SCENE}__5"].task == "relation"
    assert rows[f"train/QA_Advanced__{SCENE}__6"].task == "question"
    assert f"val/QA_Single_Attribute__{SCENE}__0" in rows


def test_mmscan_takes_the_splits_that_are_there(tmp_path):
    path = tmp_path / "MMScan-beta-release/MMScan_samples/MMScan_QA.json"
    write(path, {"val": [one(0)]})
    assert set(run("mmscan", tmp_path)[0]) == {f"val/QA_Single_Attribute__{SCENE}__0"}
    write(path, [one(0)])
    with pytest.raises(ValueError, match=r"MMScan_QA.json has no train or val: expected lists"):
        list(converter("mmscan").units(tmp_path, {}))
    write(path, {"train": {"0": one(0)}})
    with pytest.raises(ValueError, match=r"train of .*MMScan_QA.json is a dict: expected a list"):
        list(converter("mmscan").units(tmp_path, {}))


def grounding(number, *targets, **changed):
    item = {
        "sub_class": "VG_Single_Attribute_Common",
        "scan_id": SCENE,
        "target_id": list(targets),
        "distractor_ids": [],
        "text": "Look carefully at the room, find all things to sit on. ",
        "target": ["chair"] * len(targets),
        "anchors": [],
        "anchor_ids": [],
        "tokens_positive": {str(target): [[33, 52]] for target in targets},
        "ID": f"VG_Single_Attribute_Common__{SCENE}__{number}",
    }
    return {**item, **changed}


def write_infos(root, content=None, protocol=4, **renamed):
    instances = [
        {"bbox_3d": STRAIGHT, "bbox_label_3d": 50, "bbox_id": 17},
        {"bbox_3d": np.array(OTHER), "bbox_label_3d": 50, "bbox_id": np.int64(3)},
        {"bbox_3d": [9, 9, 0.5, 1, 1, 1, 0, 0, 0], "bbox_label_3d": 1, "bbox_id": 5},
        {"bbox_3d": [2.5, 5, 0.6, 1, 2, 1, 0, 0, 0], "bbox_label_3d": 1, "bbox_id": 18},
    ]
    images = [{"img_path": "posed_images/0.jpg", "cam2global": np.eye(4, dtype=np.float32)}]
    entry = {"sample_idx": SCENE, "instances": instances, "images": images}
    infos = {"metainfo": {"categories": {"chair": 50}}, "data_list": [entry]}
    path = root / "embodiedscan_split/embodiedscan-v1/embodiedscan_infos_train.pkl"
    path.parent.mkdir(parents=True, exist_ok=True)
    data = pickle.dumps(infos if content is None else content, protocol=protocol)
    for old, new in renamed.items():
        data = data.replace(old.encode(), new.encode())
    path.write_bytes(data)


@pytest.mark.parametrize("numpy_1", [False, True])
def test_mmscan_groundings(numpy_1, tmp_path):
    write_mmscan(
        tmp_path,
        "VG",
        train=[
            grounding(0, 3, 17),
            grounding(1, 17, 5),
            grounding(2, 99),
            grounding(3),
            grounding(4, 3, target=["chair", "stool"]),
            grounding(5, 17, 18),
        ],
        val=[grounding(0, 3)],
    )
    if numpy_1:  # whose modules have other names
        data = {"numpy._core.": "numpy.core."}
        write_infos(tmp_path, protocol=2, **data)
    else:
        write_infos(tmp_path)
    rows, _, reasons = run("mmscan", tmp_path)
    (row,) = rows.values()
    assert row.id == f"train/VG_Single_Attribute_Common__{SCENE}__0"
    assert (row.task, row.subtask) == ("grounding", "VG_Single_Attribute_Common")
    assert row.question == "Look carefully at the room, find all things to sit on."
    assert row.targets == (3, 4)
    assert row.answer == f"[{TEXTS[3]}, {TEXTS[4]}]".replace("office chair", "chair")
    assert close(row.boxes[0], NUMBERS_3)
    assert reasons == {
        "object not known": 2,
        "targets and names differ": 2,
        "several boxes of one object": 1,
        "boxes missing": 1,
    }


class Harm:
    def __reduce__(self):
        return os.mkdir, ("harmed",)


@pytest.mark.parametrize("content", [Harm(), {"data_list": [Harm()]}, [], {"data_list": [{}]}])
def test_info_files_run_nothing(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_mmscan(tmp_path, "VG", train=[grounding(0, 3)])
    write_infos(tmp_path, content)
    rows, rejected, reasons = run("mmscan", tmp_path)
    assert not rows
    assert reasons == {"boxes missing": 1}
    assert "no info file of EmbodiedScan" in rejected[0].detail
    assert not (tmp_path / "harmed").exists()


# --- SR-91K


def spacer(problem_id, **changed):
    item = {
        "problem_id": problem_id,
        "problem": "Which of the following objects is the closest to the desk?",
        "data_type": "video",
        "problem_type": "multiple choice",
        "options": ["A. backpack", "B. trash can", "C. shower"],
        "solution": "<answer>B</answer>",
        "path": "./SR_dataset/video/scene0000_00.mp4",
        "data_source": "SR_dataset",
    }
    return {**item, **changed}


def number(problem, solution, kind="numerical"):
    return {"problem": problem, "solution": solution, "problem_type": kind, "options": []}


def write_lines(path, *items):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [item if isinstance(item, str) else json.dumps(item) for item in items]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_sr91k(tmp_path):
    distance = "Measuring from the closest point of each object, what is the direct distance "
    write_lines(
        tmp_path / "SpaceR-151k.jsonl",
        spacer(1),
        spacer(2, **number(f"{distance}between the door and the jacket (in meters)?", "0.35")),
        spacer(3, **number("What is the size of this room (in m2)?", "80", "regression")),
        spacer(4, **number("Describe it.", "<answer>A small room.</answer>", "free-form")),
        "",
        spacer(5, solution="<answer>D</answer>"),
        spacer(6, options=["A. backpack", "C. shower"]),
        spacer(7, options=[]),
        spacer(8, **number("How many chairs are there?", "<answer>many</answer>")),
        spacer(9, solution="<answer> </answer>"),
        spacer(10, data_source="Video-R1"),
        spacer(11, problem_type="OCR"),
        spacer(12, path="./videos/42446103.mp4"),
        spacer(13, options=["A. shower", "B. shower"]),
        "{",
    )
    rows, rejected, reasons = run("sr91k", tmp_path, {})
    assert {row.id: (row.task, row.subtask, row.answer) for row in rows.values()} == {
        "SpaceR-151k.jsonl:1": ("nearest", "object_rel_distance", "B"),
        "SpaceR-151k.jsonl:2": ("distance", "object_abs_distance", "0.35"),
        "SpaceR-151k.jsonl:3": ("room_size", "room_size_estimation", "80"),
        "SpaceR-151k.jsonl:4": ("question", "free-form", "A small room."),
    }
    first = rows["SpaceR-151k.jsonl:1"]
    assert first.question == "Which of the following objects is the closest to the desk?"
    assert first.options == ("backpack", "trash can", "shower")
    assert first.scene == SCENE
    assert reasons == {
        "the answer is none of the options": 1,
        "options not understood": 2,
        "the answer is no number": 1,
        "no answer": 1,
        "not of SR-91K": 1,
        "kind not known": 1,
        "not a scene of a known data set": 1,
        "malformed": 1,
        "no object of JSON": 1,
    }
    assert rejected[0].source == "SpaceR-151k.jsonl:6"


def test_sr91k_as_it_was_first_published(tmp_path):
    item = {
        "problem_id": 2996,
        "problem": "Question:\nWhich of the following objects is the closest to the counter?\n"
        "Options:\nA. backpack\nB. coffee table\nC. window\nD. stool\n",
        "data_type": "video",
        "question_type": "object_rel_distance",
        "solution": "C",
        "video": "/mnt/dataset/ScanNet/video/scene0000_00.mp4",
    }
    write_lines(tmp_path / "SR-91k.jsonl", item)
    (row,) = run("sr91k", tmp_path)[0].values()
    assert row.question == "Which of the following objects is the closest to the counter?"
    assert row.options == ("backpack", "coffee table", "window", "stool")
    assert (row.answer, row.task, row.scene) == ("C", "nearest", SCENE)


@pytest.mark.parametrize(
    ("problem", "task"),
    [
        ("How many armchair(s) are in this room?", "counting"),
        ("What is the length of the longest dimension of the desk, in centimeters?", "object_size"),
        ("If I am standing by the box and facing the shelf, is the lamp to the left?", "direction"),
        ("What will be the first-time appearance order of: lamp, bed?", "order"),
        ("You are a robot at the bed facing the door and want to navigate to the tv.", "route"),
        ("What is this?", "question"),
    ],
)
def test_sr91k_tasks_by_their_wording(problem, task, tmp_path):
    write_lines(tmp_path / "SpaceR-151k.jsonl", spacer(1, **number(problem, "2", "free-form")))
    assert run("sr91k", tmp_path)[0]["SpaceR-151k.jsonl:1"].task == task


def test_sr91k_maps(tmp_path):
    def mapped(cells, video="scene0000_00"):
        return {"video_id": video, "cognitive_map": cells, "object_list": list(cells)}

    write_lines(tmp_path / "SpaceR-151k.jsonl", spacer(1))
    write_lines(
        tmp_path / "annotation/cognitive_map.jsonl",
        mapped({"table": [[0, 3], [5, 7]], "Trash_can": [[9, 0]], "lamp": []}),
        mapped({"table": [[10, 3]]}),
        mapped({"table": [[1.5, 3]]}),
        mapped({"table": []}),
        mapped({"table": [[1, 2]]}, "41069021"),
    )
    rows, _, reasons = run("sr91k", tmp_path)
    row = rows["annotation/cognitive_map.jsonl:1"]
    assert (row.task, row.subtask, row.scene) == ("local_map", "global_map", SCENE)
    assert row.answer == '<map>{"table": [[0, 3], [5, 7]], "trash can": [[9, 0]]}</map>'
    assert row.question.endswith("The categories are table, trash can.")
    assert len(rows) == 2
    assert reasons == {
        "a cell outside of the map": 2,
        "no object in the map": 1,
        "not a scene of a known data set": 1,
    }
