"""Whether a text writes the category, the coordinates or the boxes that geometry does."""

from __future__ import annotations

import re

import numpy as np

from spatial_vlm_ros.language.box_text import read_boxes
from spatial_vlm_ros.reasoners.mentions import mentions, said_in
from spatial_vlm_ros.reasoning import units
from spatial_vlm_ros.reasoning.answer import Answer
from spatial_vlm_ros.reasoning.lexicon import text_words
from spatial_vlm_ros.reasoning.scale import SIGMAS
from spatial_vlm_ros.scene.box import ious
from spatial_vlm_ros.scene.graph import SceneGraph

KINDS = ("category", "coordinates", "dimensions", "box")
#: Coordinates and sizes agree within this [m], sizes within this share, boxes from this overlap on.
LENGTH_M, SHARE, OVERLAP = 0.25, 0.25, 0.25
_LIST = re.compile(r"\[([-\d., ]+)\]")


def same(text: str, geometric: Answer, scene: SceneGraph) -> bool | None:
    """None where that cannot be told."""
    true = str(geometric.value)
    if geometric.kind == "category" and len(geometric.objects) > 1:
        return _same_categories(text, geometric, scene)
    if geometric.kind == "category":
        return True if said_in(text_words(true), text_words(text)) is not None else None
    if geometric.kind == "box":
        return _same_boxes(text, true)
    if "[" not in true:  # the object at a place
        named = mentions(text, scene.present()).ids
        return named[0] == geometric.objects[0] if named else None
    said, known = _numbers(text), _numbers(true)
    if len(said) != len(known):
        return None
    off = np.abs(np.subtract(said, known))
    if "." not in true:  # a cell
        return not off.any()
    least = units.convert(LENGTH_M, "m", geometric.text.rstrip(".").rpartition(" ")[2])
    share = max(SIGMAS * scene.scale_spread, SHARE if geometric.kind == "dimensions" else 0.0)
    return bool((off <= np.maximum(least, share * np.abs(known))).all())


def _same_categories(text: str, geometric: Answer, scene: SceneGraph) -> bool | None:
    """Whether each object is named with its category, in this order."""
    parts = re.split(r",|;|\band\b", text)
    if len(parts) != len(geometric.objects):
        return None
    so = all(
        mentions(part, scene.present()).ids == (number,)
        and said_in(text_words(scene[number].label), text_words(part)) is not None
        for part, number in zip(parts, geometric.objects, strict=True)
    )
    return True if so else None


def _numbers(text: str) -> list[float]:
    """The first list in brackets; [] for none, or where it is none of numbers."""
    found = _LIST.search(text)
    try:
        return [float(number) for number in found[1].split(",")] if found else []
    except ValueError:
        return []


def _same_boxes(text: str, true: str) -> bool | None:
    said, known = ([named.box for named in read_boxes(each).boxes] for each in (text, true))
    if not said or not known:
        return None if known and "[]" not in text else not said and not known
    overlaps = ious(said, known) >= OVERLAP
    return len(said) == len(known) and bool(overlaps.any(axis=0).all())
