"""Questions with a number for an answer: how many, how far, how long, how large."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from spatial_vlm_ros.data.generators.vsi.asking import Chooser, Draft, Room

#: Nearer things are not asked how far apart they are [m].
APART = 0.2
#: Shorter things are not asked about [m].
LONG = 0.05


def counts(room: Room, chooser: Chooser) -> Iterator[Draft]:
    """How many there are of a category, two or more."""
    several = [name for name, members in room.groups.items() if len(members) >= 2]
    for category in chooser.shuffled(several):
        members = room.groups[category]
        question = f"How many {category}(s) are in this room?"
        yield Draft(question, str(len(members)), members, members)


def distances(room: Room, chooser: Chooser) -> Iterator[Draft]:
    """Metres between the closest points of two objects."""
    for pair in chooser.shuffled(list(combinations(room.unique, 2))):
        a, b = chooser.shuffled(pair)
        metres = room.gap(a, b)
        if metres >= APART:
            question = (
                "Measuring from the closest point of each object, what is the distance between "
                f"the {a.category} and the {b.category} (in meters)?"
            )
            yield Draft(question, f"{metres:.1f}", (a, b))


def sizes(room: Room, chooser: Chooser) -> Iterator[Draft]:
    """Centimetres of an object's longest side."""
    for item in chooser.shuffled(room.unique):
        longest = float(item.box.size.max())
        if longest >= LONG:
            question = (
                "What is the length of the longest dimension (length, width, or height) of the "
                f"{item.category}, measured in centimeters?"
            )
            yield Draft(question, str(round(100 * longest)), (item,))


def room_size(room: Room, chooser: Chooser) -> Iterator[Draft]:
    """Square metres of floor, where the scene tells them."""
    if room.scene.floor_area:
        question = (
            "What is the size of this room (in square meters)? If multiple rooms are shown, "
            "estimate the size of the combined space."
        )
        yield Draft(question, f"{room.scene.floor_area:.1f}")
