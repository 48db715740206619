"""The images of a scene that are kept: chosen by the way, and thinned when they are too many."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.config import KeyframeConfig, ProxyConfig
from spatial_vlm_ros.frame import Frame
from spatial_vlm_ros.keyframes.keyframe import Keyframe
from spatial_vlm_ros.keyframes.thinning import dispensable
from spatial_vlm_ros.perception.points import PointMap
from spatial_vlm_ros.proxies.keyframes import KeyframeGate


class KeyframeStore:
    """At most ``maximum`` images, the first one always among them.

    revision: grows, over resets too, when an image comes or goes or shows other objects.
    """

    def __init__(self, config: KeyframeConfig, gate: ProxyConfig) -> None:
        self.config, self._gate_config = config, gate
        self.revision, self._last_id = 0, 0
        self.reset()

    def all(self) -> tuple[Keyframe, ...]:
        """What is kept, in the order in which it was taken."""
        return tuple(self._kept)

    @property
    def bytes_used(self) -> int:
        """Bytes of all images and points."""
        return sum(keyframe.nbytes for keyframe in self._kept)

    def wants(
        self, T_scene_camera: NDArray[np.float64], stamp_ns: int, objects: Iterable[int]
    ) -> bool:
        """Whether to keep an image taken at this pose (4, 4) that shows these objects."""
        return self._gate.passes(T_scene_camera, stamp_ns, not self._visible.issuperset(objects))

    def offer(self, frame: Frame, points: PointMap, visible: Iterable[int]) -> None:
        """Keep an image that is wanted, and drop another if that is one too many."""
        number = self._next_id()
        self._kept.append(Keyframe.of(number, frame, points, visible, self.config))
        self._thin()
        self._changed()

    def follow(self, becomes: Callable[[int], int | None]) -> None:
        """Let objects be what they have become, None when they are no more."""
        now = {number: becomes(number) for number in self._visible}
        if all(new == old for old, new in now.items()):
            return
        for index, keyframe in enumerate(self._kept):
            shown = {new for old in keyframe.visible if (new := now[old]) is not None}
            self._kept[index] = replace(keyframe, visible=tuple(sorted(shown)))
        self._changed()

    def reset(self, keyframes: Sequence[Keyframe] = ()) -> None:
        """Forget all that is kept, and keep these instead, under new ids."""
        self._kept = [replace(keyframe, id=self._next_id()) for keyframe in keyframes]
        self._gate = KeyframeGate(self._gate_config)
        self._thin()
        self._changed()

    def _thin(self) -> None:
        while len(self._kept) > self.config.maximum:
            poses = np.array([keyframe.T_scene_camera for keyframe in self._kept])
            del self._kept[dispensable(poses, [keyframe.visible for keyframe in self._kept])]

    def _next_id(self) -> int:
        """Greater than all before, also than those of a run that has ended."""
        self._last_id = max(self._last_id + 1, time.time_ns())
        return self._last_id

    def _changed(self) -> None:
        self._visible = frozenset(i for keyframe in self._kept for i in keyframe.visible)
        self.revision += 1
