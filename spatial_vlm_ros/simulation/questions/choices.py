"""Questions answered by pointing at objects: closer, first, nearest, which one, go there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from spatial_vlm_ros.simulation.questions.asker import Asker
from spatial_vlm_ros.simulation.truth import TrueObject, TrueQuestion

MARGIN_S = 1.0  # between appearances


def closer(asker: Asker) -> Iterator[TrueQuestion]:
    """Which of two is closer to a third, in one room."""
    for landmark in asker.named:
        for pair in combinations(asker.named, 2):
            best = asker.extreme(pair, landmark, 1)
            if best is None or not landmark.room == pair[0].room == pair[1].room:
                continue
            (first, second), place = map(asker.name, pair), asker.name(landmark)
            for text in (
                f"Which is closer to the {place}: the {first} or the {second}?",
                "Measuring from the closest point of each object, which of these objects "
                f"({first}, {second}) is the closest to the {place}?",
            ):
                yield _pointing(text, "closer", [best], [landmark, *pair], (first, second))


def appearance(asker: Asker) -> Iterator[TrueQuestion]:
    """Which of three came into view first."""
    times = {item.id: asker.sightings.appearance(item.id) for item in asker.named}
    for group in combinations(asker.named, 3):
        spans = [span for item in group if (span := times[item.id])]
        if len(spans) < 3:
            continue
        first = min(range(3), key=spans.__getitem__)
        later = min(span[0] for k, span in enumerate(spans) if k != first)
        if later - spans[first][1] >= MARGIN_S:
            names = tuple(asker.name(item) for item in group)
            text = f"Which appeared first: the {names[0]}, the {names[1]} or the {names[2]}?"
            yield _pointing(text, "appearance", [group[first]], group, names)


def nearest(asker: Asker) -> Iterator[TrueQuestion]:
    """Which of a kind is nearest to a landmark."""
    for category, members, landmark, best in _extremes(asker, 1):
        text = f"Which {category} is nearest to the {asker.name(landmark)}?"
        yield _pointing(text, "nearest", [best], [landmark, *members])


def furthest(asker: Asker) -> Iterator[TrueQuestion]:
    """Which of a kind is furthest from a landmark."""
    for category, members, landmark, best in _extremes(asker, -1):
        text = f"Which {category} is furthest from the {asker.name(landmark)}?"
        yield _pointing(text, "furthest", [best], [landmark, *members])


def find_by_colour(asker: Asker) -> Iterator[TrueQuestion]:
    """Where one of several things of a kind is, told apart by its colour."""
    for item in asker.named:
        if asker.name(item) != item.category:
            yield _pointing(f"Where is the {asker.name(item)}?", "find", [item], [item])


def find_by_place(asker: Asker) -> Iterator[TrueQuestion]:
    """Where one of several things of a kind is, told apart by what it stands on."""
    for item in asker.seen:
        alike = [o for o in asker.truth.objects if o.category == item.category]
        here = [o for o in alike if o.support == item.support]
        if item.support is None or len(alike) == 1 or len(here) > 1:
            continue
        support = asker.truth[item.support]
        if support in asker.named:
            text = f"Where is the {item.category} on the {asker.name(support)}?"
            yield _pointing(text, "find", [item], [item, support])


def go_to_nearest(asker: Asker) -> Iterator[TrueQuestion]:
    """Go to the one of a kind that is nearest a landmark."""
    for category, members, landmark, best in _extremes(asker, 1):
        if all(_on_floor(asker, item) for item in members):
            text = f"Go to the {category} nearest the {asker.name(landmark)}."
            yield _pointing(text, "command", [best], [landmark, *members])


def go_to(asker: Asker) -> Iterator[TrueQuestion]:
    """Go to a thing on the floor."""
    for item in asker.named:
        if _on_floor(asker, item):
            yield _pointing(f"Go to the {asker.name(item)}.", "command", [item], [item])


def _on_floor(asker: Asker, item: TrueObject) -> bool:
    """Whether it stands on the floor, away from which a robot can stop beside it."""
    floor = -asker.truth.T_map_scene[2, 3]
    return bool(item.box.z - item.box.height / 2 < floor + 0.05) and item.category != "door"


def _extremes(
    asker: Asker, sign: int
) -> Iterator[tuple[str, list[TrueObject], TrueObject, TrueObject]]:
    for category, members in asker.groups():
        for landmark in asker.named:
            best = asker.extreme(members, landmark, sign)
            if best:
                yield category, members, landmark, best


def _pointing(
    text: str,
    kind: str,
    objects: list[TrueObject],
    about: list[TrueObject] | tuple[TrueObject, ...],
    choices: tuple[str, ...] = (),
) -> TrueQuestion:
    return TrueQuestion(
        text,
        kind,
        None,
        choices=choices,
        objects=tuple(item.id for item in objects),
        about=tuple(item.id for item in about),
    )
