"""The proxies of a scene that a memory maps: some of its frames are encoded and taken in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from spatial_vlm_ros.config import ProxyConfig
from spatial_vlm_ros.perception.groups import UNKNOWN
from spatial_vlm_ros.perception.points import PointMap
from spatial_vlm_ros.proxies import storage
from spatial_vlm_ros.proxies.keyframes import KeyframeGate
from spatial_vlm_ros.proxies.patchify import patchify, upsample
from spatial_vlm_ros.proxies.sequence import ProxySequence
from spatial_vlm_ros.proxies.streaming import ProxyMemory
from spatial_vlm_ros.proxies.triplets import PatchTriplets
from spatial_vlm_ros.vision.encoder import VisionEncoder

#: What has become of an object: the id of the one that it is, None when it is no more.
Becomes = Callable[[int], int | None]


@dataclass(frozen=True)
class View:
    """One image and what it shows.

    rgb: (H, W, 3) uint8, all of it. groups: (h, w) int64 on the grid of ``points``, see
    :mod:`spatial_vlm_ros.perception.groups`. epoch: tells views of a scene since forgotten.
    """

    rgb: NDArray[np.uint8]
    points: PointMap
    groups: NDArray[np.int64]
    stamp_ns: int
    epoch: int


@dataclass(frozen=True)
class Reading:
    """A sequence and what it is of: which revision, of images up to when, by which encoder."""

    sequence: ProxySequence
    revision: int
    stamp_ns: int
    encoder: str


class SceneProxies:
    """Keyframes in, proxies of the whole scene out.

    One thread follows the objects and offers keyframes; another may take, encode and absorb them
    and read the proxies, none of which lets the first one wait. changes: counts what may have
    changed the sequence.
    """

    def __init__(self, config: ProxyConfig, encoder: VisionEncoder) -> None:
        self.config, self.encoder = config, encoder
        self.changes = 0
        self._lock = threading.RLock()  # of the memory and what is said of it
        self._memory, self._stamp_ns = ProxyMemory(config), 0
        self._groups: frozenset[int] = frozenset()
        self._gate = KeyframeGate(config)
        self._waiting: View | None = None
        self._epoch = 0

    @property
    def groups(self) -> frozenset[int]:
        """The groups that there are patches of."""
        return self._groups

    @property
    def bytes_used(self) -> int:
        """Bytes of what grows with the scene."""
        return self._memory.bytes_used

    def wants(
        self, T_scene_camera: NDArray[np.float64], stamp_ns: int, objects: Iterable[int]
    ) -> bool:
        """Whether an image taken at this pose (4, 4), that shows these objects, is a keyframe."""
        unknown = not self._groups.issuperset(objects)
        return self._gate.passes(T_scene_camera, stamp_ns, unknown)

    def offer(
        self,
        rgb: NDArray[np.uint8],
        points: PointMap,
        groups: NDArray[np.int64],
        stamp_ns: int,
    ) -> None:
        """Let a keyframe, see :class:`View`, wait to be encoded; one that waited does no more."""
        self._waiting = View(rgb, points, groups, stamp_ns, self._epoch)

    def take(self) -> View | None:
        """The image that waits to be encoded; it waits no more."""
        view, self._waiting = self._waiting, None
        return view

    def encode(self, view: View) -> PatchTriplets:
        """The patches of an image. ``ValueError``: the encoder refuses it, or its map is finer
        than the grid of points.
        """
        features = upsample(self.encoder.encode(view.rgb), self.config.upsample)
        parts = view.points.points_scene, view.points.valid, view.groups
        return patchify(features, *(torch.from_numpy(part).to(features.device) for part in parts))

    def absorb(self, view: View, patches: PatchTriplets, becomes: Becomes) -> None:
        """Take in an encoded image. Patches of what is no more are left out."""
        ids, member = torch.unique(patches.groups, return_inverse=True)
        now = [_now(group, becomes) for group in ids.tolist()]
        there = torch.tensor([group is not None for group in now], device=ids.device)[member]
        renamed = ids.new_tensor([UNKNOWN if group is None else group for group in now])[member]
        features, points = patches.features, patches.points_scene
        if not there.all():
            features, points, renamed = features[there], points[there], renamed[there]
        with self._lock:
            if view.epoch == self._epoch:
                self._memory.update(PatchTriplets(features, points, renamed), view.stamp_ns)
                self._stamp_ns = max(self._stamp_ns, view.stamp_ns)
                self._changed()

    def follow(self, becomes: Becomes) -> None:
        """Let groups go where their objects have gone."""
        moved = {group: now for group in self._groups if (now := _now(group, becomes)) != group}
        if not moved:
            return
        with self._lock:
            for group, now in moved.items():
                if now is None:
                    self._memory.forget(group)
                else:
                    self._memory.rename(group, now)
            self._changed()

    def read(self, minimum_of: Mapping[int, int] | None = None) -> Reading:
        """The proxies in the order in which they are read; see :meth:`ProxyMemory.sequence`."""
        with self._lock:
            sequence = self._memory.sequence(minimum_of)
            return Reading(sequence, self._memory.revision, self._stamp_ns, self.encoder.name)

    def packed(self, scene: str) -> bytes:
        """Everything as a file's content; ``scene`` says which scene the proxies are of."""
        with self._lock:
            stamp = str(self._stamp_ns)
            labels = {"scene": scene, "encoder": self.encoder.name, "stamp_ns": stamp}
            return storage.packed(self._memory, labels)

    def restore(self, path: Path, scene: str) -> str:
        """Go on from what was saved; empty, or why it has to begin anew instead.

        ``ValueError`` when the file is damaged or of another scene; nothing has changed then.
        """
        if not path.exists():
            self.reset()
            return "the scene was saved without proxies"
        labels, name = storage.labels_of(path, scene), self.encoder.name
        if labels["encoder"] != name:
            self.reset()
            return f"its proxies are features of {labels['encoder']}, the encoder here is {name}"
        memory = storage.read_memory(path, self.config, self.encoder.device)
        self._start(memory, int(labels["stamp_ns"]))
        return ""

    def reset(self) -> None:
        """Forget everything."""
        self._start(ProxyMemory(self.config), 0)

    def _start(self, memory: ProxyMemory, stamp_ns: int) -> None:
        with self._lock:
            memory.revision += self._memory.revision + 1
            self._memory, self._stamp_ns = memory, stamp_ns
            self._gate, self._waiting = KeyframeGate(self.config), None
            self._epoch += 1
            self._changed()

    def _changed(self) -> None:
        self._groups = frozenset(self._memory.groups)
        self.changes += 1


def _now(group: int, becomes: Becomes) -> int | None:
    return group if group <= UNKNOWN else becomes(group)
