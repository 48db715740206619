"""A scene as one question looks at it: its objects, its words, and where the robot stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.reasoning.lexicon import Lexicon, lexicon_for
from spatial_vlm_ros.reasoning.scale import NOT_METRIC, Scale
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.graph import ObjectState, SceneGraph, SceneObject

#: Id of the robot among things that can be compared; no object of a scene has it.
ROBOT_ID = -1


class Unclear(Exception):
    """A question cannot be answered, and why. ``candidates`` are ids it could mean."""

    def __init__(self, why: str, candidates: Iterable[SceneObject] = (), known: bool = True):
        super().__init__(why)
        self.candidates = tuple(item.id for item in candidates)
        self.known = known  # False: a word is of no list


@dataclass(frozen=True)
class View:
    """``objects`` are those a question is about. ``closest_of_many``: where a phrase fits several
    objects, the one closest to what it is compared with is meant.
    """

    scene: SceneGraph
    objects: tuple[SceneObject, ...]
    closest_of_many: bool = False

    @cached_property
    def lexicon(self) -> Lexicon:
        """The words for these objects."""
        return lexicon_for(
            frozenset(item.label for item in self.objects),
            frozenset(item.colour for item in self.objects),
        )

    @cached_property
    def scale(self) -> Scale:
        """How well its lengths are known."""
        return Scale(self.scene.scale_spread)

    def need_metres(self) -> None:
        """``Unclear`` where lengths are no metres: what is asked cannot be told without."""
        if not self.scale.metric:
            raise Unclear(NOT_METRIC)

    @cached_property
    def pairs(self) -> dict[str, set[tuple[int, int]]]:
        """Predicate to its (subject, object) ids. "on" also holds through what stands between."""
        pairs: dict[str, set[tuple[int, int]]] = {}
        for relation in self.scene.relations:
            pairs.setdefault(relation.predicate, set()).add((relation.subject, relation.object))
        supporter = dict(pairs.get("on", ()))
        for subject, below in supporter.items():
            passed = {subject}
            while below in supporter and below not in passed:
                passed.add(below)
                below = supporter[below]
                pairs["on"].add((subject, below))
        return pairs

    def carriers(self, item: SceneObject) -> tuple[SceneObject, ...]:
        """What an object rests on directly, what that rests on, and so on."""
        below = {r.subject: r.object for r in self.scene.relations if r.predicate == "on"}
        known = {other.id: other for other in self.objects}
        chain = [item]
        while (under := known.get(below.get(chain[-1].id, ROBOT_ID))) and under not in chain:
            chain.append(under)
        return tuple(chain[1:])

    @cached_property
    def robot(self) -> SceneObject:
        """The robot as an object of no width, from the floor to its camera. ``Unclear`` if lost."""
        pose = self._robot_pose
        x, y, z = (float(value) for value in pose[:3, 3])
        bottoms = [item.box.bottom for item in self.objects]
        floor = self.scene.floor.z if self.scene.floor else min([z, *bottoms])
        box = Box(x, y, (floor + z) / 2, 0.0, 0.0, max(z - floor, 0.0), 0.0)
        return SceneObject(
            ROBOT_ID, "robot", 1.0, box, ObjectState.CONFIRMED, "", 0.0, 0, self.scene.stamp_ns, 1
        )

    @cached_property
    def forward(self) -> NDArray[np.float64]:
        """(2,) the way the robot looks, a unit vector in the scene's x and y."""
        ahead = self._robot_pose[:2, 0]
        return np.asarray(ahead / max(float(np.linalg.norm(ahead)), 1e-9))

    @property
    def _robot_pose(self) -> NDArray[np.float64]:
        if self.scene.T_scene_robot is None:
            raise Unclear("I do not know where I am: the scene has no robot pose.")
        return self.scene.T_scene_robot
