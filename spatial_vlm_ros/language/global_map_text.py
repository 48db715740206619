"""The global map as a model is asked for it and gives it: a JSON object inside ``<map>`` tags."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Iterable
from typing import Any

from spatial_vlm_ros.language.cogmap_text import Cell, quoted
from spatial_vlm_ros.language.global_map import SIDE, Cells
from spatial_vlm_ros.language.names import label_words

OPEN, CLOSE = "<map>", "</map>"
#: A longer map is not read.
MAX_CHARACTERS = 100_000
FORM = '{"category": [[x, y], ...], ...} as JSON, with integers 0..9'
EXAMPLE = {"bed": ((2, 6),), "pillow": ((1, 7), (3, 7))}


def write_global_map(cells: Cells) -> str:
    """The map as SpaceR has it: ``<map>{"table": [[0, 3], [5, 7]]}</map>``."""
    lists = {name: [list(cell) for cell in found] for name, found in cells.items()}
    text = json.dumps(lists, ensure_ascii=False).replace("<", "\\u003c")  # no label ends the tag
    return f"{OPEN}{text}{CLOSE}"


def prompt(categories: Iterable[str]) -> str:
    """What a model is asked with the images: a map of all objects of ``categories``."""
    listed = ", ".join(dict.fromkeys(label_words(name) for name in categories))
    if not listed:
        raise ValueError("no category to place: expected at least one")
    return (
        f"Make a map of the whole scene, seen from above, for these categories only: {listed}. The"
        " map is a square grid of 10 x 10 cells that just holds the centres of all objects of these"
        " categories, in all frames. A cell is written [x, y], with integers from 0 to 9. x grows"
        " to the right: the direction in which the camera looks in the first frame. y grows"
        " upwards: to the left of that direction. Give every object of each category, each by the"
        " cell of its centre. Answer with a JSON object inside <map> tags, for example"
        f" {write_global_map(EXAMPLE)}"
    )


def read_global_map(text: str) -> dict[str, tuple[Cell, ...]]:
    """The one map in a model's answer, its categories as plain lower-case words.

    ``ValueError`` names what is not as it should be; nothing is left out or clamped.
    """
    inside = _inside(text)
    try:
        pairs = json.loads(inside, object_pairs_hook=_Pairs, parse_int=_small, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{quoted(inside)} is no map ({error}): expected {FORM}") from error
    if not isinstance(pairs, _Pairs):
        raise ValueError(f"{quoted(inside)} is no dictionary: expected {FORM}")
    cells: dict[str, tuple[Cell, ...]] = {}
    for name, value in pairs:
        category = label_words(name)
        if not name.strip() or category in cells:
            raise ValueError(f"category {quoted(name)}: expected a name, and each only once")
        if type(value) is not list:
            raise ValueError(f"{quoted(name)} has {reprlib.repr(value)}: expected [[x, y], ...]")
        cells[category] = tuple(_cell(name, cell) for cell in value)
    return cells


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as it was written, so that a repeated key is seen."""


def _inside(text: str) -> str:
    if text.count(OPEN) != 1 or text.count(CLOSE) != 1 or text.find(CLOSE) < text.find(OPEN):
        raise ValueError(f"{quoted(text)}: expected one {OPEN}...{CLOSE}")
    inside = text[text.find(OPEN) + len(OPEN) : text.find(CLOSE)]
    if len(inside) > MAX_CHARACTERS:
        raise ValueError(f"a map of {len(inside)} characters: expected {MAX_CHARACTERS} at most")
    return inside


def _small(digits: str) -> int | str:
    """Numbers of any length are read in time, for one of many digits is wrong anyway."""
    return int(digits) if len(digits) < 3 else digits


def _cell(name: str, value: Any) -> Cell:
    if type(value) is list and len(value) == 2:
        x, y = value
        if type(x) is int and type(y) is int and 0 <= min(x, y) and max(x, y) < SIDE:
            return x, y
    raise ValueError(f"{quoted(name)} has {reprlib.repr(value)}: expected [x, y], integers 0..9")
