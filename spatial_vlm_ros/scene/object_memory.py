"""The objects of the scene: observations become tracks, tracks become objects, objects may go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.config import MemoryConfig
from spatial_vlm_ros.perception.points import PointMap
from spatial_vlm_ros.perception.segments import Observation, Segments
from spatial_vlm_ros.perception.walls import Wall
from spatial_vlm_ros.scene.association import associate
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.contact import Contacts
from spatial_vlm_ros.scene.duplicates import SHOWN, Duplicates
from spatial_vlm_ros.scene.graph import ObjectState
from spatial_vlm_ros.scene.tracked import TrackedObject
from spatial_vlm_ros.scene.visibility import Visibility, in_view, look_up
from spatial_vlm_ros.scene.voxel_points import VoxelPoints

#: An object with this share of its points in the surroundings is cut, with the rest it goes.
_CUT = 0.15
_EVICTION = (ObjectState.TENTATIVE, ObjectState.MISSING, ObjectState.CONFIRMED)


class ObjectMemory:
    """All objects by id, in scene coordinates.

    revision grows when an object appears, goes, is merged, or changes label, colour, state or
    box. Work per frame is on the objects in view only.
    """

    def __init__(self, config: MemoryConfig) -> None:
        self.config = config
        self.objects: dict[int, TrackedObject] = {}
        self.next_id = 1
        self.revision = 0
        self.evicted = 0
        self._merged_into: dict[int, int] = {}
        self._contacts = Contacts.of([], None, [])
        self._duplicates = Duplicates(config.association.merge_after)
        self._frame = 0
        self._extents = np.empty((0, 2, 3))
        self._extents_revision = -1

    @property
    def bytes_used(self) -> int:
        """Bytes of all objects' points."""
        return sum(item.bytes_used for item in self.objects.values())

    def update(
        self,
        seen: Sequence[Observation],
        points: PointMap,
        segments: Segments,
        floor_height: float | None,
        walls: Sequence[Wall],
        stamp_ns: int,
    ) -> dict[int, int]:
        """Take in the observations of one frame, and what the frame says about the rest.

        Returns which object each observed segment was found to show; :meth:`part_of` knows what
        has become of it.
        """
        self._frame += 1
        near = self._near(points)
        self._contacts = Contacts.of(
            [(item.id, item.surface) for item in near], floor_height, walls
        )
        visibility = look_up(near, points, segments, self.config.association, self.config.points)
        found = associate(seen, near, visibility, segments.whole, self.config.association)
        self._dispute(seen, found, near, visibility)
        if not segments.whole:
            seen = self._without_known(seen, found, near, visibility)
        shown: dict[int, int] = {}
        for item, index in zip(seen, found, strict=True):
            target = near[index] if index >= 0 else self._create(item, stamp_ns)
            shown[item.segment] = target.id
            target.add(item, stamp_ns, self.config)
            target.last_frame = self._frame
            if target.settle(self.config, self._contacts):
                self.revision += 1
        matched = set(found)
        if (points.valid | (points.beyond > 0)).mean() >= self.config.lifecycle.min_valid_depth:
            for index, candidate in enumerate(near):
                if index not in matched:
                    self._doubt(candidate, index, visibility)
        for pair in self._duplicates.vote(near, sorted(matched - {-1}), visibility):
            self._merge(*pair)
        self._forget_unconfirmed()
        self._keep_within_caps()
        return shown

    def part_of(self, object_id: int) -> TrackedObject | None:
        """The object of this id, or the one that it has turned out to be a part of."""
        return self.objects.get(self._merged_into.get(object_id, object_id))

    def remove(self, object_id: int) -> None:
        """Forget an object. ``KeyError`` when there is none of this id."""
        del self.objects[object_id]
        self._merged_into = {a: b for a, b in self._merged_into.items() if b != object_id}
        self._duplicates.forget(object_id)
        self.revision += 1

    def cut(self, surroundings: Callable[[NDArray[np.float32]], NDArray[np.bool_]]) -> None:
        """Take what has turned out to be surroundings out of all objects.

        ``surroundings`` tells of points (n, 3) which are. Of what remains of an object its largest
        connected part stays; an object that was mostly surroundings goes.
        """
        for item in list(self.objects.values()):
            rest = ~surroundings(item.voxels.means)
            if rest.mean() > 1 - _CUT:
                continue
            if rest.mean() < _CUT:
                self.remove(item.id)
                continue
            item.voxels.keep(rest)
            item.voxels.keep_largest_part()
            item.fitted_voxels = 0
            item.settle(self.config, self._contacts)
            self.revision += 1

    def _near(self, points: PointMap) -> list[TrackedObject]:
        """The objects whose boxes may be in view."""
        if self._extents_revision != self.revision:
            extents = [item.extent for item in self.objects.values()]
            self._extents = np.array(extents).reshape(-1, 2, 3)
            self._extents_revision = self.revision
        visible = in_view(self._extents, points, self.config.points.max_range)
        everything = list(self.objects.values())
        return [everything[index] for index in np.flatnonzero(visible)]

    def _create(self, seen: Observation, stamp_ns: int) -> TrackedObject:
        extent = seen.bounds.astype(float)
        box = Box.from_tuple([*extent.mean(axis=0), *np.ptp(extent, axis=0), 0.0])
        voxels = VoxelPoints(self.config.box.voxel, self.config.box.max_voxels)
        item = TrackedObject(self.next_id, voxels, seen.points, box, extent, stamp_ns, stamp_ns)
        self.objects[item.id] = item
        self.next_id += 1
        return item

    def _dispute(
        self,
        seen: Sequence[Observation],
        found: Sequence[int],
        near: Sequence[TrackedObject],
        visibility: Visibility,
    ) -> None:
        """Points of an object that lie on an instance that is another object are not its own."""
        owner_of = np.full(visibility.on_segment.shape[1], -1)
        for item, index in zip(seen, found, strict=True):
            owner_of[item.segment] = index
        other = owner_of[visibility.segments] != visibility.owners
        for index in {index for index in found if index >= 0}:
            mine = visibility.points[other & (visibility.owners == index)]
            if len(mine):
                near[index].voxels.dispute(mine)

    def _without_known(
        self,
        seen: Sequence[Observation],
        found: Sequence[int],
        near: Sequence[TrackedObject],
        visibility: Visibility,
    ) -> list[Observation]:
        """The observations without the points of smaller objects that are known to be there."""
        share, result = visibility.cover, []
        for item, index in zip(seen, found, strict=True):
            volume = (
                near[index].box.volume if index >= 0 else float(np.prod(np.ptp(item.bounds, 0)))
            )
            own = np.ones(len(item.points), np.bool_)
            for other in np.flatnonzero(share[:, item.segment] >= SHOWN).tolist():
                known = near[other]
                if known.state is ObjectState.CONFIRMED and known.box.volume < volume:
                    own &= (other == index) | ~known.box.contains(item.points, 0.01)
            if own.all() or not own.any():
                result.append(item)
            else:
                rest = (item.points[own], item.weights[own], item.rgb[own])
                result.append(replace(item, points=rest[0], weights=rest[1], rgb=rest[2]))
        return result

    def _doubt(self, item: TrackedObject, index: int, visibility: Visibility) -> None:
        """A frame without an object that should show it speaks against it.

        Seeing through its place does; for one not yet confirmed, seeing its place and not it does.
        """
        surface, through = int(visibility.surface[index]), int(visibility.through[index])
        rules = self.config.lifecycle
        if surface + through < max(8, 0.25 * visibility.sampled[index]):
            return
        gone = through >= rules.through_share * (surface + through)
        if gone or item.state is ObjectState.TENTATIVE:
            item.misses += 1
        else:
            item.misses = 0
        if item.misses < rules.missing_after or item.state is ObjectState.MISSING:
            return
        if item.state is ObjectState.TENTATIVE:
            self.remove(item.id)
        else:
            item.state = ObjectState.MISSING
            self.revision += 1

    def _merge(self, a: TrackedObject, b: TrackedObject) -> None:
        """Keep the surer (then older) of two objects, with the points of both."""
        keep, other = (a, b) if (a.state != 0, -a.id) >= (b.state != 0, -b.id) else (b, a)
        keep.absorb(other, self.config)
        parts = [other.id, *(a for a, b in self._merged_into.items() if b == other.id)]
        self.remove(other.id)
        self._merged_into |= dict.fromkeys(parts, keep.id)
        keep.settle(self.config, self._contacts)
        self.revision += 1

    def _forget_unconfirmed(self) -> None:
        """What was seen too seldom to be believed, and then no more, was likely never there."""
        patience = self.config.lifecycle.forget_after
        for item in list(self.objects.values()):
            unseen = self._frame - item.last_frame
            if item.state is ObjectState.TENTATIVE and unseen >= patience * item.observations:
                self.remove(item.id)

    def _keep_within_caps(self) -> None:
        """Over the cap, forget the tentative, then the missing, then those unseen for longest.

        What this frame shows goes last, or a full map could not learn anything new; of that, what
        was seen least goes first.
        """
        rules = self.config.lifecycle
        limit = rules.max_megabytes * 1e6
        used = self.bytes_used
        if len(self.objects) <= rules.max_objects and used <= limit:
            return
        order = sorted(
            self.objects.values(),
            key=lambda o: (
                o.last_frame == self._frame,
                _EVICTION.index(o.state),
                o.last_seen_ns,
                o.observations,
                -o.id,
            ),
        )
        for item in order:
            if len(self.objects) <= rules.max_objects and used <= limit:
                return
            used -= item.bytes_used
            self.remove(item.id)
            self.evicted += 1
