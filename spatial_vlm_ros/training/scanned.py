"""Scans of real rooms to compute: ScanNet, ScanNet++ and ARKitScenes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.config import MemoryConfig
from spatial_vlm_ros.data.readers.cameras import evenly
from spatial_vlm_ros.data.scans import scans
from spatial_vlm_ros.data.scans.box_labels import BoxLabeller
from spatial_vlm_ros.data.scans.scan import SHIFT, Views
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.data.unusable import WRONG, Unusable, rejected
from spatial_vlm_ros.frame import Frame, LabelImage
from spatial_vlm_ros.perception.points import unproject
from spatial_vlm_ros.scene_frame import inverse, scene_frame
from spatial_vlm_ros.training.precompute import Scene

#: Of the points that a label image gives to objects, this share has to be in their boxes, grown by
#: so many metres: else the labels are of other objects, or the poses of another world.
FITTING, NEAR = 0.5, 0.1


@dataclass(frozen=True)
class Scanned:
    """A scan, seen in at most ``views`` of its images, evenly spread; None: all that can be used.

    kind: of :data:`spatial_vlm_ros.data.scans.NAMES`. scan: its name in lists of them. annotation:
    its file below the root, None where there is none. labels: whether it is told which object each
    pixel shows, as proxies need it.
    """

    kind: str
    root: Path
    scan: str
    annotation: Path | None
    views: int | None = 24
    labels: bool = True

    @property
    def name(self) -> str:
        """``scannet/scene0000_00``, as in rows and files of scenes."""
        return f"{self.kind}/{self.scan}"

    def open(self) -> Scene:
        """``Unusable``: why it cannot be; the frames raise it too, for they are read one by one."""
        if self.annotation is None:
            raise Unusable("scan not there", f"{self.root} has no annotation of {self.scan}")
        found = scans(self.kind)
        with _told(self.name):
            made = found.read(self.root, self.annotation)
            (annotation,) = [each for each in made if isinstance(each, AnnotatedScene)]
            try:
                views = found.views(self.annotation, self.labels and found.has_labels)
            except (Unusable, FileNotFoundError) as error:
                told = rejected(error, self.name)
                layout = f"{told.detail}; images of {self.kind} are read from\n{found.layout}"
                raise Unusable(told.reason, layout) from None
        T_scene_world = inverse(scene_frame(annotation.T_world_first, annotation.up))
        chosen = range(len(views)) if self.views is None else evenly(len(views), self.views)
        boxes = self.labels and not found.has_labels
        frames = _Frames(annotation, views, [int(view) for view in chosen], T_scene_world, boxes)
        return Scene(annotation, frames, T_scene_world, SHIFT)


def found_scans(
    kind: str, root: Path, names: Sequence[str], views: int | None, labels: bool
) -> list[Scanned]:
    """All of a data set's root, in the order of their names; with names those, there or not.

    ``ValueError``: nothing of that layout is there.
    """
    found = scans(kind)
    there = {found.name(path): path for path in reversed(found.annotations(root))}
    wanted = dict.fromkeys(names) or sorted(there)
    return [Scanned(kind, root, name, there.get(name), views, labels) for name in wanted]


@dataclass(frozen=True, eq=False)
class _Frames:
    """Frames of the chosen views, read when it is their turn.

    boxes: labels are made of them; else they are the images' own, if those are read.
    """

    annotation: AnnotatedScene
    views: Views
    chosen: Sequence[int]
    T_scene_world: NDArray[np.float64]
    boxes: bool

    def __iter__(self) -> Iterator[Frame]:
        names = {item.id + SHIFT: item.category for item in self.annotation.objects}
        fit, label = _Fit(self.annotation), BoxLabeller(self.annotation, MemoryConfig())
        for view in self.chosen:
            with _told(self.annotation.name):
                frame = self.views.frame(view, names)
                T_scene_camera = self.T_scene_world @ self.views.T_world_cameras[view]
                if self.boxes:
                    frame = replace(frame, labels=label(frame, T_scene_camera))
                if frame.labels is not None:
                    fit.add(frame, frame.labels, T_scene_camera)
            yield frame
        if frame.labels is not None:
            fit.check()


class _Fit:
    """How many of the points that label images give to objects are in those objects' boxes.

    Surroundings do not count: all of a room is in the box of its walls.
    """

    def __init__(self, annotation: AnnotatedScene) -> None:
        self._name, background = annotation.name, MemoryConfig().segmentation.background
        self._objects = [each for each in annotation.objects if each.category not in background]
        self._inside = self._all = 0

    def add(self, frame: Frame, labels: LabelImage, T_scene_camera: NDArray[np.float64]) -> None:
        points = unproject(frame, T_scene_camera, MemoryConfig().points)
        ids = labels.ids[:: points.stride, :: points.stride][points.valid]
        points_scene = points.points_scene[points.valid]
        for item in self._objects:
            own = points_scene[ids == item.id + SHIFT]
            self._inside += int(item.box.contains(own, NEAR).sum())
            self._all += len(own)

    def check(self) -> None:
        """``Unusable``: none, or too few."""
        if not self._all:
            raise Unusable("nothing seen", f"no image of {self._name} shows any of its objects")
        if self._inside < FITTING * self._all:
            raise Unusable(
                "labels do not fit the boxes",
                f"of {self._all} points labelled in images of {self._name} "
                f"{self._inside} are in the boxes of their objects",
            )


@contextmanager
def _told(name: str) -> Iterator[None]:
    """All that files of another form than expected raise, as ``Unusable``."""
    try:
        yield
    except Unusable:
        raise
    except (*WRONG, OSError, RecursionError) as error:
        found = rejected(error, name)
        raise Unusable(found.reason, found.detail) from error
