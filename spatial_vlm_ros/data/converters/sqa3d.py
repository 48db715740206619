"""SQA3D: questions of someone who stands in a ScanNet scene and says where.

Layout: SilongYong/SQA3D (a98da8f), assets/dataset.md. Questions ``{question_id, scene_id, question,
situation, alternative_situation}`` and annotations ``{question_id, scene_id, answers: [{answer}],
position {x, y, z}, rotation {_x, _y, _z, _w}}`` are in two files of a split. A question is asked
after its ``situation``; the alternatives, other words for the same place, are not used.

Where one stands is not in the axis-aligned scan. ``position`` is relative to the middle of the
bounds of the scan as it was recorded (ScanQA/lib/sepdataset.py adds it before ``axisAlignment``,
utils/visualize_data.py takes it off the mesh); its z is 0 throughout, so that the height is that of
this middle. ``rotation`` is a quaternion about z in the same axes, and the view goes along -x of
what it turns: the arrow of visualize_data.py points there, and embodied-generalist (567f2d8,
data/datasets.py) turns it round as well. Read so, of 19 situations of the test split that face an
object which is the only one of its kind in VSI-Bench's rooms of ScanNet, all do within 45 degrees,
half of them within 9. So ``stands_at`` needs the mesh and the alignment of the
scan beside the scene, whose world is the axis-aligned scan. Without them a row stands without it:
the situation is in the question.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from spatial_vlm_ros.data.building import Unit
from spatial_vlm_ros.data.converters.converter import Converter, Scenes
from spatial_vlm_ros.data.converters.scannet_items import (
    answers_of,
    read_lists,
    split_files,
    units_of,
    words_of,
)
from spatial_vlm_ros.data.readers.ply import read_vertices
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.data.unusable import Unusable
from spatial_vlm_ros.scene_frame import inverse, scene_frame

Array = NDArray[np.float64]
#: T_aligned_centred (4, 4) of a scan, None where the scan is not there.
Alignment = Callable[[str], Array | None]
Where = tuple[float, float, float, float]

LICENSE = "CC BY 4.0"
LAYOUT = """\
v1_balanced_questions_train_scannetv2.json
v1_balanced_sqa_annotations_train_scannetv2.json
v1_balanced_{questions,sqa_annotations}_{val,test}_scannetv2.json (optional)
scans/<scene>/<scene>.txt (optional: for where one stands)
scans/<scene>/<scene>_vh_clean_2.ply (optional: for where one stands)"""
FILES = {
    split: (f"v1_balanced_questions_{split}_scannetv2.json",) for split in ("train", "val", "test")
}
#: How questions begin, by which the data set's scores are told apart.
KINDS = ("what", "is", "how", "can", "which")


def units(root: Path, scenes: Scenes) -> Iterator[Unit]:
    """Of all splits that are there."""
    alignment = cache(partial(_alignment, root / "scans"))
    for split, path in split_files(root, "sqa3d", LAYOUT, FILES).items():
        questions = read_lists(path, "sqa3d", LAYOUT, "questions")["questions"]
        answers = path.with_name(path.name.replace("_questions_", "_sqa_annotations_"))
        notes = read_lists(answers, "sqa3d", LAYOUT, "annotations")["annotations"]
        make = partial(_row, split, scenes, alignment)
        yield from units_of("sqa3d", split, path.name, _joined(questions, notes), make)


def _joined(questions: list[Any], notes: list[Any]) -> list[dict[str, Any]]:
    """Questions in their order, each with its annotation, the last one of its id; annotations that
    are left over come after them.
    """
    note_of = {_id(note): note for note in notes}
    asked = {_id(each) for each in questions}
    pairs = [(each, note_of.get(_id(each))) for each in questions]
    used = {id(note_of[each]) for each in asked & set(note_of)}
    pairs += [(None, note) for note in notes if id(note) not in used]
    return [{"question": question, "annotation": note} for question, note in pairs]


def _id(item: Any) -> str:
    return str(item.get("question_id")) if isinstance(item, dict) else ""


def _row(split: str, scenes: Scenes, alignment: Alignment, item: Mapping[str, Any]) -> Row:
    asked, note = item["question"], item["annotation"]
    if asked is None or note is None:
        raise Unusable("no question" if asked is None else "no annotation")
    if asked["scene_id"] != note["scene_id"]:
        raise Unusable("scenes differ", f"{asked['scene_id']}, {note['scene_id']}")
    answer, accepted = answers_of([each["answer"] for each in note["answers"]])
    question = words_of(asked, "question")
    scene = f"scannet/{words_of(asked, 'scene_id')}"
    return Row(
        id=f"{split}/{asked['question_id']}",
        dataset="sqa3d",
        scene=scene,
        task="situated",
        subtask=next((kind for kind in KINDS if question.lower().startswith(kind)), "other"),
        question=f"{words_of(asked, 'situation')} {question}",
        answer=answer,
        accepted=accepted,
        stands_at=_stands_at(note, scenes.get(scene), partial(alignment, asked["scene_id"])),
        license=LICENSE,
    )


def _stands_at(
    note: Mapping[str, Any], scene: AnnotatedScene | None, alignment: Callable[[], Array | None]
) -> Where | None:
    position, rotation = note["position"], note["rotation"]
    spot = np.array([position[axis] for axis in "xyz"], float)
    turn = Rotation.from_quat([rotation[f"_{axis}"] for axis in "xyzw"]).as_matrix()
    if not np.isfinite(spot).all():
        raise Unusable("position is not finite", str(position))
    T_aligned_centred = alignment() if scene else None
    if scene is None or T_aligned_centred is None:
        return None
    T_scene_aligned = inverse(scene_frame(scene.T_world_first, scene.up))
    T_scene_centred = T_scene_aligned @ T_aligned_centred
    x, y, z = T_scene_centred[:3, :3] @ spot + T_scene_centred[:3, 3]
    view = T_scene_centred[:3, :3] @ turn @ [-1, 0, 0]
    return float(x), float(y), float(z), float(np.arctan2(view[1], view[0]))


def _alignment(scans: Path, name: str) -> Array | None:
    about, mesh = scans / name / f"{name}.txt", scans / name / f"{name}_vh_clean_2.ply"
    if not (about.is_file() and mesh.is_file()):
        return None
    lines = [line.partition("=") for line in about.read_text().splitlines()]
    aligned = [values.split() for key, _, values in lines if key.strip() == "axisAlignment"]
    T_aligned_scan = np.reshape(np.array(aligned[0], float), (4, 4)) if aligned else np.eye(4)
    points_scan = read_vertices(mesh)
    T_scan_centred = np.eye(4)
    T_scan_centred[:3, 3] = (points_scan.min(axis=0) + points_scan.max(axis=0)) / 2
    return np.asarray(T_aligned_scan @ T_scan_centred)


CONVERTER = Converter("sqa3d", LICENSE, LAYOUT, False, units)
