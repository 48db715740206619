"""What generated rows of maps, boxes and captions say, worked out again from the boxes."""

from __future__ import annotations

import re
from collections import Counter

from generated_answers import CHECKS, PLURAL, Checker, _close, exact_box
from test_referring import is_true

from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.language.box_text import read_boxes
from spatial_vlm_ros.referring import ReferringExpression
from spatial_vlm_ros.simulation.questions import exact
from spatial_vlm_ros.simulation.questions.asker import plural

MARGIN = 0.15 - 1e-6


def local_map(c: Checker, row: Row) -> bool:
    """The cell, by complex numbers: anchor a is at 5 + 5i, b below it."""
    assert re.fullmatch(
        r"The first anchor, A, is at \[5, 5\]\. The second anchor, B, is at \[5, [1-4]\]\. "
        r"In which cell is C\?",
        c.lettered(row),
    ), row
    spacing = 5 - int(re.findall(r"\[5, (\d)\]", row.question)[1])
    a, b, target = (complex(box.x, box.y) for box in c.boxes(row))
    place = 5 + 5j + (target - a) / (b - a) * -1j * spacing
    x, y = map(int, row.answer.strip("[]").split(", "))
    near = abs(place.real - x) <= 0.5 + 1e-4 and abs(place.imag - y) <= 0.5 + 1e-4
    return near and 0 <= x <= 9 and 0 <= y <= 9 and row.targets == (row.refs[2].object,)


def _written(c: Checker, row: Row) -> bool:
    """The boxes of the targets, in their order, each with its category."""
    reply = read_boxes(row.answer)
    items = [c.objects[n] for n in row.targets]
    assert row.boxes == tuple(item.box for item in items) and not reply.refused
    assert [box.label for box in reply.boxes] == [item.category for item in items]
    pairs = zip(reply.boxes, items, strict=True)
    return all(exact_box(said.box, item.box) for said, item in pairs)


_WORDINGS = (
    r"Find (?:all )?(.*)\.",
    r"Which objects? (?:is|are) meant: (?:all )?(.*)\?",
    r"What is the 3D bounding box of this object: (.*)\?",
    r"What are the 3D bounding boxes of all (.*)\?",
    r"Give the bbox_3d of (?:what is described: |every one of the )(.*)\.",
    r"Locate with (?:a )?3D bounding box(?:es)?: (?:all )?(.*)\.",
)


def phrase(row: Row) -> str:
    """What a grounding row means."""
    found = [m for wording in _WORDINGS if (m := re.fullmatch(wording, row.question))]
    assert len(found) == 1, row
    return found[0][1]


def referred(c: Checker, row: Row) -> bool:
    anchors = tuple(ref.object for ref in row.refs)
    expression = ReferringExpression(phrase(row), row.subtask, row.targets[0], anchors)
    if row.subtask == "appearance":
        noun = c.objects[row.targets[0]].category.split(" ")[-1]
        assert all(o.first_seen is not None for o in c.bearers(noun))
    return _written(c, row) and is_true(expression, c.graph, 0.15)


def named(c: Checker, row: Row) -> bool:
    """The only one, all, or none that the phrase fits."""
    text = phrase(row)
    one = text.startswith("the ")
    known = {o.category for o in c.scene.objects}
    nouns = {f"{o.colour} {noun}" for o in c.scene.objects for noun in known} | known
    many = {plural(noun): noun for noun in nouns}
    noun = text.removeprefix("the ") if one else many.get(text, text)
    fitting = tuple(sorted(o.id for o in c.bearers(noun)))
    if row.subtask == "unique":
        assert one and len(fitting) == 1
    if row.subtask == "several":
        assert not one and len(fitting) > 1
    if row.subtask == "none":
        assert row.answer == "[]" and not fitting
    return row.targets == fitting and _written(c, row)


# -- captions --------------------------------------------------------------------------------------


def _counted(c: Checker, text: str) -> Counter[str]:
    """Like "the sofa", "a red mug" and "2 books": what is meant, and how many."""
    said: Counter[str] = Counter()
    for part in re.split(r", | and ", text):
        found = re.fullmatch(r"(?:(an?) |(\d+) )?(.*)", part)
        assert found
        if found[2]:
            nouns = [n for o in c.scene.objects for n in (o.category, f"{o.colour} {o.category}")]
            (noun,) = {n for n in nouns if found[3] in (plural(n), n if n in PLURAL else "")}
            said[noun] += int(found[2])
        else:
            said[found[3]] += 1
    return said


def _fits(c: Checker, text: str, numbers: set[int]) -> bool:
    """Whether a list names exactly these objects."""
    left = set(numbers)
    for noun, count in _counted(c, text).items():
        meant = c.means(noun)
        found = {meant} if meant is not None else {o.id for o in c.bearers(noun)} & left
        if len(found) != count or not found <= left:
            return False
        left -= found
    return not left


def described(c: Checker, row: Row) -> bool:
    """Every sentence, and that there is nothing else."""
    c.lettered(row)
    (ref,) = row.refs
    item, box = c.objects[ref.object], c.objects[ref.object].box
    text = row.answer
    if text.startswith("These are"):
        assert item.category in PLURAL
        assert not re.search(r"\b([Ii]t|Its|This)\b", text)
        text = text.replace("They are", "It is").replace("They stand", "It stands")
        text = text.replace("Their", "Its").replace("them", "it")
    first, *rest = re.findall(r".+?(?:\.(?= [A-Z])|\.$)", text)
    found = re.fullmatch(
        r"(?:This is an?|These are) (.+), ([\d.]+) m long, ([\d.]+) m wide and ([\d.]+) m tall\.",
        first,
    )
    assert found and found[1] in (item.category, f"{item.colour} {item.category}"), first
    assert _close([float(found[k]) for k in (2, 3, 4)], (box.length, box.width, box.height))
    assert ("#" in row.answer) <= ("#" in row.question)
    return all(_sentence(c, ref.object, text.strip()) for text in rest)


def _one(c: Checker, text: str, fits) -> bool:
    """Whether what is named, or one of what "a chair" may be, fits."""
    meant = c.means(text)
    found = [c.objects[meant]] if meant is not None else c.bearers(re.sub("^an? ", "", text))
    return any(fits(o.box) for o in found)


def _sentence(c: Checker, number: int, text: str) -> bool:
    box, floor = c.objects[number].box, c.scene.floor_z
    if found := re.fullmatch(r"It is on (.*)\.", text):
        return _one(c, found[1], lambda other: c.on(box, other))
    if text == "It stands on the floor.":
        return floor is not None and abs(exact.bottom(box) - floor) <= 0.05
    if found := re.fullmatch(r"Its lower edge is ([\d.]+) m above the floor\.", text):
        return floor is not None and _close([float(found[1])], [exact.bottom(box) - floor])
    if found := re.fullmatch(r"It is (under|above) (.*)\.", text):
        above = found[1] == "above"

        def over(other) -> bool:
            apart = exact.outline(box).distance(exact.outline(other))
            return apart <= 0.15 and (
                exact.bottom(box) > exact.top(other) if above else box.z < other.z
            )

        return _one(c, found[2], over)
    if found := re.fullmatch(r"On it (?:is|are) (.*)\.", text):
        return _fits(c, found[1], c.carried(number))
    if found := re.fullmatch(r"It is beside (.*)\.", text):
        near = {o.id for o in c.scene.objects if exact.distance(o.box, box) <= 0.35} - {number}
        return all(
            sum(_one(c, noun, o.box.__eq__) for o in c.things if o.id in near) >= count
            for noun, count in _counted(c, found[1]).items()
        )
    found = re.fullmatch(r"The nearest thing to it is (.*), ([\d.]+) m away\.", text)
    assert found, text
    others = sorted(exact.distance(o.box, box) for o in c.things if o.id != number)
    nearest = lambda other: abs(exact.distance(other, box) - others[0]) < 1e-9  # noqa: E731
    clear = others[1] - others[0] >= MARGIN and _close([float(found[2])], [others[0]])
    return clear and _one(c, found[1], nearest)


def scene_described(c: Checker, row: Row) -> bool:
    first, *rest = re.findall(r".+?(?:\.(?= [A-Z])|\.$)", row.answer)
    found = re.fullmatch(r"Here (?:is|are) (.*)\.", first)
    some = {o.category for o in c.things if o.first_seen is None}
    if any(o.first_seen is not None for o in c.things):  # else nothing is known of it
        assert found and _counted(c, found[1]) == Counter(
            o.category for o in c.things if o.category not in some
        )
    return all(_of_scene(c, text.strip()) for text in rest)


def _of_scene(c: Checker, text: str) -> bool:
    if found := re.fullmatch(r"The floor has ([\d.]+) square metres\.", text):
        return abs(float(found[1]) - (c.scene.floor_area or 0)) <= 0.0501
    if found := re.fullmatch(r"The tallest thing is (.*), ([\d.]+) m\.", text):
        heights = sorted((o.box.height for o in c.things), reverse=True)
        tallest = _one(c, found[1], lambda box: box.height == heights[0])
        return (
            tallest and heights[0] - heights[1] >= MARGIN and _close([float(found[2])], heights[:1])
        )
    found = re.fullmatch(r"On (the .*?) (?:is|are) (.*)\.", text)
    assert found, text
    below = c.means(found[1])
    return below is not None and _fits(c, found[2], c.carried(below))


CHECKS |= {
    **{("spacespan-local-maps", kind): local_map for kind in ("chain", "overlapping")},
    **{
        ("spacespan-grounding", kind): referred for kind in ("proximity", "direction", "appearance")
    },
    **{("spacespan-grounding", kind): named for kind in ("unique", "several", "none")},
    ("spacespan-captions", "object"): described,
    ("spacespan-captions", "scene"): scene_described,
}
