"""Scan2Cap: ScanRefer's descriptions the other way round, of an object that is given.

Layout: daveredrum/Scan2Cap (b9e9610), README.md: the files are ScanRefer's. All descriptions of an
object are right answers for it, as in its evaluation; each of them makes a row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from spatial_vlm_ros.data import checks
from spatial_vlm_ros.data.building import Unit
from spatial_vlm_ros.data.converters.converter import Converter, Scenes
from spatial_vlm_ros.data.converters.scannet_items import (
    answers_of,
    read_list,
    split_files,
    units_of,
    words_of,
)
from spatial_vlm_ros.data.converters.scanrefer import FILES, LAYOUT, LICENSE, meant, name_of
from spatial_vlm_ros.data.converters.wordings import describe
from spatial_vlm_ros.data.row import Reference, Row

#: Descriptions by scene and object, as they are written in the file.
Descriptions = Mapping[tuple[str, str], Sequence[str]]


def units(root: Path, scenes: Scenes) -> Iterator[Unit]:
    """Of all splits that are there."""
    for split, path in split_files(root, "scan2cap", LAYOUT, FILES).items():
        items = read_list(path, "scan2cap", LAYOUT)
        make = partial(_row, split, scenes, _descriptions(items))
        yield from units_of("scan2cap", split, path.name, items, make)


def _descriptions(items: Sequence[Any]) -> Descriptions:
    """Of every item that has a good one; what is wrong with others is said when rows are made."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for item in items:
        if isinstance(item, dict):
            with suppress(KeyError, TypeError, ValueError):
                said = checks.text("description", words_of(item, "description"))
                found[_key(item)].append(said)
    return found


def _key(item: Mapping[str, Any]) -> tuple[str, str]:
    return str(item.get("scene_id")), str(item.get("object_id"))


def _row(split: str, scenes: Scenes, known: Descriptions, item: Mapping[str, Any]) -> Row:
    found = meant(item, scenes)
    answer, accepted = answers_of([words_of(item, "description"), *known[_key(item)]])
    return Row(
        id=name_of(split, item),
        dataset="scan2cap",
        scene=f"scannet/{item['scene_id']}",
        task="caption",
        question=describe(found.id),
        answer=answer,
        accepted=accepted,
        refs=(Reference(found.id, found.category, found.box),),
        license=LICENSE,
    )


CONVERTER = Converter("scan2cap", LICENSE, LAYOUT, True, units)
