"""Small benchmarks in the published layouts, and what answers all of each rightly."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spatial_vlm_ros.benchmarks.item import Prediction
from spatial_vlm_ros.data.readers.cameras import Cameras
from spatial_vlm_ros.data.readers.placing import WorldObject, placed
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.scene.nine_dof import OrientedBox


class Small(NamedTuple):
    """files: writes them below a folder. right: predictions that are all right."""

    files: Callable[[Path], None]
    right: Mapping[str, Prediction]


def said(texts: Mapping[str, str]) -> dict[str, Prediction]:
    return {name: Prediction(name, text) for name, text in texts.items()}


def lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def listed(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


# Videos and images ----------------------------------------------------------------------------

VSI = [
    ("object_counting", "How many chair(s) are in this room?", "4", None),
    ("object_abs_distance", "How far is the sofa from the tv?", "2.3", None),
    ("object_size_estimation", "How long is the sofa in centimeters?", "201", None),
    ("room_size_estimation", "How large is the room?", "18.4", None),
    ("object_rel_distance", "Which is closest to the tv?", "C", ["A. bed", "B. lamp", "C. sofa"]),
    ("object_rel_direction_easy", "Left or right?", "B", ["A. left", "B. right"]),
    ("object_rel_direction_medium", "Where?", "A", ["A. left", "B. right", "C. back"]),
    ("object_rel_direction_hard", "Where?", "D", ["A. fl", "B. fr", "C. bl", "D. br"]),
    ("route_planning", "Which turns?", "A", ["A. Turn Left", "B. Turn Back"]),
    ("obj_appearance_order", "What comes first?", "B", ["A. bed, sofa", "B. sofa, bed"]),
]


def vsi_rows() -> list[dict[str, Any]]:
    return [
        {
            "id": 100 + n,
            "dataset": "scannet",
            "scene_name": f"scene{n:04}_00",
            "question_type": kind,
            "question": question,
            "ground_truth": right,
            "options": options,
        }
        for n, (kind, question, right, options) in enumerate(VSI)
    ]


def vsi(root: Path) -> None:
    lines(root / "test.jsonl", vsi_rows())


VSTI = [
    (
        "camera_obj_abs_dist",
        "How far is the table in frame 3 of 32?",
        "1.3",
        ["A. 1.0", "B. 1.3"],
        "B",
    ),
    ("camera_displacement", "How far did the camera move?", 2.0, None, None),
    ("camera_movement_direction", "Which way?", "Forward", ["A. Forward", "B. Left"], "A"),
    *(
        (f"obj_obj_relative_pos_{k}", "Is the bed left?", "Yes", ["A. Yes", "B. No"], "A")
        for k in ("nf", "ud", "lr")
    ),
    *(
        (f"camera_obj_rel_dist_v{k}", "Which is closest?", "sofa", ["A. bed", "B. sofa"], "B")
        for k in (1, 2, 3)
    ),
]


def vsti(root: Path) -> None:
    listed(
        root / "test.json",
        [
            {
                "id": n,
                "dataset": "scannet",
                "scene_name": "scene0568_00",
                "video_path": "ScanNet/videos/val/scene0568_00.mp4",
                "question_type": kind,
                "question": question,
                "ground_truth": truth,
                "options": options,
                "mc_answer": letter,
            }
            for n, (kind, question, truth, options, letter) in enumerate(VSTI)
        ],
    )


MINDCUBE = [
    ("among_group002_q0_1_1", "C"),
    ("around_q1", "A"),
    ("rotation_q2", "B"),
    ("translation_q3", "D"),
]


def mindcube(root: Path) -> None:
    lines(
        root / "raw/MindCube_tinybench.jsonl",
        [
            {
                "id": name,
                "category": ["P-P"],
                "type": "0_frame",
                "meta_info": [None],
                "question": "Which way did I move? A. Left B. Right C. Forward D. Back",
                "images": [
                    f"other_all_image/{name.split('_')[0]}/room/front_{n}.jpg" for n in (1, 2)
                ],
                "gt_answer": right,
            }
            for name, right in MINDCUBE
        ],
    )


VIEWS = (
    ("Camera perspective - Relative Direction", "A. right", "A. right\nB. left"),
    ("Camera perspective - Object View Orientation", "B. left", "A. right\nB. left\nC. back"),
    ("Person perspective - Object View Orientation", "A. right", "A. right\nB. left"),
    ("Person perspective - Relative Direction", "B. left", "A. right\nB. left"),
    ("Person perspective - Scene Simulation Relative Direction", "A. up", "A. up\nB. down"),
)


def view_spatial(root: Path) -> None:
    listed(
        root / "ViewSpatial-Bench.json",
        [
            {
                "question_type": kind,
                "image_path": ["ViewSpatial-Bench/val2017/000000000872.jpg"],
                "question": "Where is it?",
                "answer": right,
                "choices": choices,
            }
            for kind, right, choices in VIEWS
        ],
    )


def space10(root: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for kind in ("eq", "sp"):
        row = {
            "index": 7,
            "question": "How many?",
            **dict(zip("ABCD", ("One", "Two", "Three", "Four"), strict=True)),
        }
        row |= {"answer": "B", "category": kind, "image": [b"\xff\xd8first", b"\xff\xd8second"]}
        folder = root / "single-choice" / kind / "data"
        folder.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist([row]), folder / "test-00000-of-00001.parquet")


# Scanned rooms --------------------------------------------------------------------------------

SCENE = "scene0011_00"
#: Of objects: number, name, centre and size in the aligned scan.
OBJECTS = {
    2: ("chair", (1.0, 2.0, 0.5, 0.5, 0.6, 1.0)),
    5: ("chair", (3.0, 2.0, 0.5, 0.5, 0.6, 1.0)),
    7: ("coffee table", (2.0, 4.0, 0.3, 1.2, 0.8, 0.6)),
    9: ("lamp", (0.5, 0.5, 1.5, 0.2, 0.2, 0.4)),
}


def scene() -> AnnotatedScene:
    """Seen first by a camera that looks in no direction of an axis."""
    turn, tilt = 0.7, 0.2
    forward = [np.cos(turn) * np.cos(tilt), np.sin(turn) * np.cos(tilt), -np.sin(tilt)]
    right = [np.sin(turn), -np.cos(turn), 0]
    pose = np.eye(4)
    pose[:3, :3] = np.column_stack([right, np.cross(forward, right), forward])
    pose[:3, 3] = 0.3, 0.4, 1.4
    items = [
        WorldObject(
            number,
            name,
            OrientedBox.from_bounds(
                *(np.array(box[:3]) + sign * np.array(box[3:]) / 2 for sign in (-1, 1))
            ),
        )
        for number, (name, box) in OBJECTS.items()
    ]
    return placed(f"scannet/{SCENE}", items, Cameras(pose[None], ("",), None), "", 0.0)


def scanqa(root: Path) -> None:
    listed(
        root / "ScanQA_v1.0_val.json",
        [
            {
                "scene_id": SCENE,
                "question_id": f"val-{n}",
                "question": question,
                "object_ids": [2],
                "object_names": ["chair"],
                "answers": answers,
            }
            for n, (question, answers) in enumerate(QA)
        ],
    )


QA = [
    ("What color is the chair?", ["dark brown wooden chair", "brown"]),
    ("Where is the lamp?", ["left of table by wall"]),
]
SQA = [
    ("What is behind me?", "the big white table there"),
    ("Is it on?", "yes it is on now"),
    ("How many chairs?", "two chairs by the table"),
    ("Can I see it?", "no you can not see"),
    ("Which way?", "left behind the small lamp"),
    ("Are they new?", "yes all of them are"),
]


def sqa3d(root: Path) -> None:
    common = {"info": {}, "license": {}}
    asked = [
        {
            "scene_id": SCENE,
            "question_id": 220602000000 + n,
            "situation": "I am standing by the lamp.",
            "alternative_situation": [],
            "question": question,
        }
        for n, (question, _) in enumerate(SQA)
    ]
    notes = [
        {
            "scene_id": SCENE,
            "question_id": 220602000000 + n,
            "question_type": "N/A",
            "answer_type": "other",
            "answers": [{"answer": answer, "answer_confidence": "yes", "answer_id": 1}],
            "rotation": {"_x": 0, "_y": 0, "_z": 0, "_w": 1},
            "position": {"x": 0, "y": 0, "z": 0},
        }
        for n, (_, answer) in enumerate(SQA)
    ]
    listed(root / "v1_balanced_questions_test_scannetv2.json", {**common, "questions": asked})
    listed(
        root / "v1_balanced_sqa_annotations_test_scannetv2.json", {**common, "annotations": notes}
    )


DESCRIBED = [
    (2, 0, "The brown chair by the window."),
    (2, 1, "A chair near the lamp, facing the table."),
    (5, 0, "The chair next to the coffee table."),
    (7, 0, "A low wooden table in the middle."),
    (9, 0, "A small lamp in the corner of the room."),
]


def scanrefer(root: Path) -> None:
    listed(
        root / "ScanRefer_filtered_val.json",
        [
            {
                "scene_id": SCENE,
                "object_id": str(number),
                "object_name": OBJECTS[number][0].replace(" ", "_"),
                "ann_id": str(annotation),
                "description": text,
                "token": text.lower().replace(".", " .").replace(",", " ,").split(),
            }
            for number, annotation, text in DESCRIBED
        ],
    )
    header = [
        "id",
        "raw_category",
        "category",
        "count",
        "nyu40id",
        "eigen13id",
        "nyuClass",
        "nyu40class",
    ]
    table = [header] + [
        [str(n), raw, raw, "1", "5", "4", raw, nyu]
        for n, (raw, nyu) in enumerate(
            [("chair", "chair"), ("coffee table", "table"), ("lamp", "lamp")], 1
        )
    ]
    (root / "scannetv2-labels.combined.tsv").write_text(
        "".join("\t".join(r) + "\r\n" for r in table)
    )


MULTI = [("zt_w_d", []), ("zt_wo_d", []), ("st_w_d", [5]), ("st_wo_d", [7]), ("mt", [2, 5])]


def multi3drefer(root: Path) -> None:
    listed(
        root / "multi3drefer_val.json",
        [
            {
                "scene_id": SCENE,
                "object_ids": numbers,
                "object_name": OBJECTS[numbers[0]][0] if numbers else "sofa",
                "ann_id": n,
                "eval_type": kind,
                "description": "these",
                "spatial": True,
            }
            for n, (kind, numbers) in enumerate(MULTI)
        ],
    )


def located(name: str, *numbers: int, text: str = "") -> Prediction:
    return Prediction(name, text, boxes=tuple(OBJECTS[number][1] for number in numbers))


SMALL = {
    "vsi-bench": Small(vsi, said({str(100 + n): row[2] for n, row in enumerate(VSI)})),
    "vsti-bench": Small(
        vsti,
        said({str(n): row[4] if n not in (0, 1) else str(row[2]) for n, row in enumerate(VSTI)}),
    ),
    "mindcube": Small(
        mindcube, said({name: f"<answer>{right}. x</answer>" for name, right in MINDCUBE})
    ),
    "view-spatial": Small(view_spatial, said({str(n): row[1] for n, row in enumerate(VIEWS)})),
    "space-10": Small(space10, said({"eq/7": "B", "sp/7": "B"})),
    "scanqa": Small(scanqa, said({f"val-{n}": row[1][0] for n, row in enumerate(QA)})),
    "sqa3d": Small(sqa3d, said({str(220602000000 + n): row[1] for n, row in enumerate(SQA)})),
    "scanrefer": Small(
        scanrefer,
        {f"{SCENE}|{n}|{a}": located(f"{SCENE}|{n}|{a}", n) for n, a, _ in DESCRIBED},
    ),
    "multi3drefer": Small(
        multi3drefer,
        {f"{SCENE}|{n}": located(f"{SCENE}|{n}", *numbers) for n, (_, numbers) in enumerate(MULTI)},
    ),
    "scan2cap": Small(
        scanrefer,
        {
            f"{SCENE}|{n}": located(f"{SCENE}|{n}", n, text=text)
            for n, _, text in reversed(DESCRIBED)
        },
    ),
}
