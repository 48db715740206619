"""VLA-3D: phrases made by templates, and boxes, of scenes from six sources.

Layout of HaochenZ11/VLA-3D (a0c023c), ``README.md``, ``3d_data_preprocess/utils/headers.py`` and
its ``sample_data``. Boxes are upright in the world of their source, z up; for ScanNet that is the
axis-aligned scan. VLA-3D counts objects its own way, so each is looked up among those of the scene
by its box: one that is not there, or lies in another world, is found out. Where a scene has no
objects of its own, only its first camera, VLA-3D's numbers stand.

A phrase means one object of its region; where a scene has several, the region is said before it.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from spatial_vlm_ros.data.building import Unit
from spatial_vlm_ros.data.converters.converter import Converter, Scenes, converted, read_json
from spatial_vlm_ros.data.converters.matching import objects_at
from spatial_vlm_ros.data.converters.scannet_items import scene_of
from spatial_vlm_ros.data.converters.wordings import which_one
from spatial_vlm_ros.data.row import Reference, Rejected, Row
from spatial_vlm_ros.data.scenes import AnnotatedObject, AnnotatedScene
from spatial_vlm_ros.data.unusable import Unusable
from spatial_vlm_ros.language.box_text import NamedBox, write_boxes
from spatial_vlm_ros.scene.nine_dof import OrientedBox

LICENSE = "MIT (VLA-3D)"

LAYOUT = """\
{3RScan,ARKitScenes,HM3D,Matterport,Scannet,Unity}/<scene>/<scene>_object_result.csv
{3RScan,ARKitScenes,HM3D,Matterport,Scannet,Unity}/<scene>/<scene>_referential_statements.json"""

#: Folders, and what their data set is called here.
SOURCES = {name: name.lower() for name in ("3RScan", "ARKitScenes", "HM3D", "Scannet", "Unity")}
SOURCES["Matterport"] = "matterport3d"

CENTER = [f"object_bbox_c{axis}" for axis in "xyz"]
SIZE = [f"object_bbox_{axis}length" for axis in "xyz"]
HEADING = "object_bbox_heading"

STATEMENTS = "_referential_statements.json"


def _units(root: Path, scenes: Scenes) -> Iterator[Unit]:
    paths = [path for name in SOURCES for path in sorted(root.glob(f"{name}/*/*{STATEMENTS}"))]
    if not paths:
        raise ValueError(f"{root} has no *{STATEMENTS}; vla3d is read from\n{LAYOUT}")
    for path in paths:
        yield Unit(path.relative_to(root).as_posix(), partial(_rows, root, path, scenes))


def _rows(root: Path, path: Path, scenes: Scenes) -> Iterator[Row | Rejected]:
    name = f"{SOURCES[path.parents[1].name]}/{path.parent.name}"
    content = read_json(path, "vla3d", LAYOUT)
    if not isinstance(content, dict) or not isinstance(content.get("regions"), dict):
        raise ValueError(f'{path} has no object "regions"')
    boxes = _boxes(path.with_name(path.name.replace(STATEMENTS, "_object_result.csv")))
    objects = _objects(scenes[name], boxes) if name in scenes else {}
    for place, phrase, statement in _statements(content["regions"]):
        source = f"{path.relative_to(root).as_posix()}:{place}"
        make = partial(_row, scenes, name, objects, source, phrase)
        yield from converted([(source, statement)], make)


def _boxes(path: Path) -> dict[str, OrientedBox]:
    """By object_id, in the world of the source, without those whose numbers make no box.

    ``ValueError`` names the file, or the columns, that are missing.
    """
    if not path.is_file():
        raise ValueError(f"{path} is missing; vla3d is read from\n{LAYOUT}")
    found = {}
    with path.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines)
        columns = ("object_id", *CENTER, *SIZE, HEADING)
        if missing := [name for name in columns if name not in (rows.fieldnames or ())]:
            raise ValueError(f"{path} has no column {', '.join(missing)}")
        for row in rows:
            center, size = [row[name] for name in CENTER], [row[name] for name in SIZE]
            with suppress(ValueError, TypeError):
                index = str(int(row["object_id"]))
                found[index] = OrientedBox.from_heading(center, size, row[HEADING])
    return found


def _objects(
    scene: AnnotatedScene, boxes: Mapping[str, OrientedBox]
) -> dict[str, AnnotatedObject | None]:
    """By object_id what the scene has there, None where it has nothing."""
    here = {index: scene.box_from_world(box) for index, box in boxes.items()}
    if not scene.objects:
        return {index: AnnotatedObject(int(index), "", box) for index, box in here.items()}
    return dict(zip(here, objects_at(scene, list(here.values())), strict=True))


def _statements(regions: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Where each stands, its phrase with its region, "" where that is not told, and what it means.

    Nothing is said of some regions, which are lists. A region's name is among its statements.
    """
    spoken = {key: each for key, each in regions.items() if isinstance(each, dict)}
    names = Counter(each.get("region", "") for each in spoken.values())
    for key, region in spoken.items():
        name = region.get("region", "")
        before = f"In the {name}: " if len(regions) > 1 else ""
        told = not before or (name and names[name] == 1)
        for number, text in enumerate(text for text in region if text != "region"):
            yield f"{key}[{number}]", f"{before}{text}" if told else "", {text: region[text]}


def _row(
    scenes: Scenes,
    name: str,
    objects: Mapping[str, AnnotatedObject | None],
    source: str,
    phrase: str,
    statement: Mapping[str, Sequence[Mapping[str, Any]]],
) -> Row:
    scene_of(name, scenes)
    if not phrase:
        raise Unusable("region is not told")
    (readings,) = statement.values()
    meant = sorted({reading["target_index"] for reading in readings})
    if len(meant) != 1:
        raise Unusable("may mean several objects", ", ".join(meant))
    reading = readings[0]
    anchors = [each for _, each in sorted(reading["anchors"].items())]
    target = _called(objects, reading["target_index"], reading["target_class"])
    refs = [_called(objects, each["index"], each["class"]) for each in anchors]
    return Row(
        id=source,
        dataset="vla3d",
        scene=name,
        task="grounding",
        subtask=reading["relation"],
        question=which_one(phrase),
        answer=write_boxes([NamedBox(target.box, target.category)]),
        refs=tuple(Reference(each.id, each.category, each.box) for each in refs),
        targets=(target.id,),
        boxes=(target.box,),
        license=LICENSE,
    )


def _called(
    objects: Mapping[str, AnnotatedObject | None], index: str, category: str
) -> AnnotatedObject:
    """An object of the scene, called as the phrase calls it."""
    if index not in objects:
        raise Unusable("object without a box", f"{category} {index}")
    found = objects[index]
    if found is None:
        raise Unusable("object not known", f"{category} {index}")
    return replace(found, category=category)


CONVERTER = Converter("vla3d", LICENSE, LAYOUT, True, _units)
