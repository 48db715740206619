"""Questions with a number for an answer: how many, how far, how long, how large."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from spatial_vlm_ros.simulation.questions.asker import Asker, plural
from spatial_vlm_ros.simulation.truth import TrueQuestion


def counts(asker: Asker) -> Iterator[TrueQuestion]:
    """How many there are of a kind."""
    for category, members in asker.groups():
        about = tuple(item.id for item in members)
        for text in (
            f"How many {category}(s) are in this room?",
            f"How many {plural(category)} are there?",
        ):
            yield TrueQuestion(text, "count", float(len(members)), about=about)


def distances(asker: Asker) -> Iterator[TrueQuestion]:
    """Closest points of two objects."""
    for a, b in combinations(asker.named, 2):
        metres = asker.distance(a.id, b.id)
        if metres < 0.3:
            continue
        tolerance = max(0.15, 0.05 * metres)
        first, second = asker.name(a), asker.name(b)
        for text in (
            "Measuring from the closest point of each object, what is the distance between the "
            f"{first} and the {second} (in meters)?",
            f"How far is the {first} from the {second}?",
        ):
            yield TrueQuestion(text, "distance", metres, "m", tolerance, about=(a.id, b.id))


def sizes(asker: Asker) -> Iterator[TrueQuestion]:
    """The longest side of an object."""
    for item in asker.named:
        longest = 100 * float(item.box.size.max())
        if longest < 30:
            continue
        text = (
            "What is the length of the longest dimension (length, width, or height) of the "
            f"{asker.name(item)}, measured in centimeters?"
        )
        yield TrueQuestion(text, "size", longest, "cm", max(8.0, 0.1 * longest), about=(item.id,))


def room_size(asker: Asker) -> Iterator[TrueQuestion]:
    """Floor area of all rooms."""
    area = sum(room.area for room in asker.truth.rooms)
    text = (
        "What is the size of this room (in square meters)? If multiple rooms are shown, estimate "
        "the size of the combined space."
    )
    yield TrueQuestion(text, "room_size", area, "m2", 0.15 * area)
