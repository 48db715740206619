"""The rows that variants of an ablation learn, and the questions they are examined with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby

from bench.ablation_stores import room_of
from bench.ablation_variants import LESSONS
from bench.small_rooms import questions
from spatial_vlm_ros.data.generators import generator
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.training.exam import sample

#: Rows of a generator about a room that are drafted to find some about one object.
DRAFTED = 24

Scenes = Mapping[str, AnnotatedScene]


def to_learn(kind: str, scenes: Scenes, generators: Iterable[str]) -> list[Row]:
    """About rooms, by these generators; where scenes are of one object each, about that one."""
    rooms = {name: scene for name, scene in scenes.items() if room_of(name)[1] is None}
    most = LESSONS[kind].of_room
    whole = [
        row for name in generators for room in rooms.values() for row in _rows(name, room, most)
    ]
    return [*whole, *_about_objects(scenes.keys() - rooms, scenes, generators)]


def to_answer(kind: str, scenes: Scenes, of_task: int, usable: Callable[[Row], bool]) -> list[Row]:
    """Held-out ones that models of a kind are asked, of each task at most about so many."""
    generators = LESSONS[kind].asked
    objects = [name for name in scenes if room_of(name)[1] is not None]
    if not objects:
        return questions(scenes.values(), of_task, usable, generators=generators)
    rows = [row for row in _about_objects(objects, scenes, generators) if usable(row)]
    return [rows[i] for i in sample(rows, of_task * len({row.task for row in rows}), 0)]


def _about_objects(
    names: Iterable[str], scenes: Scenes, generators: Iterable[str]
) -> Iterator[Row]:
    """Rows that name no other object than the one their scene is of."""
    generators = list(generators)
    for room, own in groupby(sorted(names), lambda name: room_of(name)[0]):
        numbers = {room_of(name)[1]: name for name in own}
        whole = replace(next(iter(scenes[name] for name in numbers.values())), name=room)
        for name in generators:
            for row in _rows(name, whole, DRAFTED):
                about = {reference.object for reference in row.refs}
                if len(about) == 1 and (number := about.pop()) in numbers:
                    yield replace(row, id=f"{row.id}/asked", scene=numbers[number])


def _rows(name: str, room: AnnotatedScene, most: int) -> Iterator[Row]:
    return generator(name)(room, 0, most)
