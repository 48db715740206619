"""3D-LLM: descriptions, dialogues, plans and questions about scenes, written by a language model.

Two layouts. As released by UMass-Foundation-Model/3D-LLM (08a3e2d), whose repository does not show
it, but ``data/3D_LLM/pre-process-3D-LLM.py`` of Open3DA/LL3DA (116b5b3) reads it:
``data_part2_scene*.json``, a list of {"scene_id", "question", "answers"}, and
``final_scene_map_dict_scan*.json``, which gives the scenes of ScanNet by their ids; others are
rooms of HM3D whose names the map does not tell. And LL3DA's part of it that is about ScanNet,
``3d_llm_*.json``: the same fields, scenes by name, speakers marked "### human:" and
"### assistant:".

Some descriptions have coordinates, or distances from a "center point", in a frame that neither
repository tells: they are refused, as nothing brings them to the scene frame.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from spatial_vlm_ros.data.building import Unit
from spatial_vlm_ros.data.converters.conversations import dialogue
from spatial_vlm_ros.data.converters.converter import Converter, Scenes, read_json
from spatial_vlm_ros.data.converters.pieces import json_array
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.unusable import Unusable

LICENSE = "MIT (3D-LLM)"

LAYOUT = """\
data_part2_scene*.json with final_scene_map_dict_scan*.json
or 3d_llm_*.json"""

#: Speakers: of dialogues with a robot, and of LL3DA's layout.
_PERSON = r"Human|Agent ?1|Agent A|### human"
_ROBOT = r"Robot|Agent ?2|Agent B|### assistant"
_SPEAKER = re.compile(rf"(?:({_PERSON})|({_ROBOT})):\s*")

#: Where a person says to be, before a question.
_STANDS = re.compile(r"(?:I am|I'm|Standing|Sitting|Facing)\b", re.IGNORECASE)

_NUMBER = r"-?\d+\.\d+"
#: "(3.37, 1.32, 0.34)" and "5.16 meters from the center point".
_PLACE = re.compile(
    rf"[(\[]\s*{_NUMBER}\s*,\s*{_NUMBER}|\d\s*m(?:eters?)?\b[^.]*\bcent(?:er|re) point"
    rf"|\bcent(?:er|re) point\b[^.]*{_NUMBER}|<loc"
)


def _units(root: Path, scenes: Scenes) -> Iterator[Unit]:
    released = sorted(root.glob("data_part2_scene*.json"))
    named = sorted(root.glob("3d_llm_*.json"))
    if not released and not named:
        raise ValueError(f"{root} has no files of questions; threedllm is read from\n{LAYOUT}")
    for path in released:
        names = read_json(_map(path), "threedllm", LAYOUT)
        yield from json_array(path, root, "threedllm", LAYOUT, partial(_row, names))
    for path in named:
        yield from json_array(path, root, "threedllm", LAYOUT, partial(_row, None))


def _map(path: Path) -> Path:
    """The map of scenes of the same version, or else the only one."""
    version = path.stem.removeprefix("data_part2_scene")
    maps = sorted(path.parent.glob("final_scene_map_dict_scan*.json"))
    fitting = [each for each in maps if each.stem.endswith(f"scan{version}")] or maps
    if len(fitting) != 1:
        raise ValueError(
            f"{path} needs final_scene_map_dict_scan{version}.json beside it, or one map of any "
            f"version; there are {len(maps)}: {', '.join(each.name for each in maps)}"
        )
    return fitting[0]


def _row(names: Mapping[str, str] | None, source: str, item: Mapping[str, Any]) -> Row:
    number = str(item["scene_id"])
    scene = number if names is None else names.get(number, "")
    if not scene:
        raise Unusable("scene is not in the map", number)
    if not re.fullmatch(r"scene\d{4}_\d\d", scene):
        raise Unusable("not a scene of a known data set", scene)
    turns = _turns(item["question"])
    answers = [_answer(answer) for answer in item["answers"]]
    if not turns or not any(answers):
        raise Unusable("no answer" if turns else "no question")
    if found := _PLACE.search("\n".join([*turns, *answers])):
        raise Unusable("place in a frame that is not told", found[0][:200])
    first, *others = dict.fromkeys(filter(None, answers))
    return Row(
        id=source,
        dataset="threedllm",
        scene=f"scannet/{scene}",
        task=_task(turns),
        subtask=_subtask(source),
        question=dialogue(turns),
        answer=first,
        accepted=tuple(others),
        license=LICENSE,
    )


def _task(turns: list[str]) -> str:
    if len(turns) == 1 and turns[0].lower().startswith("describe"):
        return "caption"
    return "situated" if _STANDS.match(turns[-1]) else "question"


def _turns(question: str) -> list[str]:
    """What was said, in turn, from the person's first words to its last."""
    said = _SPEAKER.split(question.strip())
    speakers = [bool(robot) for robot in said[2::3]]  # True: the robot
    texts = [text.strip() for text in said[3::3]]
    if said[0].strip():  # words without a speaker are the person's
        speakers, texts = [False, *speakers], [said[0].strip(), *texts]
    if texts and speakers[-1] and not texts[-1]:
        speakers, texts = speakers[:-1], texts[:-1]
    if speakers != [bool(n % 2) for n in range(len(speakers))] or len(speakers) % 2 == 0:
        raise Unusable("no questions and answers in turn", question[:200])
    return texts


def _answer(text: str) -> str:
    """Without the mark of the robot, or a comma at its end. ``Unusable`` where a person answers."""
    found = _SPEAKER.match(text.strip())
    if found and found[1]:
        raise Unusable("the answer is the person's", text[:200])
    text = text.strip()[found.end() if found else 0 :].strip().removesuffix(",")
    return "" if text in ("Agent", "Agent 1", "Agent 2", "Robot") else text


def _subtask(source: str) -> str:
    """Such as "scene_description" of LL3DA's "3d_llm_scene_description_train.json[7]"."""
    name = source.partition(".json")[0]
    return re.sub(r"^3d_llm_|_filtered|_train$|_val$", "", name) if name.startswith("3d_") else ""


CONVERTER = Converter("threedllm", LICENSE, LAYOUT, False, _units)
