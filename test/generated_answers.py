"""Answers of generated rows, worked out again from the boxes: shares no code with the generators.

Mentions of objects in a question are replaced by letters, A for the first of its ``refs``, and what
is left is read by patterns. Distances and areas are shapely's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import cache, cached_property

from spatial_vlm_ros.data.generators.graph import scene_graph
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.scenes import AnnotatedObject, AnnotatedScene
from spatial_vlm_ros.language.box_text import read_boxes
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.graph import SceneGraph
from spatial_vlm_ros.simulation.questions import exact
from spatial_vlm_ros.simulation.questions.asker import plural

MARGIN = 0.15 - 1e-6
DEGREES = 10 - 1e-6
ORIGIN = Box(0, 0, 0, 0, 0, 0, 0)
AHEAD = Box(1, 0, 0, 0, 0, 0, 0)
LETTERS = "ABCDE"


#: Categories of test scenes that are plurals.
PLURAL = ("books", "clothes", "stairs", "shelves")
_NO_THINGS = ("wall", "floor", "ceiling", "object", "unknown")


class Checker:
    """What is true of one scene."""

    def __init__(self, scene: AnnotatedScene) -> None:
        self.scene = scene
        self.objects = {item.id: item for item in scene.objects}
        self.things = [o for o in scene.objects if o.category not in _NO_THINGS]
        self.things = [o for o in self.things if min(o.box.height, o.box.width) > 0.005]

    @cached_property
    def graph(self) -> SceneGraph:
        """For code that reads graphs."""
        return scene_graph(self.scene)

    # -- names ------------------------------------------------------------------------------------

    def bearers(self, noun: str) -> list[AnnotatedObject]:
        """Objects of this category, or of a sort of it, in the colour said first."""
        whole = [o for o in self.scene.objects if _is_a(o.category, noun)]
        colour, _, rest = noun.partition(" ")
        return whole or [
            o for o in self.scene.objects if o.colour == colour and _is_a(o.category, rest)
        ]

    def ways(self, number: int) -> list[str]:
        """All that means this object and no other."""
        item = self.objects[number]
        said = [f"#{number}", f"the {item.category} (#{number})"]
        for phrase in (item.category, f"{item.colour} {item.category}"):
            if [o.id for o in self.bearers(phrase)] == [number]:
                said.append(f"the {phrase}")
        return said

    def means(self, text: str) -> int | None:
        """The object that a text names."""
        return next((n for n in self.objects if text in self.ways(n)), None)

    def lettered(self, row: Row) -> str:
        """The question with letters for what it names; every ref must be named in it, or be an
        option, and nothing else.
        """
        text = row.question
        ways = [(way, k) for k, ref in enumerate(row.refs) for way in self.ways(ref.object)]
        for way, k in sorted(ways, key=lambda item: -len(item[0])):
            text = re.sub(rf"(?<!\w){re.escape(way)}(?![\w]| \(#)", LETTERS[k], text)
        options = {self.means(option) for option in row.options}
        for k, ref in enumerate(row.refs):
            assert LETTERS[k] in text or ref.object in options, (row, text)
        assert "#" not in text, (row, text)
        return text

    def boxes(self, row: Row) -> list[Box]:
        return [self.objects[ref.object].box for ref in row.refs]

    # -- geometry ---------------------------------------------------------------------------------

    def on(self, a: Box, b: Box) -> bool | None:
        """Resting on its top or on a board of it; None where that may be disputed."""
        return _on(a, b)

    def carried(self, number: int) -> set[int]:
        """What clearly rests on an object, or on what rests on it."""
        found: set[int] = set()
        new = {number}
        while new:
            new = {
                o.id
                for o in self.things
                for n in new
                if o.id not in found | {n, number} and self.on(o.box, self.objects[n].box)
            }
            found |= new
        return found


@cache
def _on(a: Box, b: Box) -> bool | None:
    apart = exact.distance(a, b)
    shared = exact.outline(a).intersection(exact.outline(b)).area
    over = shared >= 0.5 * min(exact.outline(a).area, exact.outline(b).area)
    seat = exact.bottom(b) + 0.12
    if over and apart <= 0.05 and seat <= exact.bottom(a) <= exact.top(b) + 0.05:
        return True
    low = exact.bottom(a) <= exact.bottom(b) + 0.05
    return False if apart >= MARGIN or low else None


def _is_a(category: str, noun: str) -> bool:
    return bool(noun) and (category == noun or category.endswith(f" {noun}"))


def _so(row: Row) -> bool:
    assert row.answer in ("yes", "no")
    return row.answer == "yes"


def _option(row: Row) -> str:
    return row.options["ABCD".index(row.answer)]


def _two_decimals(text: str) -> list[float]:
    found = re.findall(r"-?\d+\.\d\d(?!\d)", text)
    assert found and "-0.00" not in found, text
    return [float(number) for number in found]


def _close(said: Sequence[float], true: Sequence[float], by: float = 0.00501) -> bool:
    return len(said) == len(true) and all(abs(x - y) <= by for x, y in zip(said, true, strict=True))


# -- identifiers -----------------------------------------------------------------------------------


def category(c: Checker, row: Row) -> bool:
    (ref,) = row.refs
    said = _option(row) if row.options else row.answer
    others = [option for option in row.options if option != said]
    own = c.objects[ref.object].category
    return said == own and not any(_is_a(own, o) or _is_a(o, own) for o in others)


def categories(c: Checker, row: Row) -> bool:
    """Each number once, in the order asked."""
    found = re.fullmatch(
        r"(?:What are|Say what each of these is:|Name these:) (#\d+(?:, #\d+)+)[.?]", row.question
    )
    assert found, row
    ids = [int(number) for number in re.findall(r"\d+", found[1])]
    assert 2 <= len(ids) == len(set(ids)) <= 12 and [ref.object for ref in row.refs] == ids
    return row.answer == ", ".join(f"#{n} {c.objects[n].category}" for n in ids)


def is_category(c: Checker, row: Row) -> bool:
    found = re.fullmatch(r"Is A (an? |)(.+)\?", c.lettered(row))
    assert found, row
    article = "" if found[2] in PLURAL else "an " if found[2][0] in "aeiou" else "a "
    assert found[1] == article
    return _so(row) == _is_a(c.objects[row.refs[0].object].category, found[2])


def number(c: Checker, row: Row) -> bool:
    found = re.search(r"the (?!number)(.+?)(?: have| known)?\?", row.question)
    assert found, row
    (item,) = c.bearers(found[1])
    return row.answer == f"#{item.id}" and row.targets == (item.id,)


def _plural_bearers(c: Checker, question: str) -> list[AnnotatedObject]:
    nouns = {o.category for o in c.scene.objects}
    known = {noun if noun in PLURAL else plural(noun): noun for noun in nouns}
    fitting = [many for many in known if re.search(rf"\b{many}\b", question)]
    return c.bearers(known[max(fitting, key=len)]) if fitting else []


def numbers(c: Checker, row: Row) -> bool:
    ids = sorted(o.id for o in _plural_bearers(c, row.question))
    return row.answer == (", ".join(f"#{n}" for n in ids) or "none") and list(row.targets) == ids


def count(c: Checker, row: Row) -> bool:
    return row.answer == str(len(_plural_bearers(c, row.question)))


# -- coordinates -----------------------------------------------------------------------------------


def centre(c: Checker, row: Row) -> bool:
    c.lettered(row)
    (box,) = c.boxes(row)
    return _close(_two_decimals(row.answer), (box.x, box.y, box.z))


def size(c: Checker, row: Row) -> bool:
    c.lettered(row)
    (box,) = c.boxes(row)
    return _close(_two_decimals(row.answer), (box.length, box.width, box.height))


def bounding_box(c: Checker, row: Row) -> bool:
    c.lettered(row)
    reply = read_boxes(row.answer)
    (said,), (box,) = reply.boxes, c.boxes(row)
    assert said.label == c.objects[row.refs[0].object].category and row.boxes == (box,)
    return not reply.refused and exact_box(said.box, box)


def exact_box(said: Box, true: Box) -> bool:
    """The same to the rounding: yaw may have jumped from one end of its range to the other."""
    turned = abs((said.yaw - true.yaw + math.pi / 2) % math.pi - math.pi / 2)
    return _close(said.to_tuple()[:6], true.to_tuple()[:6]) and turned <= 0.0101


def side(c: Checker, row: Row) -> bool:
    words = {"tall": "height", "long": "length", "wide": "width"}
    found = re.search("tall|long|wide|height|length|width", c.lettered(row))
    assert found
    (box,) = c.boxes(row)
    return _close(_two_decimals(row.answer), [getattr(box, words.get(found[0], found[0]))])


def above_floor(c: Checker, row: Row) -> bool:
    (box,), text = c.boxes(row), c.lettered(row)
    assert c.scene.floor_z is not None
    z = box.z
    z = exact.top(box) if "the top" in text else exact.bottom(box) if "lower edge" in text else z
    return _close(_two_decimals(row.answer), [max(z - c.scene.floor_z, 0.0)])


def away(c: Checker, row: Row) -> bool:
    c.lettered(row)
    (box,) = c.boxes(row)
    return _close(_two_decimals(row.answer), [math.hypot(box.x, box.y, box.z)])


def cell(c: Checker, row: Row) -> bool:
    c.lettered(row)
    (box,) = c.boxes(row)
    x, y = map(int, row.answer.strip("[]").split(", "))
    return abs(box.x - x) <= 0.4501 and abs(box.y - y) <= 0.4501


def at_place(c: Checker, row: Row) -> bool:
    place = _two_decimals(row.question)
    gaps = sorted((math.dist(o.box.center, place), o.id) for o in c.scene.objects)
    assert all(c.means(said) == gaps[0][1] for said in (row.answer, *row.accepted))
    return row.targets == (gaps[0][1],) and gaps[1][0] - gaps[0][0] >= MARGIN


# -- relations -------------------------------------------------------------------------------------


def on(c: Checker, row: Row) -> bool:
    c.lettered(row)
    return c.on(*c.boxes(row)) is _so(row)


def under(c: Checker, row: Row) -> bool:
    c.lettered(row)
    a, b = c.boxes(row)
    shared = exact.outline(a).intersection(exact.outline(b)).area
    if _so(row):
        return shared >= 0.5 * exact.outline(a).area and exact.bottom(a) < b.z
    return exact.outline(a).distance(exact.outline(b)) >= MARGIN


def above(c: Checker, row: Row) -> bool:
    c.lettered(row)
    a, b = c.boxes(row)
    apart = exact.outline(a).distance(exact.outline(b))
    higher = exact.bottom(a) - exact.top(b)
    return higher >= MARGIN and apart <= 0.15 if _so(row) else apart >= 2 * MARGIN


def beside(c: Checker, row: Row) -> bool:
    c.lettered(row)
    a, b = c.boxes(row)
    apart = exact.distance(a, b)
    common = min(exact.top(a), exact.top(b)) - max(exact.bottom(a), exact.bottom(b))
    return apart <= 0.35 and common > 0 if _so(row) else apart >= 0.65 - 1e-6


def supporter(c: Checker, row: Row) -> bool:
    c.lettered(row)
    (box,) = c.boxes(row)
    below = [o.id for o in c.things if o.box != box and c.on(box, o.box)]
    if row.answer == "the floor":
        assert c.scene.floor_z is not None
        return not below and not row.targets and abs(exact.bottom(box) - c.scene.floor_z) <= 0.05
    assert {c.means(said) for said in (row.answer, *row.accepted)} == set(row.targets)
    highest = max(below, key=lambda n: exact.top(c.objects[n].box))
    return row.targets == (highest,)


def carried(c: Checker, row: Row) -> bool:
    c.lettered(row)
    (ref,) = row.refs
    true = c.carried(ref.object)
    said = {c.means(name) for name in re.split(", | and ", row.answer)} - {None}
    if row.answer == "nothing":
        assert not row.targets
    return set(row.targets) == said == true


def carried_count(c: Checker, row: Row) -> bool:
    c.lettered(row)
    (ref,) = row.refs
    return row.answer == str(len(c.carried(ref.object)))


def place(c: Checker, row: Row) -> bool:
    c.lettered(row)
    a, b = c.boxes(row)
    higher, lower = exact.bottom(a) - exact.top(b), exact.bottom(b) - exact.top(a)
    apart = exact.outline(a).distance(exact.outline(b))
    shared = exact.outline(a).intersection(exact.outline(b)).area
    on_it = c.on(a, b) or c.on(b, a)
    within = shared >= 0.6 * exact.outline(a).area and exact.bottom(a) < b.z
    beneath = c.on(b, a) or (apart <= 0.15 and lower >= MARGIN) or within
    return {
        "on": c.on(a, b) is True,
        "under": bool(beneath),
        "above": apart <= 0.15 and higher >= MARGIN,
        "beside": exact.distance(a, b) <= 0.35 and higher < 0 > lower and not on_it,
    }[_option(row)]


_MEASURES: dict[str, Callable[[Box], tuple[float, ...]]] = {
    "taller": lambda b: (b.height,),
    "longer": lambda b: (max(b.length, b.width),),
    "larger": lambda b: (math.log(b.length * b.width * b.height),),
    "higher": lambda b: (b.z, exact.top(b), exact.bottom(b)),
}
_OPPOSITE = {"shorter": "taller", "smaller": "larger", "lower": "higher"}


def _ahead(word: str, a: Box, b: Box) -> bool:
    """Whether a has clearly more of it."""
    if word in _OPPOSITE:
        return _ahead(_OPPOSITE[word], b, a)
    margin = math.log(1.5) - 1e-9 if word == "larger" else MARGIN
    return all(x - y >= margin for x, y in zip(_MEASURES[word](a), _MEASURES[word](b), strict=True))


def comparison(c: Checker, row: Row) -> bool:
    found = re.fullmatch(r"Is A (\w+) than B\?", c.lettered(row))
    assert found, row
    a, b = c.boxes(row)
    return _ahead(found[1], a, b) if _so(row) else _ahead(found[1], b, a)


def superlative(c: Checker, row: Row) -> bool:
    found = re.fullmatch(r"Which of these objects is the (\w+)\?", row.question)
    assert found
    word = found[1].removesuffix("est") + "er"
    ids = [c.means(option) for option in row.options]
    assert None not in ids and len(set(ids)) == len(ids)
    best = c.objects[ids["ABCD".index(row.answer)]].box
    rest = [c.objects[n].box for n in ids if n != ids["ABCD".index(row.answer)]]
    return all(_ahead(word, best, other) for other in rest)


def nearer(c: Checker, row: Row) -> bool:
    found = re.fullmatch(r"Is A (closer to|nearer to|farther from) C than B\?", c.lettered(row))
    assert found, row
    a, b, anchor = c.boxes(row)
    ahead = exact.distance(b, anchor) - exact.distance(a, anchor)
    sign = (-1 if found[1] == "farther from" else 1) * (1 if _so(row) else -1)
    return sign * ahead >= MARGIN


def nearest(c: Checker, row: Row) -> bool:
    found = re.fullmatch(
        r"Which of these objects is the (closest to|farthest from) A\?", c.lettered(row)
    )
    assert found, row
    anchor = c.boxes(row)[0]
    sign = 1 if found[1] == "closest to" else -1
    gaps = {o: sign * exact.distance(c.objects[c.means(o)].box, anchor) for o in row.options}
    own = gaps.pop(_option(row))
    return min(gaps.values()) - own >= MARGIN


def same_category(c: Checker, row: Row) -> bool:
    a, b = (c.objects[ref.object].category for ref in row.refs)
    return (a == b) is _so(row)


def same_colour(c: Checker, row: Row) -> bool:
    a, b = (c.objects[ref.object].colour for ref in row.refs)
    return bool(a and b) and (a == b) is _so(row)


def standing(c: Checker, row: Row) -> bool:
    c.lettered(row)
    a, b, target = c.boxes(row)
    degrees = exact.bearing(a, b, target)
    clear = DEGREES <= abs(degrees) <= 180 - DEGREES
    clear &= min(exact.level_distance(a, b), exact.level_distance(a, target)) >= 0.5 - 1e-6
    return clear and row.answer == ("left" if degrees > 0 else "right")


def quadrants(c: Checker, row: Row) -> bool:
    c.lettered(row)
    degrees = exact.bearing(*c.boxes(row))
    said = f"{'front' if abs(degrees) < 90 else 'back'}-{'left' if degrees > 0 else 'right'}"
    clear = min(abs(abs(degrees) - border) for border in (0, 90, 180)) >= DEGREES
    return clear and _option(row) == said


def seen(c: Checker, row: Row) -> bool:
    c.lettered(row)
    a, b = c.boxes(row)
    degrees = exact.bearing(ORIGIN, b, a)
    in_view = all(abs(exact.bearing(ORIGIN, AHEAD, box)) <= 60.01 for box in (a, b))
    return (
        in_view and abs(degrees) >= DEGREES and row.answer == ("left" if degrees > 0 else "right")
    )


def depth(c: Checker, row: Row) -> bool:
    c.lettered(row)
    a, b = c.boxes(row)
    in_view = all(abs(exact.bearing(ORIGIN, AHEAD, box)) <= 60.01 for box in (a, b))
    nearer = exact.level_distance(ORIGIN, a) < exact.level_distance(ORIGIN, b)
    apart = exact.outline(a).distance(exact.outline(b)) >= MARGIN
    return in_view and apart and row.answer == ("in front" if nearer else "behind")


def between(c: Checker, row: Row) -> bool:
    text = c.lettered(row)
    assert re.fullmatch(r"(Is|Does) C (lie )?between A and B\?", text), text
    a, b, target = c.boxes(row)
    share, off = exact.between(a, b, target)
    if not _so(row):
        return off >= max(0.25, *(_half_breadth(box, a, b) for box in (a, b, target))) + MARGIN
    half_a, half_b = (_half_breadth(box, a, b) for box in (a, b))
    breadth = max(0.25, (1 - share) * half_a + share * half_b)
    over = [exact.outline(box).intersects(exact.outline(target)) for box in (a, b)]
    return 0.2 <= share <= 0.8 and off <= breadth - MARGIN and not any(over)


def _half_breadth(box: Box, a: Box, b: Box) -> float:
    """How far its corners are off its middle across the way from a to b."""
    corners = exact.outline(box).exterior.coords
    moved = [Box(x - box.x + a.x, y - box.y + a.y, 0, 0, 0, 0, 0) for x, y in corners]
    return max(exact.between(a, b, corner)[1] for corner in moved)


CHECKS: dict[tuple[str, str], Callable[[Checker, Row], bool]] = {
    ("spacespan-identifiers", "category"): category,
    ("spacespan-identifiers", "categories"): categories,
    ("spacespan-identifiers", "category_choice"): category,
    ("spacespan-identifiers", "is_category"): is_category,
    ("spacespan-identifiers", "number"): number,
    ("spacespan-identifiers", "numbers"): numbers,
    ("spacespan-identifiers", "count"): count,
    **{
        ("spacespan-coordinates", check.__name__): check
        for check in (centre, size, bounding_box, side, above_floor, away, cell, at_place)
    },
    **{
        ("spacespan-relations", check.__name__): check
        for check in (
            *(on, under, above, beside, supporter, carried, carried_count, place, nearer, nearest),
            *(same_category, same_colour, standing, quadrants, seen, depth, between),
        )
    },
    **{("spacespan-relations", word): comparison for word in _MEASURES},
    **{
        ("spacespan-relations", word): superlative
        for word in ("tallest", "longest", "largest", "highest")
    },
}
