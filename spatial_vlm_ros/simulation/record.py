"""Simulating a recording: a furnished building, a drive through it, a bag and the truth."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.simulation import robot
from spatial_vlm_ros.simulation.bag import Robot, write_bag
from spatial_vlm_ros.simulation.filming import Set, Shot, shots
from spatial_vlm_ros.simulation.furnish import furnish
from spatial_vlm_ros.simulation.questions import Sightings, make_questions
from spatial_vlm_ros.simulation.rooms import make_plan
from spatial_vlm_ros.simulation.seen import exposed_surfels
from spatial_vlm_ros.simulation.trajectory import Drive, NoWay, plan_drive
from spatial_vlm_ros.simulation.truth import (
    VERSION,
    TrueObject,
    TrueRoom,
    Truth,
    load_truth,
    save_questions,
    save_truth,
    scene_pose,
)
from spatial_vlm_ros.simulation.world import Placed, World

EPOCH_NS = 1_760_000_000_000_000_000
TF_PERIOD_NS = 20_000_000
TF_MARGIN_NS = 200_000_000  # odometry before the first and after the last image
IMAGE_PHASE_NS = 7_300_000  # images are not stamped when odometry is
APPEARED_PIXELS, SEEN_PIXELS = 100, 400  # with depth, at 640x480
ATTEMPTS = 60


def simulate(
    folder: Path,
    seed: int = 0,
    rooms: int = 2,
    fps: float = 10.0,
    width: int = 640,
    height: int = 480,
    seconds: float | None = None,
    workers: int = 2,
    overwrite: bool = False,
    progress: bool = True,
) -> None:
    """Write ``folder``/bag, ``folder``/truth.json and ``folder``/questions.json.

    ``seconds`` cuts the drive short (None: through all rooms). The same arguments give the same
    recording whatever ``workers`` is; one that is there already is kept. ``workers`` above 1
    starts processes, so a program calling this at its top level needs the usual
    ``if __name__ == "__main__"``. Raises ``ValueError`` for unusable arguments and
    ``FileExistsError`` when the folder holds another recording and ``overwrite`` is False.
    """
    folder = Path(folder)
    arguments = {
        "seed": seed,
        "rooms": rooms,
        "fps": fps,
        "width": width,
        "height": height,
        "seconds": seconds,
    }
    _check(arguments, workers)
    if not overwrite and _is_there(folder, arguments):
        return
    shutil.rmtree(folder / "bag", ignore_errors=True)
    (folder / "truth.json").unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)

    world, drive = build(seed, rooms)
    stamps = _image_stamps(drive, fps, seconds)
    intrinsics = robot.camera(width, height)
    T_map_camera = np.array([robot.camera_pose(pose) for pose in _base_poses(drive, stamps)])
    mesh = world.mesh()
    surfels = exposed_surfels(mesh, len(world.objects), np.random.default_rng([seed, 1]))
    film = Set(mesh, world.room_lights(), surfels, intrinsics, seed)
    record = _Record(surfels.ids)
    with shots(film, T_map_camera, workers) as taken:
        bar = tqdm(taken, "simulate", len(stamps), unit="image", disable=None if progress else True)
        write_bag(
            folder / "bag", _robot(world, drive, stamps, intrinsics), stamps, record.watch(bar)
        )
    truth = _truth(world, drive, stamps, T_map_camera, record, arguments)
    sightings = Sightings(stamps, np.array(record.pixels), width * height / (640 * 480))
    save_questions(folder / "questions.json", make_questions(truth, sightings, seed))
    save_truth(folder / "truth.json", truth)  # last: its presence marks a complete recording


def build(seed: int, rooms: int) -> tuple[World, Drive]:
    """The first furnished building of this seed that can be driven through."""
    for attempt in range(ATTEMPTS):
        rng = np.random.default_rng([seed, rooms, attempt])
        world = furnish(make_plan(rng, rooms), rng)
        try:
            return world, plan_drive(world, rng)
        except NoWay:
            continue
    raise ValueError(f"seed {seed}: no drivable building in {ATTEMPTS} attempts, use another seed")


def _check(arguments: dict[str, Any], workers: int) -> None:
    limits = {"fps": (0.1, 100), "width": (16, 4096), "height": (16, 4096), "rooms": (1, 3)}
    for name, (low, high) in limits.items():
        if not low <= arguments[name] <= high:
            raise ValueError(f"{name}: {arguments[name]} is not within {low} and {high}")
    if arguments["seconds"] is not None and not arguments["seconds"] > 0:
        raise ValueError(f"seconds: {arguments['seconds']} is not positive")
    if workers < 1:
        raise ValueError(f"workers: {workers} is below 1")
    if arguments["seed"] < 0:
        raise ValueError(f"seed: {arguments['seed']} is negative")


def _is_there(folder: Path, arguments: dict[str, Any]) -> bool:
    """Whether this very recording is complete in ``folder``."""
    if not (folder / "truth.json").exists():
        return False
    try:
        made_by = load_truth(folder / "truth.json").arguments
    except (ValueError, KeyError, TypeError) as error:
        raise FileExistsError(
            f"{folder} holds a recording of another version ({error}): overwrite it or choose "
            "another folder"
        ) from error
    if made_by != arguments:
        raise FileExistsError(
            f"{folder} holds another recording ({made_by}, version {VERSION}): overwrite it or "
            "choose another folder"
        )
    return True


def _image_stamps(drive: Drive, fps: float, seconds: float | None) -> NDArray[np.int64]:
    duration = drive.duration if seconds is None else min(seconds, drive.duration)
    count = max(1, int(np.floor(duration * fps)))
    return EPOCH_NS + IMAGE_PHASE_NS + np.rint(np.arange(count) * 1e9 / fps).astype(np.int64)


def _base_poses(drive: Drive, stamps_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n, 4, 4) T_map_base at those stamps."""
    poses = drive.pose((stamps_ns - EPOCH_NS) / 1e9)
    return np.array([robot.base_pose(*pose) for pose in poses])


def _odom_origin(drive: Drive) -> NDArray[np.float64]:
    """(4, 4) T_map_odom: odometry starts where the robot does."""
    return robot.base_pose(*drive.pose(np.zeros(1))[0])


def _robot(world: World, drive: Drive, stamps: NDArray[np.int64], intrinsics: Any) -> Robot:
    tf_stamps = np.arange(
        EPOCH_NS - TF_MARGIN_NS, stamps[-1] + TF_MARGIN_NS, TF_PERIOD_NS, dtype=np.int64
    )
    T_map_odom = _odom_origin(drive)
    T_odom_base = np.linalg.inv(T_map_odom) @ _base_poses(drive, tf_stamps)
    return Robot(T_map_odom, tf_stamps, T_odom_base, world.names, intrinsics)


@dataclass
class _Record:
    """What the images showed, collected while they pass."""

    surfel_ids: NDArray[np.int32]
    shown: NDArray[np.bool_] = field(init=False)
    pixels: list[NDArray[np.int64]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shown = np.zeros(len(self.surfel_ids), bool)

    def watch(self, taken: Iterable[Shot]) -> Iterator[Shot]:
        for shot in taken:
            self.shown |= shot.shown
            self.pixels.append(shot.pixels)
            yield shot

    def surface_seen(self, number: int) -> float:
        """Share of an object's exposed surface that was shown."""
        own = self.shown[self.surfel_ids == number]
        return float(own.mean()) if len(own) else 0.0


def _truth(
    world: World,
    drive: Drive,
    stamps: NDArray[np.int64],
    T_map_camera: NDArray[np.float64],
    record: _Record,
    arguments: dict[str, Any],
) -> Truth:
    T_map_scene = scene_pose(T_map_camera[0])
    pixels = np.array(record.pixels)
    area = arguments["width"] * arguments["height"] / (640 * 480)
    objects = []
    for item in world.objects:
        appeared = np.flatnonzero(pixels[:, item.id] >= APPEARED_PIXELS * area)
        first = int(stamps[appeared[0]]) if len(appeared) else None
        frames = int((pixels[:, item.id] >= SEEN_PIXELS * area).sum())
        share = record.surface_seen(item.id)
        objects.append(object_truth(world, item, T_map_scene, first, frames, share))
    return Truth(
        objects=tuple(objects),
        rooms=room_truth(world, T_map_scene),
        T_map_scene=T_map_scene,
        T_map_odom=_odom_origin(drive),
        stamps_ns=stamps,
        T_map_camera=T_map_camera,
        intrinsics=robot.camera(arguments["width"], arguments["height"]),
        arguments=arguments,
    )


def object_truth(
    world: World,
    item: Placed,
    T_map_scene: NDArray[np.float64],
    first_visible_ns: int | None,
    frames_seen: int,
    surface_seen: float,
) -> TrueObject:
    """An object with the tight box of its mesh, at its own yaw, in the scene frame."""
    x, y, z = T_map_scene[:3, :3].T @ (item.center_map - T_map_scene[:3, 3])
    yaw = item.yaw - np.arctan2(T_map_scene[1, 0], T_map_scene[0, 0])
    length, width, height = item.size
    return TrueObject(
        id=item.id,
        category=item.category,
        colour=item.colour,
        room=world.room_names[item.room],
        support=item.support,
        box=Box(*map(float, (x, y, z, length, width, height, yaw))).canonical(),
        first_visible_ns=first_visible_ns,
        frames_seen=frames_seen,
        surface_seen=round(surface_seen, 4),
    )


def room_truth(world: World, T_map_scene: NDArray[np.float64]) -> tuple[TrueRoom, ...]:
    """The rooms' floors in the scene frame."""
    T_scene_map = np.linalg.inv(T_map_scene)
    rooms = []
    for name, room in zip(world.room_names, world.plan.rooms, strict=True):
        corners = np.array(room.polygon.exterior.coords)[:-1]
        outline = corners @ T_scene_map[:2, :2].T + T_scene_map[:2, 3]
        rooms.append(TrueRoom(name, outline, float(room.polygon.area)))
    return tuple(rooms)
