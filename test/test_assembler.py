"""Pairing of messages into frames: stamps, waiting, dropping, jumps. Messages are real ones."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from rosbag_messages import camera_info, image

from spatial_vlm_ros.assembler import AssemblerConfig, FrameAssembler
from spatial_vlm_ros.tf.buffer import TransformBuffer

CAMERA = "camera_color_optical_frame"
MS = 1_000_000
ENDLESS = AssemblerConfig(queue_size=1000, ready_size=1000)


def color(stamp_ns: int, value: int = 0, size: tuple[int, int] = (3, 4)):
    return image(np.full((*size, 3), value, np.uint8), "rgb8", stamp_ns=stamp_ns, frame_id=CAMERA)


def depth(stamp_ns: int, metres: float = 1.0, size: tuple[int, int] = (3, 4)):
    return image(np.full(size, round(metres * 1000), np.uint16), "16UC1", stamp_ns=stamp_ns)


def static_buffer() -> TransformBuffer:
    buffer = TransformBuffer()
    buffer.set("odom", CAMERA, 0, (1.0, 2.0, 3.0), (0.0, 0.0, 0.0, 1.0), static=True)
    return buffer


def assembler(
    buffer=None, needs=("depth",), config=ENDLESS, info=True, **options
) -> FrameAssembler:
    made = FrameAssembler((buffer or static_buffer()).lookup, "odom", needs, config, **options)
    if info:
        made.add("camera_info", 1, camera_info(4, 3, 5.0), 0.0)
    return made


def take_all(made: FrameAssembler, now: float = 0.0) -> list:
    frames = []
    while (frame := made.take(now)) is not None:
        frames.append(frame)
    return frames


def test_frame_carries_what_its_messages_say():
    made = assembler()
    made.add("color", 100, color(100, 7), 0.0)
    assert made.take(0.0) is None
    made.add("depth", 100, depth(100, 2.5), 0.0)
    frame = made.take(0.0)
    assert frame.stamp_ns == 100 and frame.rgb[1, 2].tolist() == [7, 7, 7]
    assert frame.depth[0, 0] == pytest.approx(2.5)
    assert (frame.intrinsics.width, frame.intrinsics.fx) == (4, 5.0)
    np.testing.assert_array_equal(frame.T_fixed_camera[:3, 3], [1, 2, 3])
    assert frame.labels is None and frame.detections is None
    assert (made.received, made.used, made.waiting, dict(made.dropped)) == (1, 1, 0, {})


def test_depth_first_works_too():
    made = assembler()
    made.add("depth", 100, depth(100), 0.0)
    made.add("color", 100, color(100), 0.0)
    assert made.take(0.0).stamp_ns == 100


def test_nearest_depth_wins_and_is_used_once():
    made = assembler()
    for stamp, metres in ((92, 1.0), (103, 2.0), (117, 3.0)):
        made.add("depth", stamp * MS, depth(stamp * MS, metres), 0.0)
    made.add("color", 100 * MS, color(100 * MS), 0.0)
    made.add("color", 104 * MS, color(104 * MS), 0.0)
    first, second = take_all(made)
    assert first.depth[0, 0] == pytest.approx(2.0)
    assert second.depth[0, 0] == pytest.approx(3.0)


def test_inexact_depth_waits_until_no_nearer_one_can_come():
    made = assembler()
    made.add("depth", 90 * MS, depth(90 * MS, 1.0), 0.0)
    made.add("color", 100 * MS, color(100 * MS), 0.0)
    assert made.take(0.0) is None
    made.add("depth", 101 * MS, depth(101 * MS, 2.0), 0.0)
    assert made.take(0.0).depth[0, 0] == pytest.approx(2.0)


def test_inexact_depth_is_taken_when_the_wait_ends():
    made = assembler()
    made.add("depth", 90 * MS, depth(90 * MS), 0.0)
    made.add("color", 100 * MS, color(100 * MS), 0.0)
    assert made.take(0.9) is None
    assert made.take(1.0).stamp_ns == 100 * MS


def test_depth_outside_the_slop_is_not_used():
    made = assembler()
    made.add("color", 100 * MS, color(100 * MS), 0.0)
    made.add("depth", 121 * MS, depth(121 * MS), 0.0)
    assert made.take(0.0) is None
    assert dict(made.dropped) == {"no_depth": 1}
    assert "slop 0.02 s" in made.details["no_depth"] and "0.021 s later" in made.details["no_depth"]


def test_image_without_any_depth_is_dropped_after_the_wait():
    made = assembler()
    made.add("color", 100 * MS, color(100 * MS), 5.0)
    assert made.take(5.9) is None and not made.dropped
    assert made.take(6.0) is None and dict(made.dropped) == {"no_depth": 1}
    assert made.details["no_depth"] == "no depth message has arrived"


def play(made: FrameAssembler, color_hz: int, depth_hz: int, seconds: float, start: float) -> int:
    """One pass of a recording; returns how many frames it gave."""
    events = [(i / color_hz, "color", color) for i in range(int(seconds * color_hz))]
    events += [(i / depth_hz, "depth", depth) for i in range(int(seconds * depth_hz))]
    frames = 0
    for when, stream, make in sorted(events, key=lambda e: e[:2]):
        stamp = round(when * 1e9) + 10**12
        made.add(stream, stamp, make(stamp), start + when)
        frames += len(take_all(made, start + when))
    return frames + len(take_all(made, start + seconds + 2))


@pytest.mark.parametrize(
    ("color_hz", "depth_hz", "expected"),
    [(30, 15, 150), (30, 10, 100), (15, 30, 150), (30, 30, 300)],
)
def test_looping_recording_of_unequal_rates_gives_every_pass_the_same(color_hz, depth_hz, expected):
    """The usual approximate synchroniser gives 150, 9, 150, 150 pairs at 30/15 Hz."""
    made = assembler(config=AssemblerConfig(slop=0.02, queue_size=10, ready_size=10))
    passes = [play(made, color_hz, depth_hz, 10.0, 20.0 * i) for i in range(4)]
    assert passes == [expected] * 4
    assert made.epoch == 3


def test_five_per_cent_loss_costs_no_more_than_the_lost_images():
    made = assembler(config=AssemblerConfig())
    rng = np.random.default_rng(0)
    lost = {
        "color": set(np.flatnonzero(rng.random(900) < 0.05)),
        "depth": set(np.flatnonzero(rng.random(900) < 0.05)),
    }
    frames = 0
    for i in range(900):
        stamp = 10**12 + i * 33 * MS
        for stream, make in (("color", color), ("depth", depth)):
            if i not in lost[stream]:
                made.add(stream, stamp, make(stamp), i * 0.033)
        frames += len(take_all(made, i * 0.033))
    assert frames == 900 - len(lost["color"] | lost["depth"])
    assert made.dropped["no_depth"] == len(lost["depth"] - lost["color"])


def test_jump_back_empties_queues_and_is_told_once():
    jumps = []
    made = assembler(on_jump=lambda: jumps.append(1))
    for stamp in (10_000, 11_000):
        made.add("color", stamp * MS, color(stamp * MS), 0.0)
    assert made.waiting == 2
    made.add("color", 1_000 * MS, color(1_000 * MS), 0.0)
    assert made.waiting == 1 and made.epoch == 1 and jumps == [1]
    made.add("depth", 11_000 * MS, depth(11_000 * MS), 0.0)  # late, of the pass before
    made.add("depth", 1_000 * MS, depth(1_000 * MS), 0.0)
    made.add("camera_info", 1_000 * MS, camera_info(4, 3, 5.0), 0.0)
    frame = made.take(0.0)
    assert frame.stamp_ns == 1_000 * MS and made.frame_epoch == 1
    assert made.epoch == 1 and jumps == [1]


def test_streams_jumping_one_after_another_are_one_jump():
    made = assembler()
    for stamp in range(0, 10_000, 500):
        made.add("color", stamp * MS, color(stamp * MS), 0.0)
        made.add("depth", stamp * MS, depth(stamp * MS), 0.0)
    made.add("depth", 0, depth(0), 0.0)
    made.add("color", 9_900 * MS, color(9_900 * MS), 0.0)  # straggler: dropped silently
    made.add("color", 0, color(0), 0.0)
    assert made.epoch == 1
    assert [f.stamp_ns for f in take_all(made)] == [0]


def test_stream_that_returns_only_late_in_the_new_pass_is_not_ignored_for_ever():
    made = assembler()
    for stamp in (0, 5_000, 10_000):
        made.add("color", stamp * MS, color(stamp * MS), 0.0)
        made.add("depth", stamp * MS, depth(stamp * MS), 0.0)
    take_all(made)
    for stamp in range(0, 9_000, 1_000):
        made.add("color", stamp * MS, color(stamp * MS), 0.0)
    made.add("depth", 8_000 * MS, depth(8_000 * MS), 0.0)
    assert [f.stamp_ns for f in take_all(made)] == [8_000 * MS]


def test_small_disorder_is_sorted_not_a_jump():
    made = assembler()
    for stamp in (100, 160, 130):
        made.add("color", stamp * MS, color(stamp * MS), 0.0)
    for stamp in (130, 100, 160):
        made.add("depth", stamp * MS, depth(stamp * MS), 0.0)
    assert [f.stamp_ns // MS for f in take_all(made)] == [130, 160]
    assert made.epoch == 0 and dict(made.dropped) == {"no_depth": 1}  # 100 was given up at 130


def moving_buffer(*stamps_ms: int) -> TransformBuffer:
    buffer = TransformBuffer()
    for stamp in stamps_ms:
        buffer.set("odom", CAMERA, stamp * MS, (stamp / 1000, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    return buffer


def test_frame_waits_for_the_transform_at_its_own_stamp():
    buffer = moving_buffer(0, 90)
    made = assembler(buffer)
    made.add("color", 100 * MS, color(100 * MS), 0.0)
    made.add("depth", 100 * MS, depth(100 * MS), 0.0)
    assert made.take(0.5) is None and not made.dropped
    assert made.transform_waits == 1
    buffer.set("odom", CAMERA, 110 * MS, (0.110, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    frame = made.take(0.6)
    assert frame.T_fixed_camera[0, 3] == pytest.approx(0.100)  # between, not the latest 0.110
    assert made.transform_waits == 1


def test_missing_transform_is_given_up_after_the_limit_and_names_both_frames():
    made = assembler(TransformBuffer())
    made.add("color", 100 * MS, color(100 * MS), 0.0)
    made.add("depth", 100 * MS, depth(100 * MS), 0.5)
    assert made.take(1.4) is None and not made.dropped  # 0.9 s after it was paired
    assert made.take(1.5) is None
    assert dict(made.dropped) == {"no_transform": 1}
    assert f"odom <- {CAMERA}" in made.details["no_transform"]


def test_transform_that_is_too_old_cannot_come_any_more():
    made = assembler(moving_buffer(500, 600))
    made.add("color", 100 * MS, color(100 * MS), 0.0)
    made.add("depth", 100 * MS, depth(100 * MS), 0.0)
    assert made.take(0.0) is None and dict(made.dropped) == {"no_transform": 1}


def test_full_queue_drops_the_oldest_and_blames_what_it_waited_for():
    made = assembler(TransformBuffer(), config=AssemblerConfig(queue_size=3))
    for stamp in range(1, 6):
        made.add("color", stamp * MS, color(stamp * MS), 0.0)
        made.add("depth", stamp * MS, depth(stamp * MS), 0.0)
    assert made.waiting == 3 and dict(made.dropped) == {"no_transform": 2}


def test_slow_consumer_gets_the_newest_frames():
    made = assembler(config=AssemblerConfig(ready_size=2))
    for stamp in range(1, 8):
        made.add("color", stamp * MS, color(stamp * MS), 0.0)
        made.add("depth", stamp * MS, depth(stamp * MS), 0.0)
    assert [f.stamp_ns // MS for f in take_all(made)] == [6, 7]
    assert dict(made.dropped) == {"queue_full": 5}


def test_partner_queue_is_bounded():
    made = assembler(config=AssemblerConfig(queue_size=3))
    for stamp in range(10):
        made.add("depth", stamp * MS, depth(stamp * MS), 0.0)
    made.add("color", 2 * MS, color(2 * MS), 0.0)  # its own depth has fallen out: takes the nearest
    assert made.take(0.0).stamp_ns == 2 * MS
    made.add("color", 3 * MS, color(3 * MS), 0.0)
    assert made.take(0.0) is not None


def test_intrinsics_are_awaited_never_guessed():
    made = assembler(info=False)
    made.add("color", 100, color(100), 0.0)
    made.add("depth", 100, depth(100), 0.0)
    assert made.take(0.9) is None and not made.dropped
    made.add("camera_info", 100, camera_info(4, 3, 5.0), 0.95)
    assert made.take(0.95) is not None
    made = assembler(info=False)
    made.add("color", 100, color(100), 0.0)
    made.add("depth", 100, depth(100), 0.0)
    assert made.take(1.0) is None and dict(made.dropped) == {"no_intrinsics": 1}


def test_changed_intrinsics_hold_from_their_own_stamp_on():
    made = assembler(info=False)
    for i in range(4):
        stamp = i * 33 * MS
        made.add("color", stamp, color(stamp), 0.0)
        made.add("depth", stamp, depth(stamp), 0.0)
    for i, focal in enumerate((5.0, 5.0, 8.0, 8.0)):
        made.add("camera_info", i * 33 * MS, camera_info(4, 3, focal), 0.0)
    assert [f.intrinsics.fx for f in take_all(made)] == [5, 5, 8, 8]
    assert made.intrinsics_changes == 1


def test_uncalibrated_camera_is_counted_as_bad_image():
    made = assembler(info=False)
    made.add("camera_info", 0, camera_info(4, 3, 0.0), 0.0)
    made.add("color", 100, color(100), 0.0)
    made.add("depth", 100, depth(100), 0.0)
    assert made.take(1.0) is None
    assert dict(made.dropped) == {"bad_image": 1} and "not calibrated" in made.details["bad_image"]


def truncated(message):
    message.data = message.data[:5]
    return message


@pytest.mark.parametrize(
    ("stream", "bad", "why"),
    [
        ("color", lambda: truncated(color(100)), "truncated"),
        ("depth", lambda: truncated(depth(100)), "truncated"),
        ("color", lambda: image(np.zeros((3, 4, 2), np.uint8), "yuv422", stamp_ns=100), "yuv422"),
        ("depth", lambda: depth(100, size=(6, 8)), "aligned to colour"),
        ("color", lambda: color(100, size=(6, 8)), "8x6, camera_info says"),
    ],
)
def test_bad_message_costs_one_frame_and_says_why(stream, bad, why):
    made = assembler()
    good = {"color": color(100), "depth": depth(100)}
    for name, message in {**good, stream: bad()}.items():
        made.add(name, 100, message, 0.0)
    made.add("color", 200, color(200), 0.0)
    made.add("depth", 200, depth(200), 0.0)
    assert [f.stamp_ns for f in take_all(made)] == [200]
    assert dict(made.dropped) == {"bad_image": 1} and why in made.details["bad_image"]


def label_image(stamp_ns: int):
    return image(np.full((3, 4), 9, np.uint16), "16UC1", stamp_ns=stamp_ns)


def test_labels_wait_for_their_names():
    made = assembler(needs=("depth", "labels"), labels_per_instance=False)
    made.add("color", 100, color(100), 0.0)
    made.add("depth", 100, depth(100), 0.0)
    made.add("labels", 100, label_image(100), 0.0)
    assert made.take(0.5) is None
    made.set_label_names({9: "chair"})
    frame = made.take(0.5)
    assert (frame.labels.ids == 9).all() and frame.labels.names == {9: "chair"}
    assert frame.labels.per_instance is False


def test_labels_without_names_or_images_are_named_in_the_count():
    made = assembler(needs=("depth", "labels"))
    made.add("color", 100, color(100), 0.0)
    made.add("depth", 100, depth(100), 0.0)
    made.add("labels", 100, label_image(100), 0.0)
    assert made.take(1.0) is None and dict(made.dropped) == {"no_label_info": 1}
    made.add("color", 200, color(200), 1.0)
    made.add("depth", 200, depth(200), 1.0)
    assert made.take(2.0) is None and made.dropped["no_labels"] == 1


def test_slow_detector_selects_the_frames_it_has_looked_at():
    made = assembler(needs=("depth", "detections"))
    hypothesis = SimpleNamespace(hypothesis=SimpleNamespace(class_id="cup", score=0.9))
    center = SimpleNamespace(position=SimpleNamespace(x=2.0, y=1.0), theta=0.0)
    box = SimpleNamespace(center=center, size_x=2.0, size_y=1.0)
    array = SimpleNamespace(detections=[SimpleNamespace(results=[hypothesis], bbox=box)])
    for i in range(6):
        stamp = i * 33 * MS
        made.add("color", stamp, color(stamp), i * 0.033)
        made.add("depth", stamp, depth(stamp), i * 0.033)
    made.add("detections", 99 * MS, array, 0.4)
    (frame,) = take_all(made, 0.4)
    assert frame.stamp_ns == 99 * MS and frame.detections[0].label == "cup"
    assert dict(made.dropped) == {"no_detections": 3} and made.waiting == 2


def test_distorted_images_are_rectified():
    made = assembler(info=False)
    made.add("camera_info", 0, camera_info(64, 48, 50.0, distortion=(0.4, 0, 0, 0, 0)), 0.0)
    made.add("color", 100, color(100, 200, size=(48, 64)), 0.0)
    made.add("depth", 100, depth(100, 2.0, size=(48, 64)), 0.0)
    frame = made.take(0.0)
    assert set(np.unique(frame.depth)) <= {np.float32(0), np.float32(2.0)}
    assert frame.depth[24, 32] == 2.0
    assert frame.depth[0, 0] == 0.0, "the corner lies outside what the distorted image saw"


def test_messages_from_two_threads_are_all_used_once():
    made = assembler()
    count = 300

    def publish(stream, make):
        for i in range(1, count + 1):
            made.add(stream, i * 33 * MS, make(i * 33 * MS), 0.0)

    threads = [
        threading.Thread(target=publish, args=a) for a in (("color", color), ("depth", depth))
    ]
    for thread in threads:
        thread.start()
    frames = []
    while any(t.is_alive() for t in threads) or made.waiting:
        frames += take_all(made)
    assert [f.stamp_ns for f in frames] == [i * 33 * MS for i in range(1, count + 1)]


def test_frames_need_no_depth_and_no_pose_where_they_are_to_be_found():
    made = FrameAssembler(None, "odom", (), ENDLESS)
    made.add("camera_info", 1, camera_info(4, 3, 5.0), 0.0)
    made.add("color", 100, color(100, 7), 0.0)
    frame = made.take(0.0)
    assert frame.depth is None and frame.T_fixed_camera is None
    assert frame.rgb[0, 0, 0] == 7 and frame.camera_frame == CAMERA
    assert (made.used, made.transform_waits, dict(made.dropped)) == (1, 0, {})


def test_a_pose_that_is_needed_is_waited_for_without_depth_too():
    made = assembler(TransformBuffer(), needs=())
    made.add("color", 100, color(100), 0.0)
    assert made.take(0.0) is None and made.waiting == 1
    assert made.take(5.0) is None and dict(made.dropped) == {"no_transform": 1}
