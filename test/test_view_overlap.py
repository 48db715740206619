"""Which images become key frames: shifts and turns by hand, rendered ones, and bare walls."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from spatial_vlm_ros.frame import Frame, Intrinsics
from spatial_vlm_ros.geometry.config import VggtConfig
from spatial_vlm_ros.geometry.view_overlap import ViewOverlap, corners, follow, overlap, small_grey
from spatial_vlm_ros.simulation.palette import COLOURS
from spatial_vlm_ros.simulation.renderer import Renderer
from spatial_vlm_ros.simulation.shapes import block
from spatial_vlm_ros.simulation.world import Mesh

CAMERA = Intrinsics(320, 240, 210.0, 210.0, 159.5, 119.5)
LARGE = cv2.resize(
    np.random.default_rng(1).integers(0, 256, (75, 100), dtype=np.uint8), (800, 600),
    interpolation=cv2.INTER_CUBIC,
)  # fmt: skip


def cut(right: float = 0.0, down: float = 0.0, degrees: float = 0.0) -> np.ndarray:
    """(240, 320, 3) of a large texture, so many pixels further right and down, turned."""
    T = cv2.getRotationMatrix2D((160 + 240, 120 + 180), degrees, 1.0)
    turned = cv2.warpAffine(LARGE, T, LARGE.shape[::-1], borderMode=cv2.BORDER_REFLECT)
    M = np.float32([[1, 0, -240 - right], [0, 1, -180 - down]])
    return cv2.cvtColor(cv2.warpAffine(turned, M, (320, 240)), cv2.COLOR_GRAY2RGB)


def frame(rgb, seconds: float = 0.0, T=None) -> Frame:
    return Frame(round(seconds * 1e9), rgb, None, CAMERA, T)


def grey(value: int = 90, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    rgb = value + noise * random.standard_normal((240, 320, 3))
    return np.clip(rgb, 0, 255).astype(np.uint8)


def seen(before: np.ndarray, now: np.ndarray) -> float:
    first, second = small_grey(before), small_grey(now)
    at = corners(first)
    found, there = follow(first, second, at, at)
    return overlap(at, found, there, first.shape[1])


def test_what_is_left_after_a_shift():
    """Of 320 pixels 16 are a twentieth, of 240 are 18 a bit more."""
    assert seen(cut(), cut()) == pytest.approx(1.0, abs=0.001)
    assert seen(cut(), cut(right=16)) == pytest.approx(0.95, abs=0.03)
    assert seen(cut(), cut(right=-16)) == pytest.approx(0.95, abs=0.04)
    assert seen(cut(), cut(down=18)) == pytest.approx(0.925, abs=0.04)


def test_a_turn_about_the_optical_axis_moves_the_margin_most():
    assert seen(cut(), cut(degrees=2)) > 0.93
    assert seen(cut(), cut(degrees=15)) < seen(cut(), cut(degrees=5)) < 1.0


def test_the_share_by_hand():
    before = np.array([[10.0 * k, 50] for k in range(15)], np.float32)
    there = np.ones(15, bool)
    assert overlap(before, before, there, 160) == 1.0
    assert overlap(before, before + np.float32([32, 0]), there, 160) == pytest.approx(0.8)
    there[:3] = False
    assert overlap(before, before, there, 160) == pytest.approx(0.8)
    there[:4] = False  # eleven corners tell nothing
    assert overlap(before, before, there, 160) == 0.0


def test_a_slow_shift_makes_a_key_frame_each_fifth_of_the_image():
    keys = ViewOverlap(VggtConfig(view_overlap=0.8))
    taken = [k for k in range(0, 200, 4) if keys.is_key(frame(cut(right=k - 100), k))]
    assert taken[0] == 0
    assert np.all(np.abs(np.diff(taken) - 64) <= 16)


def test_a_camera_that_stands_still_makes_none_in_spite_of_noise():
    keys, random = ViewOverlap(VggtConfig()), np.random.default_rng(0)
    for k in range(40):
        noisy = cut() + 4 * random.standard_normal((240, 320, 3))
        assert keys.is_key(frame(np.clip(noisy, 0, 255).astype(np.uint8), k / 10)) == (k == 0)


def test_a_sudden_cut_makes_one_at_once():
    keys = ViewOverlap(VggtConfig())
    assert keys.is_key(frame(cut(), 0.0))
    assert not keys.is_key(frame(cut(right=2), 0.1))
    assert keys.is_key(frame(cut(right=-220, down=150), 0.2))
    assert not keys.is_key(frame(cut(right=-219, down=150), 0.3))
    assert keys.is_key(frame(grey(), 0.4))  # the lamp goes out
    assert not keys.is_key(frame(grey(20), 0.5))
    assert keys.is_key(frame(cut(), 0.6))  # and on


def test_where_nothing_can_be_followed_there_is_one_a_second():
    keys = ViewOverlap(VggtConfig())
    taken = [k / 10 for k in range(45) if keys.is_key(frame(grey(noise=3, seed=k), k / 10))]
    assert taken == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_a_known_way_or_turn_makes_one_as_well():
    keys = ViewOverlap(VggtConfig(keyframe_distance=0.15, keyframe_angle=10.0))

    def at(metres: float, degrees: float) -> np.ndarray:
        T = np.eye(4)
        T[:3, :3] = cv2.Rodrigues(np.array([0.0, np.radians(degrees), 0.0]))[0]
        T[0, 3] = metres
        return T

    poses = [(0, 0), (0.1, 0), (0.16, 0), (0.16, 9.9), (0.16, 10.1), (0.3, 10.1), (0.32, 10.1)]
    taken = [keys.is_key(frame(cut(), 0.0, at(*pose))) for pose in poses]
    assert taken == [True, False, True, False, True, False, True]
    keys.reset()
    assert keys.is_key(frame(cut(), 0.0, at(0.32, 10.1)))


@pytest.fixture(scope="module")
def room() -> Renderer:
    """A room of 6 m with 60 boxes on its walls."""
    random, parts = np.random.default_rng(3), [block((9, 0.2, 9), (0, 1.4, 0), COLOURS["grey"])]
    for side in range(4):
        turn = cv2.Rodrigues(np.array([0.0, np.pi / 2 * side, 0.0]))[0]
        parts.append(block(np.abs(turn @ (6.4, 3, 0.2)), turn @ (0, 0, 3.1), COLOURS["white"]))
        for _ in range(15):
            center = (random.uniform(-2.8, 2.8), random.uniform(-1.2, 1.2), 2.9)
            size = turn @ (random.uniform(0.1, 0.5), random.uniform(0.1, 0.5), 0.2)
            colour = random.choice(["red", "blue", "black", "yellow", "green"])
            parts.append(block(np.abs(size), turn @ center, COLOURS[colour]))
    mesh = Mesh.joined([Mesh.of(p, p.vertices, k + 1, 0.0) for k, p in enumerate(parts)])
    return Renderer(mesh, np.array([[0.0, -1.0, 0.0]]), CAMERA)


def test_a_third_of_a_turn_on_the_spot(room):
    """A fifth of the image is 64 of its 320 pixels: 13 to 17 degrees, by where in it they are."""
    keys, taken = ViewOverlap(VggtConfig(view_overlap=0.8)), []
    for degrees in range(0, 120, 2):
        T = np.eye(4)
        T[:3, :3] = cv2.Rodrigues(np.array([0.0, np.radians(degrees), 0.0]))[0]
        if keys.is_key(frame(room.render(T).rgb, degrees / 30)):
            taken.append(degrees)
    steps = np.diff(taken)
    assert np.median(steps) == pytest.approx(14, abs=4)
    assert steps.min() >= 6
    assert steps.max() <= 20
