"""How far, how long, how large."""

from __future__ import annotations

from dataclasses import replace

from spatial_vlm_ros.reasoning import describe, measure, resolve, scale, units
from spatial_vlm_ros.reasoning.answer import Answer
from spatial_vlm_ros.reasoning.kinds.kind import Asked, Kind, reply, yes_no
from spatial_vlm_ros.reasoning.phrase import ROBOT
from spatial_vlm_ros.reasoning.resolve import Found
from spatial_vlm_ros.reasoning.view import ROBOT_ID, Unclear


def distance(asked: Asked) -> Answer:
    """Metres between the nearest points of two boxes; the robot is a pole under its camera."""
    asked.view.need_metres()
    a, b = _two(asked)
    pairs = [(measure.gap(p, q), p, q) for p in a.objects for q in b.objects if p.id != q.id]
    if not pairs:
        raise Unclear(f"Both are {describe.names(a.objects)}: there is no distance to measure.")
    metres, one, other = min(pairs, key=lambda pair: pair[0])
    if one.id == ROBOT_ID:
        one, other = other, one
    value, unit = _in_unit(metres, asked.wording.unit)
    known = asked.view.scale
    text = f"{describe.name(one)} is {known.said(value, unit)} from {describe.name(other)}"
    text += ", measured between their closest points."
    return reply(
        "distance",
        text,
        value,
        unit=unit,
        spread=known.of(value, unit),
        objects=[one, other],
        based_on=[a, b],
    )


def _two(asked: Asked) -> tuple[Found, Found]:
    """What is measured from and to: one object each, unless the closest of many is meant."""
    gaps, view = asked.gaps, asked.view
    if "pair" in gaps:  # "between the two chairs"
        found = resolve.some(gaps["pair"], view)
        if len(found.objects) != 2:
            raise resolve.ambiguous(gaps["pair"][0].name, found.objects, view)
        return replace(found, objects=found.objects[:1]), replace(found, objects=found.objects[1:])
    if "list" in gaps:
        ends = [[phrase] for phrase in gaps["list"][0]]
        if len(ends) > 2:
            raise Unclear("A distance is between two objects; more are named.")
    else:
        ends = [gaps["a"], gaps.get("b", [ROBOT])]
    a, b = (resolve.place(end, view, several=view.closest_of_many) for end in ends)
    return a, b


def _in_unit(metres: float, unit: str) -> tuple[float, str]:
    unit = units.of_length(unit)
    return units.convert(metres, "m", unit), unit


def size(asked: Asked) -> Answer:
    """A side of an object, the longest where none is named."""
    asked.view.need_metres()
    found = resolve.one(asked.gaps["x"], asked.view)
    item = found.objects[0]
    measured = asked.gaps.get("measure", "longest side")
    box, known = item.box.canonical(), asked.view.scale
    long, wide, high = (known.said(side) for side in (box.length, box.width, box.height))
    if measured == "volume":
        value, unit, shown = box.volume, "m3", known.said(box.volume, "m3", 3)
    else:
        value, unit = _in_unit(measure.side(box, measured), asked.wording.unit)
        shown = known.said(value, unit)
    text = f"the {measured} of {describe.name(item)} is {shown}: "
    text += f"it is {long} long, {wide} wide and {high} high."
    spread = known.of(value, unit)
    return reply("size", text, value, unit=unit, spread=spread, objects=[item], based_on=[found])


def room_size(asked: Asked) -> Answer:
    """Square metres of known floor."""
    asked.view.need_metres()
    floor = asked.view.scene.floor
    if floor is None or not floor.seen.any():
        raise Unclear("I have seen no floor yet, so I cannot tell how large the room is.")
    area = measure.room_area(floor, asked.view.objects)
    unit = asked.wording.unit if asked.wording.unit in units.AREAS else "m2"
    value = units.convert(area, "m2", unit)
    said = "square metres" if unit == "m2" else "square feet"
    spread = asked.view.scale.of(value, unit)
    shown = scale.said(value, said, spread, 1)
    text = f"The floor I know, with what stands on it, is {shown}."
    return reply("room_size", text, value, unit=unit, spread=spread)


def limit(asked: Asked) -> Answer:
    """Whether a side of an object, or how far it is, is more or less than a length."""
    asked.view.need_metres()
    wanted, known = asked.gaps["length"], asked.view.scale
    if "more" in asked.gaps:
        found = [resolve.one(asked.gaps["x"], asked.view)]
        item, (measured, sign) = found[0].objects[0], asked.gaps["more"]
        if measured not in ("length", "width", "height"):
            raise Unclear("Longer, wider, taller? I need to know which side to measure.")
        value = measure.side(item.box, measured)
        true = sign * (value - wanted) > 0
        said = f"the {measured} of {describe.name(item)}"
    else:
        found = list(_two(asked))
        item, other = (f.objects[0] for f in found)
        value = measure.gap(item, other)
        true = asked.gaps["bound"](value, wanted)
        said = f"the distance from {describe.name(item)} to {describe.name(other)}"
    why, open_yet = f"{said} is {known.said(value)}.", bool(known.leaves_open(value, wanted))
    return yes_no(
        "compare",
        true,
        why,
        objects=[item],
        based_on=found,
        sureness=0.5 if open_yet or abs(value - wanted) < measure.CLOSE_M else 1.0,
        doubts=[f"it may be otherwise: {known.known}"] if open_yet else (),
    )


KINDS = (
    Kind(
        "compare",
        limit,
        "is|are {x} {more:more} than {length:length}",
        "is|are|am {a} {bound:bound} {length:length} away? from|of {b}",
        "is|are {a} {bound:bound} {length:length} away",
    ),
    Kind(
        "room_size",
        room_size,
        "how big|large is the|this room|house|apartment|flat|space|place|area|floor|scene here?",
        "what_is? the? size|area|floor_area|surface|surface_area|floor_space here",
        "what_is|how_much? the? total? floor_area|floor_space|room_size is? there? here?",
        "what_is? the? size|area|floor_area of the|this room|house|space|floor|rooms here?",
        "how_many square_meters is|are|has|does|do the|this? room|here|floor have?",
    ),
    Kind(
        "distance",
        distance,
        "how far|distant away? is|are|am {a} away? from|to {b}",
        "how close|near is|are|am {a} to {b}",
        "how far away? is_it|from from? {a} is|to {b}",
        "how far away? is_it to|from {a} from_here?",
        "how far apart is|are {list:list}",
        "how far is|are {list:list} apart|away",
        "how far apart is|are {pair}",
        "what|what_is? the? shortest|minimum|closest? distance|gap|separation|space is? there? "
        "between {list:list}",
        "what_is? the? shortest|minimum|closest? distance|gap|separation|space between {pair}",
        "what_is? the? shortest|minimum|closest? distance from|of|to {a} to|from {b}",
        "what_is? the? distance to {a}",
        "how_much space|room|distance is there? between {list:list}",
        "how far is|are? there|it? between {list:list}",
        "how far|distant away? is|are {a} away?",
    ),
    Kind(
        "size",
        size,
        "what_is? the? length of? the? longest|largest|biggest dimension|side|edge "
        "length? width? or? height? of {x}",
        "how {measure:measure} is|are {x}",
        "what_is? the? {measure:measure} of {x}",
        "what_is? {x} s {measure:measure}",
        "how long is the? longest|largest|biggest side|edge|dimension of {x}",
        "what {measure:measure} is|are|has {x}",
    ),
)
