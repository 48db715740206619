"""What models take in of scenes, computed as mapper and reasoner compute it while a robot drives.

Scenes are simulated, recorded or scanned, and have instance labels: groups are the objects' true
numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spatial_vlm_ros.config import MemoryConfig
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.data.unusable import Unusable
from spatial_vlm_ros.frame import Frame
from spatial_vlm_ros.keyframes import Keyframe
from spatial_vlm_ros.models.spatial_features import Frames, SpatialFeatures
from spatial_vlm_ros.perception.groups import groups_of
from spatial_vlm_ros.perception.labels import from_labels
from spatial_vlm_ros.perception.points import PointMap, unproject
from spatial_vlm_ros.perception.segments import observations
from spatial_vlm_ros.proxies.keyframes import KeyframeGate
from spatial_vlm_ros.proxies.scene_proxies import SceneProxies
from spatial_vlm_ros.reasoners.config import AnsweringConfig
from spatial_vlm_ros.reasoners.scene_inputs import of_other_objects, seen_frames
from spatial_vlm_ros.reasoners.ssr import spread
from spatial_vlm_ros.scene_frame import inverse, scene_frame
from spatial_vlm_ros.training.store import StoredFrames, StoredProxies
from spatial_vlm_ros.vision.checkpoint import Checkpoint
from spatial_vlm_ros.vision.encoder import VisionEncoder
from spatial_vlm_ros.vision.images import as_tensor, fit_size, resized

_CELL = 28  # pixels of an image that one token of Qwen2.5-VL stands for


@dataclass(frozen=True)
class FrameSettings:
    """Of stored frames: at most ``count`` images of at most ``pixels`` pixels."""

    count: int = AnsweringConfig.frames
    pixels: int = AnsweringConfig.image_pixels

    @staticmethod
    def of(checkpoint: str) -> FrameSettings:
        """What the reasoner shows to the model of a checkpoint by default."""
        found, default = Checkpoint.find(checkpoint), FrameSettings()
        return FrameSettings(seen_frames(found, default.count), found.pixels(default.pixels))


@dataclass(frozen=True)
class Scene:
    """A scene to compute: its annotation, and its frames, which have depth, labels and poses.

    T_scene_fixed: (4, 4) from the frames' fixed frame to the annotation's; None: it is the frame of
    the first one's camera. shift: labels are objects' numbers + shift, see :class:`StoredProxies`.
    """

    annotation: AnnotatedScene
    frames: Iterable[Frame]
    T_scene_fixed: NDArray[np.float64] | None = None
    shift: int = 0


@dataclass(frozen=True)
class ProxyMaker:
    """Proxies as the mapper makes them of its keyframes."""

    encoder: VisionEncoder
    memory: MemoryConfig = field(default_factory=MemoryConfig)

    def __call__(self, scene: Scene) -> StoredProxies:
        """Of a scene. ``Unusable``: its frames show nothing.

        Objects that the annotation leaves out have no proxies, as what the mapper has not confirmed
        has none in a reasoner's prompt.
        """
        proxies = SceneProxies(self.memory.proxies, self.encoder)
        floor = scene.annotation.floor_z
        for frame, points in keyframes(scene, self.memory):
            groups = true_groups(frame, points, self.memory, floor)
            proxies.offer(frame.rgb, points, groups, frame.stamp_ns)
            if view := proxies.take():
                proxies.absorb(view, proxies.encode(view), lambda group: group)
        sequence = proxies.read().sequence
        if not len(sequence):
            raise Unusable("nothing seen", f"no image of {scene.annotation.name} shows anything")
        there = annotated(sequence.groups, scene)
        points_scene = sequence.points_scene[there].float()
        lowest = float(points_scene[:, 2].min())
        return StoredProxies(
            sequence.features[there].half(),
            points_scene,
            sequence.groups[there],
            lowest if floor is None else floor,
            scene.shift,
        )


def annotated(groups: Tensor, scene: Scene) -> Tensor:
    """(N,) bool: whether a proxy of a group (N,) is of an object of the annotation, or of none."""
    known = {item.id + scene.shift for item in scene.annotation.objects}
    return ~torch.isin(groups, torch.tensor(of_other_objects(groups, known), dtype=torch.int64))


@dataclass(frozen=True)
class FrameMaker:
    """Frames as the reasoner SSR shows them to its model, of keyframes as the mapper keeps them.

    features: what tells the geometry; None: nothing does.
    """

    features: SpatialFeatures | None
    settings: FrameSettings = field(default_factory=FrameSettings)
    memory: MemoryConfig = field(default_factory=MemoryConfig)

    def __call__(self, scene: Scene) -> StoredFrames:
        """Of a scene. ``Unusable``: it has no frames."""
        taken = keyframes(scene, self.memory)
        kept = [
            Keyframe.of(number, frame, points, (), self.memory.keyframes)
            for number, (frame, points) in enumerate(taken)
        ]
        if not kept:
            raise Unusable("nothing seen", f"scene {scene.annotation.name} has no images")
        kept = spread(kept, self.settings.count)
        images = [as_tensor(keyframe.image()) for keyframe in kept]
        size = fit_size(images[0].shape[1], images[0].shape[2], _CELL, self.settings.pixels)
        stacked = torch.stack([resized(image, size) for image in images])
        if self.features is None:
            return StoredFrames(stacked)
        grids = [torch.from_numpy(keyframe.points_scene) for keyframe in kept]
        with torch.inference_mode():
            maps = self.features.maps(Frames(stacked / 255, grids)).cpu()
        points = self.features.channels == 3
        return StoredFrames(stacked, maps.float() if points else maps.half())


def keyframes(scene: Scene, memory: MemoryConfig) -> Iterator[tuple[Frame, PointMap]]:
    """The frames that a mapper would use, with their points in the scene's frame."""
    gate = KeyframeGate(memory.proxies)
    T_scene_fixed = scene.T_scene_fixed
    for frame in scene.frames:
        if frame.T_fixed_camera is None:
            raise ValueError("a frame has no pose")
        if T_scene_fixed is None:
            T_scene_fixed = inverse(scene_frame(frame.T_fixed_camera, memory.up))
        T_scene_camera = T_scene_fixed @ frame.T_fixed_camera
        if gate.passes(T_scene_camera, frame.stamp_ns, unknown=False):
            yield frame, unproject(frame, T_scene_camera, memory.points)


def true_groups(
    frame: Frame, points: PointMap, memory: MemoryConfig, floor: float | None
) -> NDArray[np.int64]:
    """(h, w) the true object that each cell of the grid shows, or what it is instead."""
    if frame.labels is None:
        raise ValueError("a frame has no instance labels, which say what belongs to which object")
    segments = from_labels(frame.labels, points, memory.segmentation, memory.points)
    background = {*memory.segmentation.background}
    grid = frame.labels.ids[:: points.stride, :: points.stride]
    present: Sequence[int] = np.unique(grid).tolist()
    ids = [i for i in present if i and frame.labels.names.get(i) not in background]
    seen = observations(segments, points, memory.segmentation, memory.points)
    shown = {each.segment: ids[each.segment] for each in seen}
    return groups_of(segments, shown, points, floor)
