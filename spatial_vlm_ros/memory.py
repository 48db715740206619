"""The spatial memory: frames in, scene graph out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.config import MemoryConfig
from spatial_vlm_ros.frame import Frame
from spatial_vlm_ros.keyframes import KeyframeStore
from spatial_vlm_ros.keyframes import files as keyframe_files
from spatial_vlm_ros.perception.detections import from_detections
from spatial_vlm_ros.perception.geometric import GeometricSegmenter
from spatial_vlm_ros.perception.groups import groups_of
from spatial_vlm_ros.perception.labels import from_labels
from spatial_vlm_ros.perception.masks import from_masks
from spatial_vlm_ros.perception.points import PointMap, unproject
from spatial_vlm_ros.perception.segments import Segments, observations
from spatial_vlm_ros.scene import store
from spatial_vlm_ros.scene.floor import Floor
from spatial_vlm_ros.scene.graph import ObjectState, SceneGraph
from spatial_vlm_ros.scene.object_memory import ObjectMemory
from spatial_vlm_ros.scene.scale_spread import ScaleSpread
from spatial_vlm_ros.scene.snapshots import Snapshots
from spatial_vlm_ros.scene_frame import inverse, level_frame, scene_frame
from spatial_vlm_ros.settings import check

if TYPE_CHECKING:  # it needs torch, which takes seconds and a memory without proxies does not
    from spatial_vlm_ros.proxies.scene_proxies import SceneProxies


class SpatialMemory:
    """Objects, floor, relations, keyframes, and proxies if wanted, up to date frame by frame.

    Everything inside is in the scene frame, fixed at the first accepted camera pose.
    T_fixed_scene: (4, 4), None until then. timings_ms: the last frame's parts. ignored: what
    frames contained and could not be used, counted by reason.
    """

    def __init__(
        self, config: MemoryConfig | None = None, proxies: SceneProxies | None = None
    ) -> None:
        self.config = config or MemoryConfig()
        check(self.config)
        self.proxies = proxies
        self.keyframes = KeyframeStore(self.config.keyframes, self.config.proxies)
        self._start(revision=1)

    def reset(self) -> None:
        """Forget everything, the scene frame too."""
        self._start(self.revision + 1)
        self.keyframes.reset()
        if self.proxies is not None:
            self.proxies.reset()

    def _start(self, revision: int) -> None:
        self._first_revision = revision  # the objects' and the floor's count on from it
        self.T_fixed_scene: NDArray[np.float64] | None = None
        self.timings_ms: dict[str, float] = {}
        self.ignored: Counter[str] = Counter()
        self._objects = ObjectMemory(self.config)
        self._floor = Floor(self.config.floor, self.config.points)
        self._geometric = GeometricSegmenter(self.config)
        self._stamp_ns = 0
        self._T_scene_robot: NDArray[np.float64] | None = None
        self._scale_spread = ScaleSpread()
        self._graph: SceneGraph | None = None
        self._snapshots = Snapshots()

    def observe(self, frame: Frame) -> None:
        """Take in one frame.

        ``ValueError`` says why a frame is unusable; the memory is then unchanged.
        """
        T_fixed_camera = self._refuse_unusable(frame)
        T_fixed_scene = self.T_fixed_scene
        if T_fixed_scene is None:
            T_fixed_scene = scene_frame(T_fixed_camera, self.config.up)
        T_scene_camera = inverse(T_fixed_scene) @ T_fixed_camera
        with self._timed("points"):
            points = unproject(frame, T_scene_camera, self.config.points)
            if not points.valid.any():
                raise ValueError("no valid depth in the image: check the depth topic and its unit")
        self.T_fixed_scene = T_fixed_scene
        with self._timed("floor"):
            self._floor.update(points)
        with self._timed("instances"):
            segments = self._segment(frame, points)
            seen = observations(segments, points, self.config.segmentation, self.config.points)
        with self._timed("objects"):
            walls = self._geometric.walls.found
            shown = self._objects.update(
                seen, points, segments, self._floor.height, walls, frame.stamp_ns
            )
        self.ignored += segments.ignored
        self._T_scene_robot = level_frame(T_scene_camera)
        self._T_scene_robot.setflags(write=False)
        self._stamp_ns = frame.stamp_ns
        self._scale_spread.add(frame.scale_spread)
        self._graph = None
        with self._timed("keyframe"):
            self._offer(frame, points, segments, shown)

    def encode_keyframe(self) -> None:
        """Encode and take in the frame that waits for it. ``ValueError``: it does not fit."""
        if self.proxies is not None and (view := self.proxies.take()):
            patches = self.proxies.encode(view)
            self.proxies.absorb(view, patches, self.became(patches.groups.tolist()).get)

    def became(self, object_ids: Iterable[int]) -> dict[int, int]:
        """What objects of these ids are part of now; those that are not there any more left out."""
        now = {object_id: self._present(object_id) for object_id in set(object_ids)}
        return {old: new for old, new in now.items() if new is not None}

    def graph(self) -> SceneGraph:
        """What is known now, as immutable data."""
        if self._graph is None:
            self._graph = self._snapshots.take(
                self._objects,
                self._floor,
                self._T_scene_robot,
                self._stamp_ns,
                self.revision,
                self._scale_spread.value,
            )
        return self._graph

    def remove(self, object_id: int) -> None:
        """Forget one object. ``KeyError`` when there is none of this id."""
        self._objects.remove(object_id)
        self._graph = None
        self.keyframes.follow(self._still)
        if self.proxies is not None:
            self.proxies.follow(self._present)

    def save(self, folder: Path, fixed_frame: str) -> None:
        """Write scene.json, points.npz, keyframes and, if there are, proxies to ``folder``.

        ``ValueError`` before the first frame.
        """
        if self.T_fixed_scene is None:
            raise ValueError("nothing to save: no frame has been taken in")
        state = store.State(
            self.T_fixed_scene,
            self._stamp_ns,
            self.revision,
            self._T_scene_robot,
            self._objects,
            self._floor,
            self._geometric.walls.found,
            self._scale_spread.value,
        )
        proxies = None if self.proxies is None else self.proxies.packed(state.name)
        store.save(folder, state, fixed_frame, proxies, self.keyframes.all())

    def load(self, folder: Path, fixed_frame: str) -> str:
        """Replace everything by what was saved; empty, or why there are no proxies among it.

        ``ValueError`` says what is wrong with the files or that they are of another fixed frame;
        the memory is then unchanged.
        """
        state = store.load(folder, self.config, fixed_frame)
        keyframes = keyframe_files.load(folder, state.name)
        proxies, path = self.proxies, folder / store.PROXIES
        without = "" if proxies is None else proxies.restore(path, state.name)
        self._start(self.revision + 1 + state.revision)
        self.T_fixed_scene, self._stamp_ns = state.T_fixed_scene, state.stamp_ns
        self._T_scene_robot = state.T_scene_robot
        self._scale_spread = ScaleSpread(state.scale_spread)
        self._objects, self._floor = state.objects, state.floor
        self._geometric.walls.found = state.walls
        self.keyframes.reset(keyframes)
        return without

    @property
    def revision(self) -> int:
        """Grows, over resets too, with all changes but of stamps, counts and the observer."""
        return self._first_revision + self._objects.revision + self._floor.revision

    @property
    def bytes_used(self) -> int:
        """Bytes of what grows with the scene: objects' points, floor cells, keyframes, proxies."""
        images = self.keyframes.bytes_used + (self.proxies.bytes_used if self.proxies else 0)
        return self._objects.bytes_used + self._floor.cells.nbytes + images

    def _refuse_unusable(self, frame: Frame) -> NDArray[np.float64]:
        """The pose of a frame that has all that is needed."""
        kind = self.config.instances
        if kind in ("labels", "tracked") and frame.labels is None:
            raise ValueError(f"the frame has no label image, which instances = {kind} needs")
        if kind == "detections" and frame.detections is None:
            raise ValueError("the frame has no detections, which instances = detections needs")
        if frame.T_fixed_camera is None:
            raise ValueError("the frame has no pose: geometry.poses says where it comes from")
        return frame.T_fixed_camera

    def _segment(self, frame: Frame, points: PointMap) -> Segments:
        config = self.config
        if frame.labels is not None and config.instances == "labels":
            return from_labels(frame.labels, points, config.segmentation, config.points)
        walls, known = self._geometric.walls, self._geometric.walls.revision
        shapes = self._geometric.segment(points, self._floor.height)
        if walls.revision != known:
            self._objects.cut(walls.hold)
        if frame.labels is not None and config.instances == "tracked":
            return from_masks(frame.labels, points, shapes.ids, config)
        if frame.detections is not None and config.instances == "detections":
            return from_detections(frame.detections, points, shapes.ids, config)
        return shapes

    def _offer(
        self, frame: Frame, points: PointMap, segments: Segments, shown: dict[int, int]
    ) -> None:
        """Let keyframes and proxies follow the objects, and have the frame if they want it."""
        seen = {item.id: item for item in map(self._objects.part_of, shown.values()) if item}
        sure = [i for i, item in seen.items() if item.state is ObjectState.CONFIRMED]
        pose, stamp_ns, proxies = points.T_scene_camera, frame.stamp_ns, self.proxies
        self.keyframes.follow(self._still)
        if self.keyframes.wants(pose, stamp_ns, sure):
            self.keyframes.offer(frame, points, seen)
        if proxies is None:
            return
        proxies.follow(self._present)
        if proxies.wants(pose, stamp_ns, sure):
            groups = groups_of(segments, shown, points, self._floor.height)
            proxies.offer(frame.rgb, points, groups, stamp_ns)

    def _still(self, object_id: int) -> int | None:
        """What that object is part of now, None when it has been forgotten."""
        item = self._objects.part_of(object_id)
        return None if item is None else item.id

    def _present(self, object_id: int) -> int | None:
        """What that object is part of now, None when it is not there any more."""
        item = self._objects.part_of(object_id)
        return None if item is None or item.state is ObjectState.MISSING else item.id

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.timings_ms[part] = 1e3 * (time.perf_counter() - start)
