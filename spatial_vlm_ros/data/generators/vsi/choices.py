"""Which of four is nearest, and in which order four appear."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise, permutations

from spatial_vlm_ros.data.generators.vsi.asking import Chooser, Draft, Room, in_turn
from spatial_vlm_ros.referring.proximity import LARGE_MARGIN_M, MARGIN_M

#: First appearances are so many views apart, and this share of all views. A scene has no times, but
#: this share of a recording of half a minute or more is longer than a second.
VIEWS_APART, SHARE_APART = 2, 0.04


def nearest(room: Room, chooser: Chooser) -> Iterator[Draft]:
    """Which of four categories is nearest to an object."""
    margin = LARGE_MARGIN_M if room.large else MARGIN_M
    pending = [_nearest_to(room, chooser, item.category, margin) for item in room.unique]
    yield from in_turn(chooser.shuffled(pending))


def _nearest_to(room: Room, chooser: Chooser, target: str, margin: float) -> Iterator[Draft]:
    item = room.groups[target][0]
    for four in chooser.selections([name for name in room.groups if name != target], 4):
        metres = [room.gap_to(category, item) for category in four]
        apart = min(abs(a - b) for a, b in combinations(metres, 2))
        if apart < margin or min(metres) < MARGIN_M:
            continue
        best = four[metres.index(min(metres))]
        options, letter = chooser.lettered(best, [name for name in four if name != best])
        question = (
            "Measuring from the closest point of each object, which of these objects "
            f"({', '.join(options)}) is the closest to the {target}?"
        )
        if any(len(room.groups[category]) > 1 for category in four):
            question += (
                "\nIf there are multiple instances of an object category, measure to the closest."
            )
        about = (item, *(member for category in options for member in room.groups[category]))
        target_object = min(room.groups[best], key=lambda member: room.gap(member, item))
        yield Draft(question, letter, about, (target_object,), options)


def appearance(room: Room, chooser: Chooser) -> Iterator[Draft]:
    """In which order four categories first appear in the views."""
    first = {
        category: min(item.first_seen for item in members if item.first_seen is not None)
        for category, members in room.groups.items()
        if all(item.first_seen is not None for item in members)
    }
    margin = max(VIEWS_APART, SHARE_APART * len(room.scene.views))
    known: set[frozenset[str]] = set()
    for four in chooser.selections(list(first), 4):
        ordered = sorted(four, key=first.__getitem__)
        gaps = [first[b] - first[a] for a, b in pairwise(ordered)]
        if min(gaps) < margin or frozenset(four) in known:
            continue
        known.add(frozenset(four))
        right = ", ".join(ordered)
        others = [text for way in permutations(ordered) if (text := ", ".join(way)) != right]
        options, letter = chooser.lettered(right, chooser.shuffled(others)[:3])
        question = (
            "What will be the first-time appearance order of the following categories in the "
            f"video: {', '.join(four)}?"
        )
        about = tuple(
            min(room.groups[category], key=lambda item: item.first_seen or 0) for category in four
        )
        targets = tuple(sorted(about, key=lambda item: item.first_seen or 0))
        yield Draft(question, letter, about, targets, options)
