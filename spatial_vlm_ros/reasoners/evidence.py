"""What a model's answer rests on: the objects it cites and the boxes it gives, each checked.

A text is data: nothing of it is executed, and what it names is looked up in the scene. What is not
there is listed as such, so that no box is ever shown for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spatial_vlm_ros.language.box_text import KEY, NamedBox, read_boxes
from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.scene import box as boxes
from spatial_vlm_ros.scene.graph import ObjectState, SceneGraph, SceneObject

#: A box is an object's where both together fill at most four times what they have in common.
SAME_IOU = 0.25
#: More boxes than this in one text are not looked at, more numbers of no object not listed.
MOST = 200


@dataclass(frozen=True)
class Evidence:
    """What a text says of a scene.

    ``objects``: ids of the scene that it cites by number, in its order. ``unknown``: citations of
    what the scene does not have, as written. ``matched``: boxes that are an object's, each with its
    id; ``boxes``: those of no object the memory has. ``refused``: why other boxes were not read.
    """

    objects: tuple[int, ...] = ()
    unknown: tuple[str, ...] = ()
    matched: tuple[tuple[int, NamedBox], ...] = ()
    boxes: tuple[NamedBox, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[int, ...]:
        """Of all objects: cited first, then those whose box is given."""
        return tuple(dict.fromkeys((*self.objects, *(number for number, _ in self.matched))))

    @property
    def warnings(self) -> tuple[str, ...]:
        """For people: what of the answer is not so, or could not be understood."""
        said = [f"the answer cites {written}, which does not exist" for written in self.unknown]
        return (*said, *(f"a box of the answer is refused: {reason}" for reason in self.refused))


def evidence(text: str, numbering: Numbering, scene: SceneGraph) -> Evidence:
    """Of a model's ``text``. Never raises; takes time in proportion to its length.

    Objects that are tentative are never told to a model, so it cannot know them.
    """
    known = {o.id: o for o in scene.objects if o.state is not ObjectState.TENTATIVE}
    cited, unknown = dict[int, None](), dict[str, None]()
    for citation in numbering.citations(text):
        if citation.id is not None and citation.id in known:
            cited[citation.id] = None
        else:
            unknown[citation.written[:80]] = None
    reply = read_boxes(text) if KEY in text else read_boxes("[]")
    matched, others = _matched(reply.boxes[:MOST], list(known.values()))
    refused = reply.refused[:MOST]
    if left := len(reply.boxes) + len(reply.refused) - len(matched) - len(others) - len(refused):
        refused += (f"{left} boxes more than are looked at",)
    return Evidence(tuple(cited), tuple(unknown)[:MOST], tuple(matched), tuple(others), refused)


def _matched(
    given: tuple[NamedBox, ...], objects: list[SceneObject]
) -> tuple[list[tuple[int, NamedBox]], list[NamedBox]]:
    """Boxes with the object that each overlaps most, and those that overlap none enough."""
    matched, others = [], []
    there = [item.box for item in objects]
    for named in given:
        overlaps = boxes.ious([named.box], there)[0]
        best = int(np.argmax(overlaps)) if len(overlaps) else 0
        if len(overlaps) and overlaps[best] >= SAME_IOU:
            matched.append((objects[best].id, named))
        else:
            others.append(named)
    return matched, others
