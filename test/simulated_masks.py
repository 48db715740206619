"""What follows masks in the place of a network: true instances of a simulated drive, spoilt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from spatial_vlm_ros.simulation import robot
from spatial_vlm_ros.simulation.record import build
from spatial_vlm_ros.simulation.renderer import Renderer
from spatial_vlm_ros.tracking.propagation import Candidate, Followed

H, W = 48, 64
SURROUNDINGS = ("floor", "wall", "ceiling")
_KERNEL = np.ones((3, 3), np.uint8)


@lru_cache(maxsize=2)
def drive_ids(seed: int = 3, rooms: int = 2, fps: float = 10.0) -> np.ndarray:
    """(n, H, W) uint8 true instance ids along a drive; surroundings are 0, nothing."""
    world, drive = build(seed, rooms)
    renderer = Renderer(world.mesh(), world.room_lights(), robot.camera(W, H))
    poses = drive.pose(np.arange(int(drive.duration * fps)) / fps)
    ids = np.stack(
        [renderer.render(robot.camera_pose(robot.base_pose(*pose))).ids for pose in poses]
    )
    ids[np.isin(ids, [n for n, name in world.names.items() if name in SURROUNDINGS])] = 0
    assert ids.max() < 256
    return ids.astype(np.uint8)


def to_and_fro(images: np.ndarray, count: int) -> Iterable[np.ndarray]:
    """So many images: the drive, then backwards, then again; every second time mirrored."""
    for step in range(count):
        turn, within = divmod(step, len(images) - 1)
        image = images[within] if turn % 2 == 0 else images[len(images) - 1 - within]
        yield image[:, ::-1] if turn % 4 >= 2 else image


@dataclass(frozen=True)
class Faults:
    """How often the simulated network is wrong; each per thing and image."""

    ragged: float = 0.2  # a mask is a cell too large or too small all around
    dropout: float = 0.01  # it reports something in view as not in view, for up to 4 images
    ghost: float = 0.002  # it reports something out of view as in view, at a random place
    blind: float = 0.3  # it does not find a thing again that was out of view, ever
    drift: float = 0.0005  # it jumps onto what is beside
    poor: float = 0.2  # a prompted mask is cut in half, and the network knows (low quality)
    fooled: float = 0.02  # a prompted mask is cut in half, and it does not know


PERFECT = Faults(*[0.0] * 7)


class SimulatedMasks:
    """A ``MaskPropagator`` that knows the truth.

    Each image given to ``step`` has the true ids in its red channel.
    """

    def __init__(self, faults: Faults = PERFECT, seed: int = 0) -> None:
        self._faults = faults
        self._rng = np.random.default_rng(seed)
        self.followed: dict[int, int] = {}  # true id by number, -1: lost for ever
        self._silent: dict[int, int] = {}
        self._away: dict[int, bool] = {}
        self.truth = np.zeros((H, W), np.uint8)
        self.most = 0
        self.faults = Counter[str]()

    def step(self, rgb: np.ndarray) -> dict[int, Followed]:
        self.truth = np.ascontiguousarray(rgb[..., 0])
        areas = np.bincount(self.truth.reshape(-1), minlength=256)
        self.most = max(self.most, len(self.followed))
        return {number: self._report(number, areas) for number in self.followed}

    def _report(self, number: int, areas: np.ndarray) -> Followed:
        faults, rng = self._faults, self._rng
        true = self.followed[number]
        there = true > 0 and areas[true] > 0
        if there and self._away.get(number) and rng.random() < faults.blind:
            self.followed[number], there = -1, False
            self.faults["blind"] += 1
        self._away[number] = not there
        if there and rng.random() < faults.drift:
            beside = cv2.dilate((self.truth == true).astype(np.uint8), _KERNEL) > 0
            others = np.setdiff1d(self.truth[beside], [0, true])
            if len(others):
                self.faults["drift"] += 1
                self.followed[number] = true = int(rng.choice(others))
        if there and rng.random() < faults.dropout:
            self.faults["dropout"] += 1
            self._silent[number] = int(rng.integers(1, 5))
        if self._silent.get(number, 0) > 0:
            self._silent[number] -= 1
            there = False
        if there:
            return Followed(self._logits(self.truth == true), float(rng.uniform(0.6, 1.0)))
        if rng.random() < faults.ghost:
            self.faults["ghost"] += 1
            v, u = rng.integers(0, H - 6), rng.integers(0, W - 6)
            mask = np.zeros((H, W), bool)
            mask[v : v + 6, u : u + 6] = True
            return Followed(self._logits(mask), float(rng.uniform(0.5, 0.7)))
        # A network makes a mask of what is not there, too.
        return Followed(self._logits(self.truth == true), float(rng.uniform(0.0, 0.4)))

    def at_points(self, points: np.ndarray) -> list[Candidate]:
        candidates = []
        for u, v in points:
            true = int(self.truth[int(v), int(u)])
            mask = self.truth == true
            part = mask.copy()
            part[: int(v)] = False
            room = self.truth == 0
            candidates += [
                Candidate(self._logits(part), 0.6),
                self._prompted(mask if true else np.zeros((H, W), bool)),
                Candidate(self._logits(room), 0.9),  # most of the image
            ]
        return candidates

    def in_boxes(self, boxes: np.ndarray) -> list[Candidate]:
        candidates = []
        for u_min, v_min, u_max, v_max in np.rint(boxes).astype(int):
            inside = self.truth[v_min:v_max, u_min:u_max]
            counts = np.bincount(inside.reshape(-1), minlength=256)
            counts[0] = 0
            mask = (self.truth == counts.argmax()) & (self.truth > 0)
            candidates.append(self._prompted(mask))
        return candidates

    def follow(self, number: int, logits: np.ndarray) -> None:
        counts = np.bincount(self.truth[logits > 0], minlength=256)
        counts[0] = 0
        self.followed[number] = int(counts.argmax()) if counts.any() else -1
        self.most = max(self.most, len(self.followed))

    def drop(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            for memory in (self.followed, self._silent, self._away):
                memory.pop(number, None)

    def reset(self) -> None:
        self.drop(list(self.followed))

    @property
    def size(self) -> int:
        return 1000 * len(self.followed)

    def _prompted(self, mask: np.ndarray) -> Candidate:
        sure = float(self._rng.uniform(0.82, 0.98))
        poor, fooled = self._rng.random(2) < (self._faults.poor, self._faults.fooled)
        if poor or fooled:
            mask = mask.copy()
            columns = np.flatnonzero(mask.any(0))
            if len(columns):
                mask[:, : int(columns.mean())] = False
        return Candidate(self._logits(mask), 0.5 if poor else sure)

    def _logits(self, mask: np.ndarray) -> np.ndarray:
        mask = mask.astype(np.uint8)
        if self._rng.random() < self._faults.ragged:
            change = cv2.dilate if self._rng.random() < 0.5 else cv2.erode
            changed = change(mask, _KERNEL)
            mask = changed if changed.any() else mask
        return mask.astype(np.float32) * 16 - 8


def image(ids: np.ndarray) -> np.ndarray:
    """(H, W, 3) as a camera image that carries the truth."""
    rgb = np.zeros((*ids.shape, 3), np.uint8)
    rgb[..., 0] = ids
    return rgb


class Score:
    """Truth against ids given, as in multiple object tracking (CLEAR MOT).

    A true thing in view (``least`` cells) is covered by the id with the largest IoU, if that is at
    least 0.5. A switch: it is covered by another id than it was before, unless it has been out of
    view for more than ``lost_after`` images since; a fragment: it is covered again after it was
    not, though in view. ``cover``: the mean share of things in view that are covered.
    """

    def __init__(self, lost_after: int, least: int = 24) -> None:
        self.lost_after, self.least = lost_after, least
        self.switches = self.fragments = self.images = self.shown = self.covered = 0
        self._ids: dict[int, int] = {}
        self._seen: dict[int, int] = {}
        self._open: dict[int, bool] = {}

    def add(self, truth: np.ndarray, ids: np.ndarray, numbers: Sequence[int]) -> None:
        self.images += 1
        index = np.zeros(max([0, *numbers]) + 1, np.int64)
        index[list(numbers)] = np.arange(1, len(numbers) + 1)
        rows = len(numbers) + 1
        joint = np.bincount(
            truth.reshape(-1).astype(np.int64) * rows + index[ids.reshape(-1)], minlength=256 * rows
        ).reshape(256, rows)
        areas, own = joint.sum(1), joint.sum(0)
        for true in np.flatnonzero(areas[1:] >= self.least) + 1:
            union = areas[true] + own - joint[true]
            iou = joint[true] / union
            iou[0] = 0
            best = int(iou.argmax())
            self.shown += 1
            last = self._seen.get(true)
            if last is not None and self.images - last > self.lost_after:
                self._ids.pop(true, None)
                self._open.pop(true, None)
            self._seen[true] = self.images
            if iou[best] < 0.5:
                if true in self._ids:
                    self._open[true] = True
                continue
            self.covered += 1
            number = numbers[best - 1]
            self.switches += self._ids.get(true, number) != number
            self.fragments += self._open.pop(true, False)
            self._ids[true] = number

    @property
    def cover(self) -> float:
        return self.covered / max(1, self.shown)
