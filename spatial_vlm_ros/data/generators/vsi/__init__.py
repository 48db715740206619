"""Questions of all eight kinds of VSI-Bench, from the boxes and views of any annotated scene.

Wordings, units and names of the kinds are VSI-Bench's (vision-x-nyu/thinking-in-space, and its
published questions); what must be apart by how much to be asked follows VLM-3R's generator
(VITA-Group/VLM-3R, 6dd1264), read for its rules.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np

from spatial_vlm_ros.data.generators.vsi import choices, directions, measures, routes
from spatial_vlm_ros.data.generators.vsi.asking import Chooser, Draft, Room
from spatial_vlm_ros.data.row import Reference, Row
from spatial_vlm_ros.data.scenes import AnnotatedScene

DATASET = "spacespan-vsi"


class Kind(NamedTuple):
    """A kind of question by VSI-Bench's name, the task of its rows, and what drafts them."""

    name: str
    task: str
    drafts: Callable[[Room, Chooser], Iterator[Draft]]


KINDS = (
    Kind("object_counting", "counting", measures.counts),
    Kind("object_abs_distance", "distance", measures.distances),
    Kind("object_size_estimation", "object_size", measures.sizes),
    Kind("room_size_estimation", "room_size", measures.room_size),
    Kind("object_rel_distance", "nearest", choices.nearest),
    Kind("object_rel_direction_easy", "direction", directions.easy),
    Kind("object_rel_direction_medium", "direction", directions.medium),
    Kind("object_rel_direction_hard", "direction", directions.hard),
    Kind("route_planning", "route", routes.routes),
    Kind("obj_appearance_order", "order", choices.appearance),
)


def rows(scene: AnnotatedScene, seed: int, most: int) -> Iterator[Row]:
    """At most ``most`` questions of each kind, the same for the same scene and seed."""
    room = Room(scene)
    for number, kind in enumerate(KINDS):
        chooser = Chooser(np.random.default_rng([zlib.crc32(scene.name.encode()), seed, number]))
        for place, draft in enumerate(islice(kind.drafts(room, chooser), most)):
            yield Row(
                id=f"vsi/{scene.name}/{seed}/{kind.name}/{place}",
                dataset=DATASET,
                scene=scene.name,
                task=kind.task,
                subtask=kind.name,
                question=draft.question,
                answer=draft.answer,
                options=draft.options,
                refs=tuple(Reference(item.id, item.category, item.box) for item in draft.about),
                targets=tuple(item.id for item in draft.targets),
                license=scene.license,
            )
