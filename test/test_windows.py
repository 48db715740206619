"""Windows of predictions with known truth: a loop of 60 m, its metres, and all that may fail."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
import window_world as world

from spatial_vlm_ros.frame import Detection, LabelImage
from spatial_vlm_ros.geometry.config import GeometryConfig, ScaleConfig, VggtConfig
from spatial_vlm_ros.geometry.prediction import Prediction
from spatial_vlm_ros.geometry.windows import VggtGeometry
from spatial_vlm_ros.scene_frame import level_frame
from spatial_vlm_ros.settings import check

LOOP = world.loop()
LENGTH = 60.0


def opened(network, *sources, poses="images", single=None, height=0.0, **vggt) -> VggtGeometry:
    scale = ScaleConfig(sources=list(sources), camera_height=height)
    config = GeometryConfig(source="vggt", poses=poses, vggt=VggtConfig(**vggt), scale=scale)
    check(config)
    return VggtGeometry(config, network, single)


def frames(count=len(LOOP), start=0, given=None, **more):
    """Key frames of the loop. given: their poses by TF."""
    return [
        world.frame(n, None if given is None else given[n], **more)
        for n in range(start, start + count)
    ]


def numbers(complete) -> list[int]:
    return [world.number_of(frame.rgb) for frame in complete]


def of_windows(errors, complete, network) -> np.ndarray:
    """(w,) the mean of errors (n,) of the frames of each window: an image errs by itself, too."""
    calls = [call for call in range(len(network.asked)) if call not in network.broken]
    window = np.array([min(c for c in calls if n in network.asked[c]) for n in numbers(complete)])
    return np.array([errors[window == call].mean() for call in np.unique(window)])


def round_the_block(source, seed=0):
    """All that may go wrong: third of the pixels, one pose in 20, three windows."""
    network = world.Network(
        LOOP, world.Errors(poses=0.05), seed, broken={3: "memory", 6: "nan", 9: "flat"}
    )
    given = world.odometry(LOOP, seed=seed) if source == "odometry" else None
    going = frames(given=given)
    if source == "depth":
        random = np.random.default_rng(seed)
        measured = [world.true_depth(LOOP[n]) for n in range(len(LOOP))]
        going = [
            replace(f, depth=d * (1 + random.normal(0, 0.01, d.shape)).astype("f4"))
            for f, d in zip(going, measured, strict=True)
        ]
    single = world.OneImageNetwork(LOOP, 0.03, seed=seed) if source == "metric_depth" else None
    height = world.HEIGHT if source == "camera_height" else 0.0
    geometry = opened(network, source, single=single, height=height)
    return geometry, world.drive(geometry, going), network


@pytest.mark.parametrize("source", ["depth", "odometry", "metric_depth", "camera_height"])
def test_a_loop_of_60_m_is_metric_by_each_source_alone(source):
    geometry, complete, network = round_the_block(source)
    assert len(complete) > 130
    assert numbers(complete) == sorted(set(numbers(complete)))
    assert geometry.values()["windows"].endswith("3 dropped")
    scales = world.scales(complete, LOOP)
    assert np.abs(of_windows(scales, complete, network) - 1).max() < 0.03
    assert np.abs(scales - 1).max() < 0.045  # a single image errs by itself, too
    away, yaw, tilt = world.astray(complete, LOOP)
    assert away[-1] < 0.015 * LENGTH
    assert away.max() < 0.02 * LENGTH
    assert abs(yaw) < 2
    assert tilt < 2.5
    assert all(0 < frame.scale_spread < 0.12 for frame in complete)
    off = np.abs(np.log(of_windows(scales, complete, network)))
    assert off[-1] < 2 * complete[-1].scale_spread  # nor was too much promised


def test_without_a_source_the_unit_hardly_drifts_and_nothing_is_called_metric():
    network = world.Network(LOOP)
    complete = world.drive(opened(network), frames())
    assert numbers(complete) == list(range(len(LOOP)))
    assert all(frame.scale_spread == np.inf for frame in complete)
    scales = world.scales(complete, LOOP)
    drift = of_windows(scales / scales[:8].mean(), complete, network)
    assert np.abs(drift - 1).max() < 0.05  # 15 windows, each in a unit of its own, 50 % apart
    metric = [
        replace(frame, T_fixed_camera=_shorter(frame.T_fixed_camera, scales[:8].mean()))
        for frame in complete
    ]
    away, yaw, tilt = world.astray(metric, LOOP)
    assert away[-1] < 0.02 * LENGTH
    first = np.concatenate([frame.depth[frame.depth > 0] for frame in complete[:8]])
    assert np.median(first) == pytest.approx(2.0, rel=1e-3)
    assert abs(yaw) < 2
    assert tilt < 2.5


def _shorter(T: np.ndarray, times: float) -> np.ndarray:
    shorter = T.copy()
    shorter[:3, 3] /= times
    return shorter


def test_poses_of_tf_stay_and_all_that_a_frame_has_is_kept():
    given = world.odometry(LOOP)
    detections = (Detection("chair", 0.9, 1, 2, 3, 4),)
    labels = LabelImage(np.ones((84, 112), np.int32), {1: "chair"})
    going = frames(40, given=given, detections=detections, labels=labels)
    complete = world.drive(opened(world.Network(LOOP), "odometry", poses="tf"), going)
    assert numbers(complete) == list(range(40))
    for done, sent in zip(complete, going, strict=True):
        assert np.array_equal(done.T_fixed_camera, sent.T_fixed_camera)
        assert (done.labels, done.detections) == (labels, detections)
        assert (done.camera_frame, done.stamp_ns) == ("camera", sent.stamp_ns)
        assert done.rgb is sent.rgb
    assert np.abs(world.scales(complete, LOOP) - 1).max() < 0.045


def test_exact_predictions_give_back_the_world():
    network = world.Network(LOOP, world.EXACT)
    going = [replace(f, depth=world.true_depth(LOOP[n])) for n, f in enumerate(frames(40))]
    complete = world.drive(opened(network, "depth", confidence=0.0), going)
    away, yaw, tilt = world.astray(complete, LOOP)
    assert away.max() < 0.01
    assert max(abs(yaw), tilt) < 0.3  # the floor is fitted, not known
    for done, sent in zip(complete, going, strict=True):
        assert np.allclose(done.depth, sent.depth, rtol=2e-3)
    first = complete[0].T_fixed_camera
    assert np.allclose(first, np.linalg.inv(level_frame(LOOP[0])) @ LOOP[0], atol=0.005)
    assert len(set(np.round(network.units, 3))) > 2  # the units did differ


def test_the_least_sure_pixels_have_no_depth():
    network = world.Network(LOOP, world.EXACT)
    complete = world.drive(opened(network, confidence=0.25), frames(8))
    depth = np.array([frame.depth for frame in complete])
    assert depth.shape == (8, 84, 112)
    assert np.mean(depth == 0) == pytest.approx(0.25, abs=0.005)
    shown = depth[0][::2, ::2]
    assert np.array_equal(shown, depth[0][1::2, 1::2])  # nearest: two by two the same
    confidence = network.last.confidence
    assert confidence[0][shown == 0].max() <= confidence[0][shown > 0].min()


@pytest.mark.parametrize("kind", ["memory", "nan", "flat", "ram"])
def test_a_window_that_fails_is_told_and_the_next_one_goes_on(kind):
    network = world.Network(LOOP, world.EXACT, broken={1: kind})
    geometry = opened(network)
    complete, problems = [], []
    for frame in frames(40):
        geometry.offer(frame)
        complete += world.ready(geometry)
        problems.append(geometry.problem)
    said = {"memory": "CUDA out of memory", "nan": "not finite", "flat": "same depth", "ram": "Mem"}
    told = [problem for problem in problems if said[kind] in problem]
    assert told and told[0].startswith("a window of 12 new images was dropped")
    assert problems[-1] == ""
    assert geometry.values()["windows"] == "3, 1 dropped"
    assert said[kind] in geometry.values()["last window dropped"]
    assert network.asked[2][:4] == network.asked[1][:4] == [4, 5, 6, 7]  # the last good ones
    assert network.asked[2][4:10] == [9, 11, 13, 15, 17, 19]  # every second one once more
    assert numbers(complete) == [*range(8), *range(9, 20, 2), *range(20, len(complete) + 6)]
    scales = world.scales(complete, LOOP)
    assert np.ptp(scales) < 0.01 * scales[0]


def test_a_network_that_always_fails_leaves_nothing_behind():
    network = world.Network(LOOP, broken=dict.fromkeys(range(1000), "memory"))
    geometry = opened(network)
    assert world.drive(geometry, frames(60)) == []
    assert geometry.values()["key frames"].startswith("0 wait, 60 let go")


def test_misplaced_images_are_left_out():
    network = world.Network(LOOP, misplaced=frozenset({5, 14, 25, 33}))
    geometry = opened(network)
    complete = world.drive(geometry, frames(44))
    assert set(range(44)) - set(numbers(complete)) == {5, 14, 25, 33}
    assert "4 left out" in geometry.values()["key frames"]


def test_a_camera_that_stands_still_ends_a_window_early():
    geometry = opened(world.Network(LOOP, world.EXACT), view_overlap=0.8)
    assert "first window, of 8" in geometry.problem
    textured = np.random.default_rng(0).integers(0, 255, (84, 112, 3)).astype(np.uint8)
    moving = [replace(f, stamp_ns=10**9 * n) for n, f in enumerate(frames(5))]
    for frame in moving:
        geometry.offer(frame)
    assert not geometry.compute()
    textured[0, 0] = (0, 5, 0)
    for k in range(40):  # 4 s
        geometry.offer(replace(moving[4], rgb=textured, stamp_ns=5 * 10**9 + k * 10**8))
    complete = world.ready(geometry)
    assert numbers(complete) == [0, 1, 2, 3, 4, 5]
    assert not geometry.compute()
    assert geometry.problem == ""


def test_a_single_image_needs_a_source_of_metres():
    depth = world.true_depth(LOOP[0])
    network = world.Network(LOOP, world.EXACT)
    (alone,) = world.drive(opened(network, "depth"), frames(1, depth=depth))
    assert np.allclose(alone.depth[alone.depth > 0], depth[alone.depth > 0], rtol=0.01)
    geometry = opened(network)
    assert world.drive(geometry, frames(1)) == []
    assert "a single image" in geometry.problem


def turning(count: int) -> list[np.ndarray]:
    """On the spot, 8 degrees from image to image."""
    x, y = LOOP[20][:2, 3]
    return [world.pose(x, y, np.radians(8 * k)) for k in range(count)]


def test_turning_on_the_spot_waits_for_metres_of_odometry_and_then_all_come_out():
    ahead = [LOOP[20] @ _forward(0.3 * k) for k in range(12)]
    poses = turning(46) + ahead
    geometry = opened(world.Network(poses, world.EXACT), "odometry")
    complete, waiting = [], ""
    for n, pose in enumerate(poses):
        geometry.offer(world.frame(n, pose))
        complete += world.ready(geometry)
        if n == 45:
            assert complete == []
            waiting = geometry.problem
    assert waiting.startswith("waiting for metres: odometry: ")
    geometry.finish()
    complete += world.ready(geometry)
    assert numbers(complete) == list(range(len(poses)))
    assert np.abs(world.scales(complete, poses) - 1).max() < 0.02
    away, _, _ = world.astray(complete, poses)
    assert away.max() < 0.05
    assert geometry.problem == ""


def _forward(metres: float) -> np.ndarray:
    T = np.eye(4)
    T[2, 3] = metres
    return T


def test_what_still_waits_for_metres_comes_out_in_the_end_and_is_not_called_metric():
    poses = turning(20)
    given = [world.frame(n, pose) for n, pose in enumerate(poses)]
    complete = world.drive(opened(world.Network(poses, world.EXACT), "odometry"), given)
    assert numbers(complete) == list(range(20))
    assert all(frame.scale_spread == np.inf for frame in complete)


def test_frames_that_wait_for_metres_are_bounded():
    poses = turning(45) * 8
    geometry = opened(world.Network(poses, world.EXACT), "odometry")
    complete = world.drive(geometry, [world.frame(n, T) for n, T in enumerate(poses)])
    assert 8 * 12 - 12 <= len(complete) <= 8 * 12 + 12
    assert numbers(complete) == list(range(len(poses) - len(complete), len(poses)))


def test_images_alone_that_have_lost_the_view_are_told_so_until_it_is_found_again():
    order = [*range(20), *range(100, 130), *range(19, 40)]
    poses = [LOOP[n] for n in order]
    geometry = opened(world.Network(poses, world.EXACT))
    complete, problems = [], []
    for n in range(len(poses)):
        geometry.offer(world.frame(n, None))
        complete += world.ready(geometry)
        problems.append(geometry.problem)
    assert "show nothing of what the last ones showed; go back" in problems[48]
    assert problems[-1] == ""
    assert not set(numbers(complete)) & set(range(20, 50))
    assert len(set(numbers(complete)) & set(range(50, 71))) >= 8
    scales = world.scales(complete, poses)
    assert np.ptp(scales) < 0.01 * scales[0]


def test_with_poses_of_tf_a_lost_view_begins_anew():
    poses = [LOOP[n] for n in [*range(20), *range(100, 132)]]
    geometry = opened(world.Network(poses, world.EXACT), "odometry", poses="tf")
    complete = world.drive(geometry, [world.frame(n, T) for n, T in enumerate(poses)])
    assert numbers(complete) == list(range(52))
    assert np.abs(world.scales(complete, poses) - 1).max() < 0.02


def test_without_tf_nothing_is_computed_with_poses_of_tf():
    geometry = opened(world.Network(LOOP), "odometry", poses="tf")
    geometry.offer(frames(1)[0])
    assert "no pose" in geometry.problem
    assert not geometry.compute()


def test_another_focal_length_than_calibrated_is_told():
    network = world.Network(LOOP, world.EXACT)

    class Longer:
        def predict(self, images) -> Prediction:
            said = network.predict(images)
            return replace(said, intrinsics=said.intrinsics * [[1.3, 1, 1], [1, 1.3, 1], [1, 1, 1]])

    geometry = opened(Longer())
    world.drive(geometry, frames(8))
    assert "1.30 times that of camera_info" in geometry.values()["focal length"]
    right = opened(network)
    world.drive(right, frames(8))
    assert "focal length" not in right.values()


def test_gravity_is_of_the_floor_or_else_of_how_the_camera_was_held():
    network = world.Network(LOOP, world.EXACT)
    geometry = opened(network)
    complete = world.drive(geometry, frames(8))
    assert geometry.values()["gravity"] == "floor"
    tilts = [frame.T_fixed_camera[2, 2] for frame in complete]
    assert np.degrees(np.arcsin(tilts)) == pytest.approx(np.full(8, -15.0), abs=0.3)
    up = [world.pose(*T[:2, 3], 0.0, np.radians(-30)) for T in LOOP[:8]]  # no floor in view
    geometry = opened(world.Network(up, world.EXACT))
    complete = world.drive(geometry, [world.frame(n, None) for n in range(8)])
    assert geometry.values()["gravity"].startswith("how the camera was held")
    assert np.abs([frame.T_fixed_camera[2, 2] for frame in complete]).max() < 1e-6


class Slow:
    """A network that waits until it is let go."""

    def __init__(self, network) -> None:
        self.network, self.asked, self.go = network, threading.Event(), threading.Event()

    def predict(self, images) -> Prediction:
        self.asked.set()
        assert self.go.wait(20)
        return self.network.predict(images)


def computing() -> tuple[Slow, VggtGeometry, threading.Thread]:
    """A slow network, and geometry that has asked it for eight frames, in a thread beside."""
    slow = Slow(world.Network(LOOP, world.EXACT))
    geometry = opened(slow)
    for frame in frames(8):
        geometry.offer(frame)
    beside = threading.Thread(target=geometry.compute)
    beside.start()
    assert slow.asked.wait(20)
    return slow, geometry, beside


def test_a_network_slower_than_the_camera_lets_key_frames_go_and_blocks_nobody():
    slow, geometry, beside = computing()
    for frame in frames(60, start=8):
        geometry.offer(frame)
        assert geometry.take() is None
        assert int(geometry.values()["key frames"].split()[0]) <= 16
    slow.go.set()
    beside.join(20)
    complete = world.ready(geometry)
    geometry.finish()
    complete += world.ready(geometry)
    came = numbers(complete)
    assert came[:8] == list(range(8))
    assert came[-1] == 67  # the newest is never let go
    assert came == sorted(set(came))
    let_go = int(geometry.values()["key frames"].split(", ")[1].split()[0])
    left_out = int(geometry.values()["key frames"].split(", ")[2].split()[0])
    assert len(came) + let_go + left_out == 68


def test_what_was_being_computed_when_all_was_forgotten_does_not_come_out():
    slow, geometry, beside = computing()
    geometry.reset()
    slow.go.set()
    beside.join(20)
    assert geometry.take() is None
    assert geometry.values()["windows"] == "0, 0 dropped"
    assert numbers(world.drive(geometry, frames(8))) == list(range(8))


def test_two_threads_get_each_frame_once_and_in_order():
    geometry = opened(world.Network(LOOP), "odometry", poses="tf")
    going, complete, done = frames(120, given=world.odometry(LOOP)), [], threading.Event()

    def work() -> None:
        while not done.is_set():
            if not geometry.compute():
                done.wait(0.001)

    beside = threading.Thread(target=work)
    beside.start()
    for frame in going:
        while len(complete) < frame.stamp_ns // world.PERIOD_NS - 24:
            complete += list(iter(geometry.take, None))
        geometry.offer(frame)
    done.set()
    beside.join(20)
    geometry.finish()
    complete += world.ready(geometry)
    assert numbers(complete) == sorted(set(numbers(complete)))
    assert len(complete) > 90
