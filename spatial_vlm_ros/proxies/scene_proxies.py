"""The proxies of a scene that a memory maps: some of its frames are encoded and taken in."""

from __future__ import annotations

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


class SceneProxies:
    """Keyframes in, proxies of the whole scene out.

    :meth:`encode` takes long and needs nothing but the encoder: it may run in a thread of its own
    while the memory goes on. Everything else is for one thread at a time.
    """

    def __init__(self, config: ProxyConfig, encoder: VisionEncoder) -> None:
        self.config, self.encoder = config, encoder
        self.memory = ProxyMemory(config)
        self.stamp_ns = 0  # of the newest image taken in
        self.changes = 0  # counts what may have changed the sequence
        self._gate = KeyframeGate(config)
        self._waiting: View | None = None
        self._epoch = 0

    def wants(
        self, T_scene_camera: NDArray[np.float64], stamp_ns: int, objects: Iterable[int]
    ) -> bool:
        """Whether an image taken at this pose (4, 4), that shows these objects, is a keyframe."""
        unknown = not self.memory.groups.issuperset(objects)
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
        if view.epoch != self._epoch:
            return
        ids, member = torch.unique(patches.groups, return_inverse=True)
        now = [_now(group, becomes) for group in ids.tolist()]
        there = torch.tensor([group is not None for group in now], device=ids.device)[member]
        renamed = ids.new_tensor([UNKNOWN if group is None else group for group in now])[member]
        parts = patches.features, patches.points_scene, renamed
        self.memory.update(PatchTriplets(*(part[there] for part in parts)), view.stamp_ns)
        self.stamp_ns = max(self.stamp_ns, view.stamp_ns)
        self.changes += 1

    def follow(self, becomes: Becomes) -> None:
        """Let groups go where their objects have gone."""
        for group in self.memory.groups:
            now = _now(group, becomes)
            if now == group:
                continue
            if now is None:
                self.memory.forget(group)
            else:
                self.memory.rename(group, now)
            self.changes += 1

    def sequence(self, minimum_of: Mapping[int, int] | None = None) -> ProxySequence:
        """The proxies in the order in which they are read; see :meth:`ProxyMemory.sequence`."""
        return self.memory.sequence(minimum_of)

    def packed(self, scene: str) -> bytes:
        """Everything as a file's content; ``scene`` says which scene the proxies are of."""
        labels = {"scene": scene, "encoder": self.encoder.name, "stamp_ns": str(self.stamp_ns)}
        return storage.packed(self.memory, labels)

    def restore(self, path: Path, scene: str) -> str:
        """Go on from what was saved; empty, or why it has to begin anew instead.

        ``ValueError`` when the file is damaged or of another scene; nothing has changed then.
        """
        if not path.exists():
            self.reset()
            return "the scene was saved without proxies"
        labels, name = storage.read_labels(path), self.encoder.name
        if labels.get("scene") != scene:
            raise ValueError(f"{path} is of another scene than the files beside it: delete it")
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
        memory.revision += self.memory.revision + 1
        self.memory, self.stamp_ns = memory, stamp_ns
        self._gate, self._waiting = KeyframeGate(self.config), None
        self._epoch, self.changes = self._epoch + 1, self.changes + 1


def _now(group: int, becomes: Becomes) -> int | None:
    return group if group <= UNKNOWN else becomes(group)
