"""Where in the scene frame, in numbers: centres, boxes, heights, and what is at a place."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from spatial_vlm_ros.language.box_text import NamedBox, write_boxes
from spatial_vlm_ros.language.decimals import listed
from spatial_vlm_ros.reasoning import describe, ranking, resolve, units
from spatial_vlm_ros.reasoning.answer import Answer
from spatial_vlm_ros.reasoning.kinds.categories import meant
from spatial_vlm_ros.reasoning.kinds.kind import Asked, Kind, reply
from spatial_vlm_ros.reasoning.resolve import Found
from spatial_vlm_ros.reasoning.view import Unclear
from spatial_vlm_ros.scene.graph import SceneObject

#: Metres that the centre of what is "at" a place may be away from it.
AT_M = 0.5
#: Metres from the border of a cell within which a centre may as well be in the next one.
CELL_MARGIN_M = 0.05


def centre(asked: Asked) -> Answer:
    """x, y and z of the middle of its box."""
    item, found = _one(asked)
    frame = " in the scene frame,"
    return _numbers("coordinates", "the centre", item, item.box.center, frame, found, asked)


def dimensions(asked: Asked) -> Answer:
    """Length, width and height."""
    item, found = _one(asked)
    return _numbers("dimensions", "the size", item, item.box.canonical().size, "", found, asked)


def _one(asked: Asked) -> tuple[SceneObject, Found]:
    asked.view.need_metres()
    found = resolve.one(asked.gaps["x"], asked.view)
    return found.objects[0], found


def _numbers(
    kind: str,
    what: str,
    item: SceneObject,
    values: Iterable[float],
    frame: str,
    found: Found,
    asked: Asked,
) -> Answer:
    unit = units.of_length(asked.wording.unit)
    in_unit = [units.convert(float(value), "m", unit) for value in values]
    value = listed(in_unit)
    text = f"{what} of {describe.name(item)} is {value}{frame} in {unit}."
    return reply(kind, text, value, objects=[item], based_on=[found], doubts=_doubts(asked))


def _doubts(asked: Asked) -> list[str]:
    """Of numbers that are said without a spread."""
    return [asked.view.scale.known] if asked.view.scale.spread else []


def cell(asked: Asked) -> Answer:
    """The nearest whole metres, x and y."""
    item, found = _one(asked)
    place = item.box.center[:2]
    value = str([round(number) for number in place.tolist()])
    near_border = float(np.abs(place - np.round(place)).max()) > 0.5 - CELL_MARGIN_M
    return reply(
        "coordinates",
        f"the centre of {describe.name(item)} is in cell {value}.",
        value,
        objects=[item],
        based_on=[found],
        sureness=0.5 if near_border else 1.0,
        doubts=_doubts(asked),
    )


def boxes(asked: Asked) -> Answer:
    """Centre, size and yaw as JSON, of one or of several; [] where nothing fits."""
    asked.view.need_metres()
    if asked.wording.unit not in ("", "m"):
        raise Unclear("I write boxes in metres only.")
    found = meant(asked.gaps["x"], asked.view)
    value = write_boxes([NamedBox(item.box, item.label) for item in found.objects])
    text = f"{describe.names(found.objects)}: {value}" if found.objects else found.why_none
    doubts = _doubts(asked)
    return reply("box", text, value, objects=found.objects, based_on=[found], doubts=doubts)


def above_floor(asked: Asked) -> Answer:
    """Height of its top, lower edge or centre over the floor."""
    item, found = _one(asked)
    floor = asked.view.scene.floor
    if floor is None:
        raise Unclear("I have seen no floor yet.")
    height = max(float(getattr(item.box, asked.gaps["part"])) - floor.z, 0.0)
    part = {"top": "top", "bottom": "lower edge", "z": "centre"}[asked.gaps["part"]]
    return _length(height, f"the {part} of", "above the floor", item, found, asked)


def away(asked: Asked) -> Answer:
    """Metres from where the first camera was, the origin of the scene frame, to its centre."""
    item, found = _one(asked)
    metres = float(np.linalg.norm(item.box.center))
    return _length(metres, "the centre of", "from where the first camera was", item, found, asked)


def _length(
    metres: float, what: str, where: str, item: SceneObject, found: Found, asked: Asked
) -> Answer:
    unit = units.of_length(asked.wording.unit)
    value, known = units.convert(metres, "m", unit), asked.view.scale
    text = f"{what} {describe.name(item)} is {known.said(value, unit)} {where}."
    spread = known.of(value, unit)
    return reply(
        "distance", text, value, unit=unit, spread=spread, objects=[item], based_on=[found]
    )


def at_place(asked: Asked) -> Answer:
    """Which object has its centre nearest to a place."""
    asked.view.need_metres()
    unit = units.of_length(asked.wording.unit)
    items, place = asked.view.objects, np.array(asked.gaps["place"]) * units.LENGTHS[unit]
    if not items:
        raise Unclear("I have seen nothing yet.")
    gaps = np.array([np.linalg.norm(item.box.center - place) for item in items])
    best = ranking.chosen(gaps, -1, 1, 1)
    item, metres = items[int(best[0])], float(gaps[best[0]])
    if "at" in asked.gaps and metres > AT_M:
        raise Unclear(f"I know nothing there: {describe.name(item)} is {metres:.2f} m away.")
    sureness = ranking.sureness(gaps, best, "distance")
    text = f"{describe.name(item)}: its centre is {metres:.2f} m away.{describe.almost(sureness)}"
    based_on = [Found((item,), sureness=sureness)]
    return reply(
        "coordinates",
        text,
        f"#{item.id}",
        objects=[item],
        based_on=based_on,
        doubts=_doubts(asked),
    )


_CENTRE = "the? centre|center|middle of {x}"
_FIRST_CAMERA = "the_first_camera|the_origin"
_BOX = "3d? bounding_box|bbox|bbox_3d|3d_box|bounding_boxes|3d_boxes"
_OF = "of|for every_one_of|this_object|these_objects|what_is_described?"

KINDS = (
    Kind(
        "coordinates",
        centre,
        f"at_which x y z is|are {_CENTRE}",
        f"where is {_CENTRE} as x y z",
        "give|what_is? the? position|place|location|coordinates|centre|center of {x} here? "
        "as x y z",
    ),
    Kind(
        "coordinates",
        cell,
        f"to_the_nearest metre|meter at_which x y is {_CENTRE}",
        "on_a_floor_plan with_cells_of one|a|1 metre|meter 0 0 being at the_first_camera "
        f"in_which_cell x y is {_CENTRE}",
    ),
    Kind(
        "dimensions",
        dimensions,
        "what_are|what_is|give? the? dimensions|measurements|size of {x} as? length width height",
        "what_are|what_is|give? the? dimensions|measurements of {x}",
        "what_are|what_is|give? the? length width and? height of {x}",
        "what_are|what_is|give? the? length width and? height of {x} as l w h",
        "how large|big is|are {x} as length width height",
    ),
    Kind(
        "box",
        boxes,
        f"give|what_is|what_are? the? {_BOX} {_OF} {{x:several}}",
        f"give|what_is|what_are? the? {_BOX} {_OF} {{x:several}} centre|center size and? yaw",
        f"locate with a? {_BOX} {{x:several}}",
    ),
    Kind(
        "distance",
        above_floor,
        "how far|high above the? floor|ground is|are the? {part:part} of {x}",
    ),
    Kind(
        "distance",
        away,
        f"how far away? is {_CENTRE} from {_FIRST_CAMERA}",
        f"what_is? the? distance from 0 0 0 to {_CENTRE}",
    ),
    Kind(
        "coordinates",
        at_place,
        "what|which object|thing? is {at:at} {place:place}",
        "what|which object|thing has its|the centre|center|middle nearest|closest to? "
        "{place:place}",
        "the? centre|center|middle of which object|thing is nearest|closest to? {place:place}",
    ),
)
