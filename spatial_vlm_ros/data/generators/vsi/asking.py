"""What of a scene may be asked about without doubt of what is meant, and how options are lettered.

An object is asked about where a view shows it well. Where a scene tells that of no object, all
count as shown. A category is asked about when all of its objects are, for who counts them or
names "the chair" means every one there is.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.data.generators.graph import SURROUNDINGS
from spatial_vlm_ros.data.scenes import AnnotatedObject, AnnotatedScene
from spatial_vlm_ros.referring.proximity import LARGE_M2
from spatial_vlm_ros.scene import box as boxes

_Item = TypeVar("_Item")

#: Labels that no question names: of the room itself, of its parts, of what nobody could name.
NOT_ASKED = SURROUNDINGS | {
    *("structure", "beam", "pillar", "column", "ledge", "baseboard", "reflection", "clutter"),
    *("door frame", "doorframe", "window frame", "window sill", "windowsill"),
    *("objects", "item", "stuff", "none", ""),
}

#: More ordered choices than this are drawn at random instead of listed.
LISTED = 5000


class Draft(NamedTuple):
    """A question, its answer (with options their letter), what it names and what it means."""

    question: str
    answer: str
    about: tuple[AnnotatedObject, ...] = ()
    targets: tuple[AnnotatedObject, ...] = ()
    options: tuple[str, ...] = ()


class Room:
    """A scene as a questioner sees it.

    groups: objects by category, of categories that may be asked about. unique: objects that their
    category names alone.
    """

    def __init__(self, scene: AnnotatedScene) -> None:
        self.scene = scene
        groups: dict[str, list[AnnotatedObject]] = defaultdict(list)
        for item in scene.objects:
            groups[item.category].append(item)
        told = any(item.first_seen is not None for item in scene.objects)
        self.groups = {
            category: tuple(members)
            for category, members in groups.items()
            if category not in NOT_ASKED
            and not any(other.endswith(f" {category}") for other in groups)  # "office chair"
            and (not told or all(item.first_seen is not None for item in members))
        }
        self.unique = tuple(members[0] for members in self.groups.values() if len(members) == 1)
        every = [item for members in self.groups.values() for item in members]
        self._row = {item.id: row for row, item in enumerate(every)}
        self._gaps = boxes.distances(*[[item.box for item in every]] * 2)

    def gap(self, a: AnnotatedObject, b: AnnotatedObject) -> float:
        """Metres between the nearest points of two objects' boxes."""
        return float(self._gaps[self._row[a.id], self._row[b.id]])

    def gap_to(self, category: str, item: AnnotatedObject) -> float:
        """Metres from an object to the nearest of a category."""
        return min(self.gap(member, item) for member in self.groups[category])

    @property
    def large(self) -> bool:
        """Whether it is so large that distances are harder to tell; by its boxes, if need be."""
        area = self.scene.floor_area
        if area is None and self.scene.objects:
            corners = np.concatenate([item.box.corners_bev() for item in self.scene.objects])
            area = cv2.contourArea(cv2.convexHull(corners.astype(np.float32)))
        return area is not None and area > LARGE_M2


class Chooser:
    """Draws at random, and gives right answers the letters that had the fewest."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self._used: defaultdict[int, Counter[int]] = defaultdict(Counter)  # by number of options

    def shuffled(self, items: Sequence[_Item]) -> list[_Item]:
        """In random order."""
        return [items[index] for index in self.rng.permutation(len(items))]

    def selections(self, items: Sequence[_Item], count: int) -> Iterator[tuple[_Item, ...]]:
        """Ordered choices of ``count`` things, no choice twice: all, or ``LISTED`` of very many."""
        if math.perm(len(items), count) <= LISTED:
            yield from self.shuffled(list(permutations(items, count)))
            return
        known: set[tuple[int, ...]] = set()
        for _ in range(LISTED):
            picked: NDArray[np.int64] = self.rng.choice(len(items), count, replace=False)
            way = tuple(picked.tolist())
            if way not in known:
                known.add(way)
                yield tuple(items[index] for index in way)

    def lettered(self, right: str, wrong: Sequence[str]) -> tuple[tuple[str, ...], str]:
        """The options in their order, and the letter of the right one."""
        places, used = range(len(wrong) + 1), self._used[len(wrong)]
        fewest = min(used[place] for place in places)
        place = int(self.rng.choice([place for place in places if used[place] == fewest]))
        used[place] += 1
        options = self.shuffled(wrong)
        options.insert(place, right)
        return tuple(options), chr(ord("A") + place)


def in_turn(sources: list[Iterator[Draft]]) -> Iterator[Draft]:
    """One of each, then the next of each, until all have ended."""
    while sources:
        going = []
        for source in sources:
            draft = next(source, None)
            if draft is not None:
                going.append(source)
                yield draft
        sources = going
