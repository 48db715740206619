"""MMScan: questions about objects that are given by their boxes, and groundings of texts.

Layout: OpenRobotLab/EmbodiedScan, branch mmscan (cc3842a), README.md, mmscan/mmscan.py and
mmscan/utils/lang_utils.py. ``MMScan_QA.json`` is ``{train: [...], val: [...]}`` of ``{ID, scan_id,
sub_class, question, answers, object_ids, object_names, input_bboxes_id, input_bboxes}``; the last
two are null or as long as each other, boxes of nine numbers, of which some have negative sizes
(InternRobotics/EmbodiedScan#102). ``MMScan_VG.json`` has ``{ID, scan_id, sub_class, text,
target_id, target, anchor_ids, anchors, distractor_ids, tokens_positive}`` and no boxes: they are in
the info files of EmbodiedScan.

Questions say "the object" or "these two objects" and the box tells which: here "#7" does, without
its category, which may be the answer. How a box finds its number: :mod:`.embodiedscan`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from spatial_vlm_ros.data.building import Unit
from spatial_vlm_ros.data.converters.converter import Converter, Scenes
from spatial_vlm_ros.data.converters.embodiedscan import Boxes, Place, placed, read_boxes
from spatial_vlm_ros.data.converters.scannet_items import (
    answers_of,
    read_lists,
    units_of,
    words_of,
)
from spatial_vlm_ros.data.row import Reference, Row
from spatial_vlm_ros.data.unusable import Unusable
from spatial_vlm_ros.errors import first_line
from spatial_vlm_ros.language.box_text import NamedBox, write_boxes
from spatial_vlm_ros.language.names import label_words
from spatial_vlm_ros.reasoning.describe import joined

LICENSE = "CC BY-NC-SA 4.0"
LAYOUT = """\
MMScan-beta-release/MMScan_samples/MMScan_QA.json
MMScan-beta-release/MMScan_samples/MMScan_VG.json (optional)
embodiedscan_split/embodiedscan-v1/embodiedscan_infos_train.pkl (for MMScan_VG.json)
embodiedscan_split/embodiedscan-v1/embodiedscan_infos_val.pkl (for MMScan_VG.json)"""
SAMPLES = "MMScan-beta-release/MMScan_samples"
INFOS = "embodiedscan_split/embodiedscan-v1/embodiedscan_infos_{}.pkl"
SPLITS = ("train", "val")

#: Of a part of ``sub_class``.
TASKS = {
    "Attribute_OO": "relation",
    "Space_OO": "relation",
    "_EQ": "question",
    "Single_Attribute": "question",
    "Single_Space": "question",
    "_OR": "question",
    "Advanced": "question",
}


def units(root: Path, scenes: Scenes) -> Iterator[Unit]:
    """Questions, then groundings, of all splits that are there."""
    place = cache(partial(placed, scenes))
    paths = [root / SAMPLES / f"MMScan_{kind}.json" for kind in ("QA", "VG")]
    if not any(path.is_file() for path in paths):
        raise ValueError(f"{paths[0]} is missing; mmscan is read from\n{LAYOUT}")
    for path in filter(Path.is_file, paths):
        for split, items in read_lists(path, "mmscan", LAYOUT, *SPLITS).items():
            make = partial(_question, split, place)
            if path is paths[1]:
                make = partial(_grounding, split, place, cache(partial(_boxes, root, split)))
            name = f"{path.stem}-{split}"
            yield from units_of("mmscan", name, f"{path.name}:{split}", items, make)


def _boxes(root: Path, split: str) -> Boxes | str:
    """Of the info file, or what is wrong with it: kept, so that it is read once only."""
    try:
        return read_boxes(root / INFOS.format(split))
    except (OSError, ValueError) as error:
        return first_line(error)


def _question(split: str, place: Place, item: Mapping[str, Any]) -> Row:
    kind, question = item["sub_class"], words_of(item, "question")
    answer, accepted = answers_of(item["answers"])
    scan = _scan(item)
    given, numbers = item["input_bboxes"] or [], item["input_bboxes_id"] or []
    if len(given) != len(numbers):
        raise Unusable("boxes and objects differ", f"{len(given)} boxes, {len(numbers)} objects")
    names = dict(zip(item["object_ids"], item["object_names"], strict=False))
    refs: dict[int, Reference] = {}
    for number, nine in zip(numbers, given, strict=True):
        found, box = place(scan, tuple(nine))
        refs.setdefault(found, Reference(found, label_words(names.get(number, "")), box))
    if len(refs) < len(set(numbers)):
        raise Unusable("several boxes of one object", f"{numbers} are {list(refs)}")
    tasks = [task for part, task in TASKS.items() if part in kind]
    if not tasks:
        raise Unusable("kind not known", f"sub_class {kind!r}")
    about = f"About {joined([f'#{number}' for number in refs])}: " if refs else ""
    return Row(
        id=f"{split}/{words_of(item, 'ID')}",
        dataset="mmscan",
        scene=scan,
        task="counting" if "_EQ" in kind and "how many" in question.lower() else tasks[0],
        subtask=kind,
        question=about + question,
        answer=answer,
        accepted=accepted,
        refs=tuple(refs.values()),
        license=LICENSE,
    )


def _grounding(
    split: str, place: Place, boxes: Callable[[], Boxes | str], item: Mapping[str, Any]
) -> Row:
    scan, targets = _scan(item), item["target_id"]
    if not targets or len(targets) != len(item["target"]):
        raise Unusable("targets and names differ", f"{len(targets)}, {len(item['target'])}")
    read = boxes()
    if isinstance(read, str):
        raise Unusable("boxes missing", read)
    known = read.get(scan, {})
    if missing := [number for number in targets if number not in known]:
        raise Unusable("object not known", f"{scan} has no objects {missing}")
    found = {}
    for number, name in zip(targets, item["target"], strict=True):
        thing, box = place(scan, known[number])
        found[thing] = NamedBox(box, label_words(name))
    if len(found) < len(set(targets)):
        raise Unusable("several boxes of one object", f"{targets} are {list(found)}")
    found = dict(sorted(found.items()))
    return Row(
        id=f"{split}/{words_of(item, 'ID')}",
        dataset="mmscan",
        scene=scan,
        task="grounding",
        subtask=words_of(item, "sub_class"),
        question=words_of(item, "text"),
        answer=write_boxes(found.values()),
        targets=tuple(found),
        boxes=tuple(named.box for named in found.values()),
        license=LICENSE,
    )


def _scan(item: Mapping[str, Any]) -> str:
    """As scenes are called here: names without their data set are ScanNet's, or renamed ones."""
    name = words_of(item, "scan_id")
    return f"scannet/{name}" if name.startswith("scene") else name


CONVERTER = Converter("mmscan", LICENSE, LAYOUT, True, units)
