"""SR-91K, the spatial part of SpaceR-151K: questions about videos of ScanNet, and maps of them.

Layout: OuyangKun10/SpaceR (b623af5), SpaceR-SG-RLVR/src/r1-v/src/open_r1/SG-RLVR.py, which reads
lines ``{problem_id, problem, options, problem_type, data_type, data_source, path, solution}``:
options "A. chair", the solution in ``<answer>`` tags, the scene as the name of the video. The other
60 K lines of the file, whose ``data_source`` is not "SR_dataset", are about videos and images of
all kinds. An older file of the same repository (6ef4a21, fmt_train_data.jsonl) has VSI-Bench's
``question_type``, ``video`` for ``path``, options inside the problem and bare solutions; it is read
as well. Where no kind of question is given it is read from the wording, which is VSI-Bench's.

``cognitive_map.jsonl`` gives cells of a 10 x 10 grid by category: ``{video_id, cognitive_map:
{category: [[x, y], ...]}, object_list}``. Which way its axes go is not said anywhere: what is asked
for such a map here does not say it either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from spatial_vlm_ros.data.building import Unit
from spatial_vlm_ros.data.converters.conversations import answered, asked
from spatial_vlm_ros.data.converters.converter import Converter, Scenes
from spatial_vlm_ros.data.converters.pieces import json_lines
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.unusable import Unusable
from spatial_vlm_ros.language.global_map import SIDE
from spatial_vlm_ros.language.global_map_text import write_global_map
from spatial_vlm_ros.language.names import label_words

LICENSE = "CC BY-NC 4.0"
LAYOUT = """\
SpaceR-151k.jsonl (or SR-91k.jsonl)
annotation/cognitive_map.jsonl (optional; or cognitive_map.jsonl)"""
FILES = ("SpaceR-151k.jsonl", "SR-91k.jsonl")
MAPS = ("annotation/cognitive_map.jsonl", "cognitive_map.jsonl")

#: Of ``problem_type``: whether only a number can be right.
PROBLEMS = {"multiple choice": False, "numerical": True, "regression": True, "free-form": False}
#: Of ``question_type``, as far as it begins so.
TASKS = {
    "object_abs_distance": "distance",
    "object_counting": "counting",
    "object_rel_direction": "direction",
    "object_rel_distance": "nearest",
    "object_size_estimation": "object_size",
    "room_size_estimation": "room_size",
    "obj_appearance_order": "order",
    "route_planning": "route",
}
#: Words of a question by which its ``question_type`` is known; the first that are found decide.
WORDINGS = {
    "obj_appearance_order": r"appearance order|first.time appearance|appears? (first|last)",
    "route_planning": r"navigat|route",
    "object_rel_direction": r"standing (by|at)|facing",
    "object_rel_distance": r"which of (these|the following).*(closest|nearest|farthest|furthest)",
    "object_abs_distance": r"distance (between|from)",
    "object_size_estimation": r"longest dimension",
    "room_size_estimation": r"(size|area) of (this|the) room",
    "object_counting": r"how many",
}
_ANSWER = re.compile(r"<answer>\s*(.*?)\s*</answer>", re.DOTALL)
_SCENE = re.compile(r"scene\d{4}_\d{2}")


def units(root: Path, scenes: Scenes) -> Iterator[Unit]:
    """Questions, then maps."""
    questions = [root / name for name in FILES if (root / name).is_file()]
    if not questions:
        raise ValueError(f"{root} has none of {', '.join(FILES)}; sr91k is read from\n{LAYOUT}")
    yield from json_lines(questions[0], root, _row)
    for maps in [root / name for name in MAPS if (root / name).is_file()][:1]:
        yield from json_lines(maps, root, _map_row)


def _row(source: str, item: Mapping[str, Any]) -> Row:
    if item.get("data_source", "SR_dataset") != "SR_dataset":
        raise Unusable("not of SR-91K", str(item["data_source"]))
    problem = item.get("problem_type", "free-form")
    if problem not in PROBLEMS:
        raise Unusable("kind not known", str(problem))
    options = item.get("options") or []
    text = item["problem"].strip().removeprefix("Question:")
    question = asked("\n".join([text, *options]))
    if (options or problem == "multiple choice") and not question.options:
        raise Unusable("options not understood", str(options))
    solution = item["solution"].strip()
    found = _ANSWER.search(solution)
    answer = found[1] if found else solution
    if not answer:
        raise Unusable("no answer")
    kind = item.get("question_type") or _kind(question.question)
    tasks = [task for name, task in TASKS.items() if kind.startswith(name)]
    return answered(
        question,
        answer,
        numeric=PROBLEMS[problem],
        id=source,
        dataset="sr91k",
        scene=_scene(item["path"] if "path" in item else item["video"]),
        task=tasks[0] if tasks else "question",
        subtask=kind or problem,
        license=LICENSE,
    )


def _kind(question: str) -> str:
    text = " ".join(question.lower().split())
    return next((kind for kind, words in WORDINGS.items() if re.search(words, text)), "")


def _scene(video: str) -> str:
    name = PurePosixPath(video).stem
    if not _SCENE.fullmatch(name):
        raise Unusable("not a scene of a known data set", video)
    return f"scannet/{name}"


def _map_row(source: str, item: Mapping[str, Any]) -> Row:
    cells = {label_words(name): list(each) for name, each in item["cognitive_map"].items() if each}
    if not cells:
        raise Unusable("no object in the map")
    flat = [(x, y) for each in cells.values() for x, y in each]
    if not all(type(n) is int and 0 <= n < SIDE for cell in flat for n in cell):
        raise Unusable("a cell outside of the map", str(cells))
    return Row(
        id=source,
        dataset="sr91k",
        scene=_scene(f"{item['video_id']}.mp4"),
        task="local_map",
        subtask="global_map",
        question="Make a map of the scene, seen from above, on a grid of 10 x 10 cells: for each"
        " object the cell of its centre, [x, y] with integers from 0 to 9, by category. The"
        f" categories are {', '.join(cells)}.",
        answer=write_global_map({name: tuple((x, y) for x, y in cells[name]) for name in cells}),
        license=LICENSE,
    )


CONVERTER = Converter("sr91k", LICENSE, LAYOUT, False, units)
