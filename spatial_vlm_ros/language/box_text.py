"""7-DoF boxes as text, both ways: ``{"bbox_3d": [x, y, z, l, w, h, yaw]}`` (SSR section 3.3).

Metres and radians with two decimals, in the scene frame (frame 0). Written boxes are canonical:
length >= width, yaw from -1.57 to 1.57, which says the same body in one way only. Anything thinner
than 5 mm is written as 0.00.

Reading takes JSON objects wherever they stand, among prose, in a code block, in a list or one a
line, and nothing else: each box that a text tries to give comes back as a box or as a reason.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from spatial_vlm_ros.language.decimals import listed
from spatial_vlm_ros.scene.box import Box

KEY = "bbox_3d"

#: Characters of a text, and of one object in it, beyond which none is read.
LONGEST_TEXT = 1_000_000
LONGEST_OBJECT = 1_000

#: Metres: no number of a box is larger.
FARTHEST = 100_000.0

#: Radians, with what rounding adds: who writes more means degrees, or nothing.
LARGEST_YAW = 2 * math.pi + 0.01

#: What may be a box: an object with none inside it, or else a bare key with a value.
_ATTEMPT = rf"""{KEY}\\?["']?\s*[:=]"""
_OBJECT_OR_ATTEMPT = re.compile(rf"\{{[^{{}}]*\}}|{_ATTEMPT}")


@dataclass(frozen=True)
class NamedBox:
    """A box in the scene frame, canonical where it was read, and what it is of; "" is unsaid."""

    box: Box
    label: str = ""


@dataclass(frozen=True)
class BoxReply:
    """What a text says: ``boxes`` in its order, and for each that was refused the reason.

    Both are empty where the text says, by an empty list, that there is no box.
    """

    boxes: tuple[NamedBox, ...]
    refused: tuple[str, ...]


def write_box(box: Box, label: str = "") -> str:
    """One object; ``ValueError`` for what :func:`read_boxes` would refuse."""
    numbers = _checked(box.canonical().to_tuple()).to_tuple()
    values = listed(numbers)
    # No brace of a label can be taken for the end of the object.
    name = json.dumps(label, ensure_ascii=False).replace("{", "\\u007b").replace("}", "\\u007d")
    text = f'{{"label": {name}, "{KEY}": {values}}}' if label else f'{{"{KEY}": {values}}}'
    if len(text) > LONGEST_OBJECT:
        raise ValueError(f"a label of {len(label)} characters: {label[:80]!r}")
    return text


def write_boxes(boxes: Iterable[NamedBox], *, lines: bool = False) -> str:
    """A JSON list of all boxes, or with ``lines`` one object a line."""
    objects = [write_box(item.box, item.label) for item in boxes]
    return "\n".join(objects) if lines else f"[{', '.join(objects)}]"


def read_boxes(text: str) -> BoxReply:
    """All boxes in a model's ``text``. Never raises; takes time in proportion to its length.

    A box is refused that is not JSON, has not exactly seven finite numbers, a negative size, a
    number beyond ``FARTHEST`` or a yaw beyond ``LARGEST_YAW``, says a key twice, has a label that
    is no text, or says a ``frame`` that is not 0. Other keys are ignored.
    """
    if len(text) > LONGEST_TEXT:
        return BoxReply((), (f"{len(text)} characters of text: expected at most {LONGEST_TEXT}",))
    boxes, refused = [], []
    for match in _OBJECT_OR_ATTEMPT.finditer(text):
        found = match[0]
        try:
            if not found.startswith("{"):
                raise ValueError("not inside one whole JSON object")
            if re.search(_ATTEMPT, found):
                boxes.append(_read(found))
        except ValueError as error:
            start = match.start()
            refused.append(f"{error}: {text[start : start + 80]!r}")
    if not boxes and not refused and not _says_none(text):
        refused.append(f'no "{KEY}" in the text: {text[:80]!r}')
    return BoxReply(tuple(boxes), tuple(refused))


def _says_none(text: str) -> bool:
    return "".join(text.replace("```json", "").replace("```", "").split()) == "[]"


def _read(text: str) -> NamedBox:
    if len(text) > LONGEST_OBJECT:
        raise ValueError(f"an object of {len(text)} characters: expected at most {LONGEST_OBJECT}")
    try:
        content = json.loads(
            text,
            object_pairs_hook=_once,
            parse_constant=_no_constant,
            parse_int=float,  # of any number of digits
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg})") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if KEY not in content:
        raise ValueError(f'no "{KEY}"')
    values, label, frame = content[KEY], content.get("label", ""), content.get("frame", 0.0)
    if not isinstance(values, list) or not all(type(value) is float for value in values):
        raise ValueError(f"{KEY} is not a list of numbers")
    if len(values) != 7:
        raise ValueError(f"{len(values)} numbers: expected 7, x, y, z, l, w, h, yaw")
    if not isinstance(label, str):
        raise ValueError("the label is not a text")
    if type(frame) is not float or frame != 0:
        raise ValueError("the frame is not 0, the first one")
    return NamedBox(_checked(values), label)


def _checked(values: Iterable[float]) -> Box:
    """The canonical box; ``ValueError`` when it is none that a scene can have."""
    box = Box.from_tuple(values)
    *metres, yaw = box.to_tuple()
    if max(map(abs, metres)) > FARTHEST:
        raise ValueError(f"a number beyond {FARTHEST:.0f} m")
    if abs(yaw) > LARGEST_YAW:
        raise ValueError(f"yaw {yaw:g} is not in radians: expected -2 pi..2 pi")
    return box.canonical()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key is said twice")
    return content


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")
