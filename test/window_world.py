"""A corridor round a block, a robot that drives round it, and what a network of many views would
say about its images: true geometry in a unit of each window's own, with noise and with errors.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np

from spatial_vlm_ros.frame import Frame, Intrinsics
from spatial_vlm_ros.geometry.prediction import Prediction
from spatial_vlm_ros.geometry.stitching import centre
from spatial_vlm_ros.geometry.window import nearest
from spatial_vlm_ros.scene_frame import level_frame

IMAGE = Intrinsics(112, 84, 73.0, 73.0, 55.5, 41.5)  # 75 degrees across
SEEN = Intrinsics(56, 42, 36.5, 36.5, 27.5, 20.5)  # of which the network says depths
HEIGHT = 1.2  # of the camera over the floor
PITCH = np.radians(15.0)
PERIOD_NS = 1_000_000_000

#: The corridor round a block is 4 m wide and 2.6 m high; the way in its middle is 60 m long.
BLOCK, WIDTH, CEILING = (12.8, 10.5), 4.0, 2.6


def boxes() -> np.ndarray:
    """(n, 6) solid boxes, low corner and high corner: the block, and furniture along the walls."""
    random = np.random.default_rng(7)
    solid = [[0, 0, 0, *BLOCK, CEILING]]
    for axis in (0, 1):
        for wall in (-WIDTH, BLOCK[1 - axis] + WIDTH):
            for along in np.arange(-2.0, BLOCK[axis] + 3, 1.7):
                deep, wide = random.uniform(0.2, 0.7), random.uniform(0.3, 0.9)
                low, high = np.zeros(3), np.zeros(3)
                low[axis], high[axis] = along, along + wide
                low[1 - axis] = wall if wall < 0 else wall - deep
                high[1 - axis], high[2] = low[1 - axis] + deep, random.uniform(0.3, 2.0)
                solid.append([*low, *high])
    return np.array(solid)


SOLID = boxes()
ROOM = np.array([-WIDTH, -WIDTH, 0, BLOCK[0] + WIDTH, BLOCK[1] + WIDTH, CEILING])


def depth_of(T_map_camera: np.ndarray, camera: Intrinsics = SEEN) -> np.ndarray:
    """(h, w) float32 metres: the first wall, box, floor or ceiling that each pixel's ray meets."""
    v, u = np.mgrid[: camera.height, : camera.width]
    x, y = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
    rays, eye = np.stack([x, y, np.ones(u.shape)], -1).reshape(-1, 3), T_map_camera[:3, 3]
    way = rays @ T_map_camera[:3, :3].T
    with np.errstate(divide="ignore", invalid="ignore"):
        out = np.maximum((ROOM[:3] - eye) / way, (ROOM[3:] - eye) / way).min(axis=1)
        a = (SOLID[:, None, :3] - eye) / way
        b = (SOLID[:, None, 3:] - eye) / way
        enters, leaves = np.minimum(a, b).max(axis=2), np.maximum(a, b).min(axis=2)
    hit = np.where((enters < leaves) & (enters > 0), enters, np.inf).min(axis=0)
    return np.minimum(hit, out).reshape(u.shape).astype(np.float32)


@lru_cache(maxsize=1024)
def _depth_at(T_map_camera: bytes) -> np.ndarray:
    return depth_of(np.frombuffer(T_map_camera).reshape(4, 4))


def pose(x: float, y: float, yaw: float, pitch: float = PITCH) -> np.ndarray:
    """(4, 4) T_map_camera of a camera over the floor that looks along yaw, and down by pitch."""
    forward = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), -np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    T = np.eye(4)
    T[:3, :3] = np.column_stack([right, np.cross(forward, right), forward])
    T[:3, 3] = (x, y, HEIGHT)
    return T


def loop(step: float = 0.35, rounding: float = 1.5) -> list[np.ndarray]:
    """Poses every ``step`` metres of one round in the corridor's middle, looking ahead."""
    half = WIDTH / 2
    low, high = np.array([-half, -half]), np.array(BLOCK) + half
    corners = [low, (high[0], low[1]), high, (low[0], high[1])]
    places, yaws = [], []
    for k, corner in enumerate(np.array(corners)):
        before, after = np.radians(90 * k), np.radians(90 * (k + 1))
        along = np.array([np.cos(before), np.sin(before)])
        length = np.linalg.norm(np.roll(corners, -1, axis=0)[k] - corner) - 2 * rounding
        for s in np.arange(0, length, 0.02):
            places.append(corner + along * (rounding + s))
            yaws.append(before)
        middle = (
            corner
            + along * (length + rounding)
            + rounding * np.array([-np.sin(before), np.cos(before)])
        )
        for yaw in np.arange(before, after, 0.02 / rounding):
            places.append(middle + rounding * np.array([np.sin(yaw), -np.cos(yaw)]))
            yaws.append(yaw)
    places = np.array(places)
    way = np.r_[0, np.cumsum(np.linalg.norm(np.diff(places, axis=0), axis=1))]
    chosen = np.searchsorted(way, np.arange(0, way[-1], step))
    return [pose(*places[i], yaws[i]) for i in chosen]


def numbered(number: int) -> np.ndarray:
    """(H, W, 3) an image from which the network of this world reads which one it is."""
    rgb = np.full((IMAGE.height, IMAGE.width, 3), 90, np.uint8)
    rgb[0, 0] = (number >> 8, number & 255, 0)
    return rgb


def frame(number: int, T_map_camera: np.ndarray | None, **more) -> Frame:
    """A key frame: its stamps are so far apart that none is passed over for want of corners."""
    more = {"depth": None, "camera_frame": "camera", **more}
    return Frame(
        stamp_ns=number * PERIOD_NS, rgb=numbered(number), intrinsics=IMAGE,
        T_fixed_camera=T_map_camera, **more,
    )  # fmt: skip


@dataclass(frozen=True)
class Errors:
    """What is wrong with predictions: all relative, 1 sigma, unless said otherwise.

    unit: how much the unit differs from window to window (log). depth: of each pixel. image: of
    all pixels of an image together. bend: of depth from left to right. turn: degrees. place: share
    of the way from the window's first camera, and at least of half a metre. pixels: share of them
    that are far off. poses: chance of an image, beside the first, to be misplaced.
    """

    unit: float = 0.5
    depth: float = 0.02
    image: float = 0.005
    bend: float = 0.005
    turn: float = 0.15
    place: float = 0.01
    pixels: float = 0.3
    poses: float = 0.0


EXACT = Errors(0.5, 0, 0, 0, 0, 0, 0)


@dataclass
class Network:
    """A predictor that knows the world, and errs as it is told.

    broken: calls, from 0, that fail: "memory" raises as a GPU does, "nan" and "flat" give such
    depths. misplaced: numbers of images whose pose is wrong wherever they come. units: what one
    window's unit was, in metres, call by call.
    """

    poses: list[np.ndarray]
    errors: Errors = field(default_factory=Errors)
    seed: int = 0
    broken: dict[int, str] = field(default_factory=dict)
    misplaced: frozenset[int] = frozenset()
    units: list[float] = field(default_factory=list)
    asked: list[list[int]] = field(default_factory=list)
    last: Prediction | None = None

    def predict(self, images) -> Prediction:
        numbers = [number_of(image) for image in images]
        random = np.random.default_rng((self.seed, len(self.asked)))
        kind = self.broken.get(len(self.asked), "")
        self.asked.append(numbers)
        self.units.append(float(np.exp(self.errors.unit * random.standard_normal())))
        if kind == "memory":
            raise RuntimeError("CUDA out of memory")
        if kind == "ram":
            raise MemoryError
        depth, confidence = zip(*(self._depth(n, random) for n in numbers), strict=True)
        T = self._cameras(numbers, random)
        T[:, :3, 3] /= self.units[-1]
        depth = np.array(depth) / self.units[-1]
        if kind == "nan":
            depth[0, 3, 4] = np.nan
        if kind == "flat":
            depth[:] = 1.0
        # VGGT counts pixels from the image's corner.
        camera = np.array([[SEEN.fx, 0, 28], [0, SEEN.fy, 21], [0, 0, 1.0]])
        self.last = Prediction(
            depth.astype(np.float32), np.array(confidence, np.float32), T,
            np.tile(camera, (len(numbers), 1, 1)),
        )  # fmt: skip
        return self.last

    def _depth(self, number, random):
        """(depth in metres, confidence) of an image."""
        e, true = self.errors, _depth_at(self.poses[number].tobytes())
        across = np.linspace(-1, 1, SEEN.width)
        error = e.image * random.standard_normal() + e.bend * random.standard_normal() * across
        error = error + e.depth * random.standard_normal(true.shape)
        off = random.random(true.shape) < e.pixels
        error = np.where(off, random.uniform(-0.6, 1.2, true.shape), error)  # most too far
        # Sure pixels are nearer ones; what is wrong does not know it.
        return true * np.exp(error), 1 + 5 / true * random.uniform(0.5, 1.5, true.shape)

    def _cameras(self, numbers, random):
        e = self.errors
        T = np.array([np.linalg.inv(self.poses[numbers[0]]) @ self.poses[n] for n in numbers])
        for k, number in enumerate(numbers[1:], 1):
            far = max(np.linalg.norm(T[k, :3, 3]), 0.5)
            wrong = random.random() < e.poses or number in self.misplaced
            degrees, place = (15.0, 0.5) if wrong else (e.turn, e.place * far / np.sqrt(3))
            T[k, :3, :3] = noise_turn(random, degrees) @ T[k, :3, :3]
            T[k, :3, 3] += place * random.standard_normal(3)
        return T


def noise_turn(random: np.random.Generator, degrees: float) -> np.ndarray:
    """(3, 3) a turn about any axis, of that many degrees (1 sigma) about each."""
    return cv2.Rodrigues(np.radians(degrees) * random.standard_normal(3))[0]


class OneImageNetwork:
    """A network that sees metres in single images: each image is off by a share of its own."""

    def __init__(self, poses, image=0.04, pixel=0.05, lasting=0.0, seed=0) -> None:
        self.poses, self.image, self.pixel, self.lasting = poses, image, pixel, lasting
        self.random = np.random.default_rng(seed)

    def depth(self, rgb, intrinsics):
        true = true_depth(self.poses[number_of(rgb)])
        off = self.lasting + self.image * self.random.standard_normal()
        return true * np.exp(off + self.pixel * self.random.standard_normal(true.shape), dtype="f4")


def number_of(rgb: np.ndarray) -> int:
    return int(rgb[0, 0, 0]) << 8 | int(rgb[0, 0, 1])


def true_depth(T_map_camera: np.ndarray) -> np.ndarray:
    """(H, W) metres, by a depth camera that sees what the network sees."""
    return at_image(_depth_at(T_map_camera.tobytes()))


def at_image(depth: np.ndarray) -> np.ndarray:
    """(H, W) depth of the images' size, of a prediction's."""
    return nearest(depth.astype(np.float32), IMAGE.height, IMAGE.width)


def odometry(poses, scale=1.01, step=0.01, yaw=0.02, jitter=0.005, seed=0) -> list[np.ndarray]:
    """Poses as wheels tell them: a wrong radius, each step off by a share, turns by degrees."""
    random = np.random.default_rng(seed)
    at, told = poses[0], []
    for before, after in zip([poses[0], *poses], poses, strict=False):
        move = np.linalg.inv(before) @ after
        move[:3, 3] *= scale * (1 + step * random.standard_normal())
        at = at @ move
        turn = np.radians(yaw * random.standard_normal())
        at[:3, :3] = cv2.Rodrigues(np.array([0.0, 0.0, turn]))[0] @ at[:3, :3]
        told.append(at.copy())
        told[-1][:3, 3] += jitter * random.standard_normal(3)
    return told


def drive(geometry, frames) -> list[Frame]:
    """All frames that come out, the network being quick enough for each one that goes in."""
    complete = []
    for given in frames:
        geometry.offer(given)
        complete += ready(geometry)
    geometry.finish()
    return complete + ready(geometry)


def ready(geometry) -> list[Frame]:
    while geometry.compute():
        pass
    return list(iter(geometry.take, None))


def scales(complete, poses) -> np.ndarray:
    """(n,) the depth of each frame over the true one, over most of its pixels."""
    found = []
    for done in complete:
        true = true_depth(poses[number_of(done.rgb)])
        known = done.depth > 0
        found.append(centre(np.log(done.depth[known] / true[known]))[0])
    return np.exp(found)


def astray(complete, poses) -> tuple[np.ndarray, float, float]:
    """How far each pose is off (n,) metres, and the last one's yaw and tilt in degrees.

    The fixed frame is upright at the first camera, so the true poses are brought there.
    """
    to_fixed = np.linalg.inv(level_frame(poses[0]))
    true = [to_fixed @ poses[number_of(done.rgb)] for done in complete]
    away = [
        np.linalg.norm(done.T_fixed_camera[:3, 3] - T[:3, 3])
        for done, T in zip(complete, true, strict=True)
    ]
    turn = complete[-1].T_fixed_camera[:3, :3] @ true[-1][:3, :3].T
    yaw = np.degrees(np.arctan2(turn[1, 0], turn[0, 0]))
    tilt = np.degrees(np.arccos(np.clip(turn[2, 2], -1, 1)))
    return np.array(away), float(yaw), float(tilt)
