"""One remembered object: its points, its votes, its life."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.config import MemoryConfig
from spatial_vlm_ros.perception.colour import name_shares
from spatial_vlm_ros.perception.segments import UNNAMED, Observation
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.box_fit import fit_box, moved
from spatial_vlm_ros.scene.contact import Contacts
from spatial_vlm_ros.scene.graph import ObjectState, SceneObject
from spatial_vlm_ros.scene.round_fit import rounded
from spatial_vlm_ros.scene.voxel_points import VoxelPoints

#: A new leader of the label or colour votes must lead by this factor, against flicker.
_LEAD = 1.2
#: The box is fitted again when this share of the object's voxels is new.
_NEWS, _NEWS_OF_TENTATIVE = 0.06, 0.25
#: Points kept to represent the surface.
_SURFACE = 600


@dataclass
class TrackedObject:
    """A mutable object of the memory; :meth:`snapshot` is what others see.

    surface: (n, 3) float32 points spread over it, noise left out. extent: (2, 3) least and
    greatest coordinates of the box. misses: healthy frames in a row that speak against it.
    last_frame: number of the frame that showed it last, counted by the memory.
    """

    id: int
    voxels: VoxelPoints
    surface: NDArray[np.float32]
    box: Box
    extent: NDArray[np.float64]
    first_seen_ns: int
    last_seen_ns: int
    label: str = UNNAMED
    colour: str = ""
    state: ObjectState = ObjectState.TENTATIVE
    observations: int = 0
    misses: int = 0
    label_votes: dict[str, float] = field(default_factory=dict)
    colour_votes: dict[str, float] = field(default_factory=dict)
    fitted_voxels: int = 0
    fitted_at: int = 0
    last_frame: int = 0

    def add(self, seen: Observation, stamp_ns: int, config: MemoryConfig) -> None:
        """Take in one observation: points, votes, stamps."""
        self.voxels.add(seen.points, seen.weights)
        self.observations += 1 if self.observations == 0 or stamp_ns != self.last_seen_ns else 0
        self.last_seen_ns = stamp_ns
        self.misses = 0
        window = config.lifecycle.label_window
        if seen.label != UNNAMED:
            _vote(self.label_votes, {seen.label: seen.score}, window)
        _vote(self.colour_votes, name_shares(seen.rgb), window)

    def settle(self, config: MemoryConfig, contacts: Contacts) -> bool:
        """Decide label, colour, state and box anew; True when anything others see changed."""
        before = (self.label, self.colour, self.state, self.box)
        self.label = _leader(self.label_votes, self.label) or UNNAMED
        self.colour = _leader(self.colour_votes, self.colour)
        unnamed, rules = self.label == UNNAMED, config.lifecycle
        enough = self.observations >= (
            rules.confirm_unnamed_after if unnamed else rules.confirm_after
        )
        # Many an unnamed piece is seen but once: until then its bounds are box enough.
        if self._has_news() and (enough or not unnamed or self.observations > 1):
            self._fit(config, contacts)
        sheet = unnamed and self.box.size.min() < config.geometric.min_thickness
        if sheet:
            self.state = ObjectState.TENTATIVE
        elif enough and self.misses == 0:
            self.state = ObjectState.CONFIRMED
        return before != (self.label, self.colour, self.state, self.box)

    def absorb(self, other: TrackedObject, config: MemoryConfig) -> None:
        """Become one with a duplicate."""
        self.voxels.absorb(other.voxels)
        self.first_seen_ns = min(self.first_seen_ns, other.first_seen_ns)
        self.last_seen_ns = max(self.last_seen_ns, other.last_seen_ns)
        self.observations = max(self.observations, other.observations)
        _vote(self.label_votes, other.label_votes, config.lifecycle.label_window)
        _vote(self.colour_votes, other.colour_votes, config.lifecycle.label_window)
        self.fitted_voxels = 0

    @property
    def bytes_used(self) -> int:
        """Bytes of its points."""
        return self.voxels.bytes_used + self.surface.nbytes

    def snapshot(self) -> SceneObject:
        """The object as immutable data."""
        return SceneObject(
            self.id,
            self.label,
            _share(self.label_votes, self.label),
            self.box,
            self.state,
            self.colour,
            _share(self.colour_votes, self.colour),
            self.first_seen_ns,
            self.last_seen_ns,
            self.observations,
        )

    def _has_news(self) -> bool:
        """Whether enough points came since the last fit, or twice as many frames."""
        new = abs(len(self.voxels) - self.fitted_voxels)
        share = _NEWS_OF_TENTATIVE if self.state is ObjectState.TENTATIVE else _NEWS
        return new > share * self.fitted_voxels or self.observations >= 2 * self.fitted_at

    def _fit(self, config: MemoryConfig, contacts: Contacts) -> None:
        solid = self.voxels.clean()
        points, weights = self.voxels.means[solid], self.voxels.weights[solid]
        box = rounded(points, weights, fit_box(points, weights, config.box, self.voxels.size))
        box = contacts.complete(box, self.id)
        self.surface = points[:: -(-len(points) // _SURFACE)].copy()
        if self.fitted_at == 0 or moved(box, self.box) > config.box.min_change:
            self.box, self.extent = box, extent_of(box)
        self.fitted_voxels, self.fitted_at = len(self.voxels), self.observations


def extent_of(box: Box) -> NDArray[np.float64]:
    """(2, 3) least and greatest coordinates of a box."""
    cos, sin = abs(np.cos(box.yaw)), abs(np.sin(box.yaw))
    half = np.array([box.length * cos + box.width * sin, box.length * sin + box.width * cos])
    half = np.array([*half, box.height]) / 2
    return np.array([box.center - half, box.center + half])


def _vote(votes: dict[str, float], cast: dict[str, float], window: float) -> None:
    for name, weight in cast.items():
        votes[name] = votes.get(name, 0.0) + weight
    total = sum(votes.values())
    if total > window:
        for name in votes:
            votes[name] *= window / total


def _leader(votes: dict[str, float], current: str) -> str:
    if not votes:
        return ""
    best = max(votes, key=lambda name: votes[name])
    return best if votes[best] > _LEAD * votes.get(current, 0.0) else current


def _share(votes: dict[str, float], name: str) -> float:
    total = sum(votes.values())
    return round(votes.get(name, 0.0) / total, 3) if total else 0.0
