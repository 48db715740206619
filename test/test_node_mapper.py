"""The mapper as a process of its own, fed over DDS with a cube on a floor."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time

import cube_world
import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")
from rclpy.qos import ReliabilityPolicy
from ros_rig import CAMERA, START_NS, Rig, Robot, image
from std_srvs.srv import SetBool, Trigger

from spatial_vlm_msgs.srv import LoadScene, QueryObjects, RemoveObject, SaveScene
from spatial_vlm_ros.ros_image import stamp_ns

STEPS = range(20)


def started(rig: Rig, *remaps: str, robot: Robot | None = None, **parameters) -> Robot:
    robot = robot or Robot(rig)
    rig.start_mapper(*remaps, **parameters)
    robot.wait()
    return robot


def check_cube(rig: Rig, yaw: float) -> None:
    """One cube, 0.4 m each way, where it is and turned as it is."""
    (cube,) = rig.cubes()
    assert cube.label == "cube" and cube.colour == "red"
    size = cube.bbox.size
    np.testing.assert_allclose([size.x, size.y, size.z], 0.4, atol=0.025)
    turn = cube.bbox.center.orientation
    off = 2 * math.atan2(turn.z, turn.w) - yaw_in_scene(yaw)
    assert abs((off + math.pi / 4) % (math.pi / 2) - math.pi / 4) < math.radians(4)
    place = cube.bbox.center.position
    # The first camera stands 2 m away horizontally and 0.8 m above the cube's centre.
    np.testing.assert_allclose([place.x, place.y, place.z], [2.0, 0.0, -0.8], atol=0.03)


def yaw_in_scene(yaw: float) -> float:
    """The first camera that is used looks along the scene's x axis; which step that was, varies
    by a multiple of 3 degrees, so the tests fix it by sending step 0 until it is taken."""
    T = cube_world.camera_pose(0)
    return yaw - math.atan2(T[1, 2], T[0, 2])


def first_frame(rig: Rig, robot: Robot, step: int = 0) -> None:
    """Make ``step`` the frame that fixes the scene: send it until it has come through."""
    scenes = len(rig.scenes)
    messages = robot.messages(step)

    def came_through() -> bool:
        robot.send(messages)
        time.sleep(0.1)
        return len(rig.scenes) > scenes

    rig.until(came_through, 20, "the first frame to be used")


def frames_used(rig: Rig) -> int:
    """The count once all that was sent has gone through."""
    time.sleep(2.2)  # what waits for a partner is given up after 1 s, diagnostics come each second
    return rig.value("frames used")


def wait_for_step(rig: Rig, robot: Robot, step: int) -> None:
    """Until the newest scene was made with this step's image."""
    stamp = robot.stamp(step)
    rig.until(
        lambda: rig.scenes and stamp_ns(rig.scenes[-1].header.stamp) == stamp, 20, f"step {step}"
    )


def test_cube_keeps_its_size_however_it_is_turned(rig):
    robot = started(rig)
    ids = set()
    for round_, degrees in enumerate((0, 30, 45)):
        robot.yaw = math.radians(degrees)
        base = round_ * 60
        first_frame(rig, robot, base)
        robot.drive(range(base + 1, base + 21))
        wait_for_step(rig, robot, base + 20)
        check_cube(rig, robot.yaw)
        ids |= {cube.id for cube in rig.cubes()}
        assert rig.call(Trigger, "/mapper/reset").success
        rig.until(lambda: not rig.scenes[-1].objects, 20, "an empty scene")
    last = [m for m in rig.objects if m.detections][-1]
    assert last.header.frame_id == "spatial_scene"
    assert (stamp_ns(last.header.stamp) - START_NS) % robot.period_ns == 0, "stamp of an image"
    (detection,) = last.detections
    assert detection.results[0].hypothesis.class_id == "cube" and int(detection.id) in ids
    assert rig.value("dropped no_depth") == 0


def test_frames_wait_for_late_transforms(rig):
    robot = started(rig)
    first_frame(rig, robot)
    before = frames_used(rig)
    for step in range(1, 29):
        if step <= 20:
            robot.send(robot.messages(step), "info", "color", "depth", "labels")
        if step > 8:  # 0.4 s late
            robot.send(robot.messages(step - 8), "tf")
        time.sleep(0.05)
    assert frames_used(rig) - before >= 19
    assert rig.value("dropped no_transform") == 0
    assert rig.value("frames that waited for a transform") >= 19
    assert float(rig.health["latency 95% [ms]"]) > 300
    assert rig.cubes()


def test_missing_transform_is_counted_and_named(rig):
    robot = started(rig, input__transform_wait=0.3)
    for step in STEPS:
        robot.send(robot.messages(step), "info", "color", "depth", "labels")
        time.sleep(0.1)
    rig.until(lambda: rig.value("dropped no_transform") > 10, 20, "dropped frames")
    rig.until(lambda: f"odom <- {CAMERA}" in rig.problems, 20, "the frame pair in diagnostics")
    assert "no_transform" in rig.problems and f"odom <- {CAMERA}" in rig.log("mapper")
    assert rig.value("frames used") == 0 and not rig.cubes()


@pytest.mark.parametrize("policy", ["reset", "keep"])
def test_looping_recording_loses_no_frames(rig, policy):
    robot = started(rig, clock_jump=policy)
    first_frame(rig, robot)
    used = [frames_used(rig)]
    for _ in range(2):
        robot.drive(range(1, 41))
        used.append(frames_used(rig))
    assert (np.diff(used) >= 38).all(), used
    assert rig.value("clock jumps") == 1
    (cube,) = rig.cubes()
    if policy == "reset":
        assert cube.observations <= 40
    else:
        assert cube.observations > 60
    assert f"the map is {'reset' if policy == 'reset' else 'kept'}" in rig.log("mapper")


def drive_with_slower_depth(robot, steps, every, pause_s):
    """Only every so many-th colour image has a depth image."""
    for step in steps:
        messages = robot.messages(step)
        if step % every:
            del messages["depth"]
        robot.send(messages)
        time.sleep(pause_s)


def test_unequal_rates_give_one_frame_per_depth_image_in_every_pass(rig):
    robot = started(rig)
    first_frame(rig, robot)
    used = [frames_used(rig)]
    for _ in range(3):
        drive_with_slower_depth(robot, range(1, 41), every=2, pause_s=0.04)
        used.append(frames_used(rig))
    passes = np.diff(used)
    assert (passes >= 19).all() and (passes <= 20).all(), passes


def test_best_effort_camera_works_and_a_mismatch_is_named(rig):
    robot = Robot(rig, reliability=ReliabilityPolicy.BEST_EFFORT)
    started(rig, robot=robot)
    robot.drive(STEPS)
    rig.until(rig.cubes, 20, "the cube from a best-effort camera")
    rig.end("mapper")
    rig.problems = ""
    rig.start_mapper(**{"qos_overrides./image.subscription.reliability": "reliable"})
    rig.until(lambda: "QoS of /rig does not fit" in rig.problems, 15, "the QoS mismatch")
    assert "no color on /image" in rig.problems
    assert "qos_overrides./image.subscription" in rig.problems and "best_effort" in rig.problems


def spoiled_depth(value: float):
    def fill(rgb, depth, ids):
        return rgb, np.full_like(depth, value), ids

    return fill


def test_looping_recording_whose_images_are_no_use_shows_no_old_map(rig):
    robot = started(rig)
    first_frame(rig, robot)
    robot.drive(range(1, 31))
    rig.until(rig.cubes, 20, "the cube")
    robot.drive(range(1, 8), fill=spoiled_depth(0.0))
    rig.until(lambda: not rig.scenes[-1].objects, 20, "the map of the old pass to go")


def test_useless_depth_does_no_harm(rig):
    robot = started(rig)
    first_frame(rig, robot)
    for number, value in enumerate((np.nan, 0.0, np.inf, 1e30, -1.0)):
        robot.drive(range(1 + 4 * number, 5 + 4 * number), fill=spoiled_depth(value))
    rig.until(lambda: "frames were no use: no valid depth" in rig.problems, 10, "it to be told")
    robot.drive(range(21, 41))
    rig.until(lambda: rig.value("frames refused") >= 12, 20, "refused frames")
    assert "no valid depth" in str(rig.health)
    wait_for_step(rig, robot, 40)
    check_cube(rig, 0.0)


def test_broken_images_cost_only_themselves(rig):
    robot = started(rig)
    first_frame(rig, robot)
    spoilt = (
        (lambda m: setattr(m["color"], "data", m["color"].data[:100]), "100 bytes, 160x120 rgb8"),
        (lambda m: setattr(m["color"], "encoding", "yuv422"), "'yuv422'; supported: rgb8"),
        (lambda m: setattr(m["depth"], "encoding", "16SC1"), "'16SC1'; supported: 16UC1"),
    )
    for number, (spoil, said) in enumerate(spoilt):
        before = rig.value("dropped bad_image")
        for step in range(1 + 5 * number, 6 + 5 * number):
            messages = robot.messages(step)
            spoil(messages)
            robot.send(messages)
            time.sleep(0.05)
        rig.until(lambda said=said: said in rig.health.get("last bad_image", ""), 20, said)
        rig.until(lambda said=said: said in rig.problems, 20, f"{said} on diagnostics")
        assert rig.value("dropped bad_image") - before >= 4
    robot.drive(range(16, 36))
    rig.until(rig.cubes, 20, "the cube")
    check_cube(rig, 0.0)


def test_intrinsics_may_change(rig):
    robot = started(rig)
    first_frame(rig, robot)
    robot.drive(range(1, 11))
    robot.scale = 2
    robot.drive(range(11, 21))
    rig.until(lambda: rig.value("intrinsics changes") == 1, 20, "the change")
    wait_for_step(rig, robot, 20)
    check_cube(rig, 0.0)
    assert rig.value("dropped bad_image") == 0


def test_intrinsics_are_awaited(rig):
    robot = started(rig, input__pair_wait=0.3)
    for step in STEPS:
        robot.send(robot.messages(step), "tf", "color", "depth", "labels")
        time.sleep(0.08)
    rig.until(lambda: rig.value("dropped no_intrinsics") > 10, 20, "dropped frames")
    rig.until(lambda: "no camera_info on /camera_info" in rig.problems, 20, "the topic")
    assert rig.value("frames used") == 0


def test_watchdog_names_the_missing_topic_and_what_it_could_be(rig):
    robot = Robot(rig)
    rig.start_mapper("image:=/typo/image")
    rig.until(lambda: "no color on /typo/image for 1 s: nothing publishes it" in rig.problems)
    rig.until(lambda: "remap it to one of: /depth, /image, /labels" in rig.problems)
    assert "no color on /typo/image" in rig.log("mapper")
    assert robot.color.get_subscription_count() == 0


def test_watchdog_knows_a_camera_that_only_sends_compressed_images(rig):
    from sensor_msgs.msg import CompressedImage

    for topic in ("/cam/image/compressed", "/cam/depth/compressedDepth"):
        rig.node.create_publisher(CompressedImage, topic, 10)
    rig.start_mapper("image:=/cam/image", "depth:=/cam/depth")
    for said in (
        "/cam/image/compressed is published: set image_transport to compressed",
        "/cam/depth/compressedDepth is published: set depth_transport to compressedDepth",
    ):
        rig.until(lambda said=said: said in rig.problems, 15, said)


def test_vanishing_images_hint_at_shared_memory(rig):
    robot = started(rig)
    for step in range(60):
        messages = robot.messages(step)
        if step % 2:
            del messages["color"]
        robot.send(messages)
        time.sleep(0.04)
    rig.until(lambda: "of the color images on /image are lost" in rig.problems, 20, "the loss")
    assert "config/fastdds.xml" in rig.problems


def test_compressed_images(rig):
    import array

    import cv2
    from sensor_msgs.msg import CompressedImage

    robot = Robot(rig)
    robot.color = rig.node.create_publisher(CompressedImage, "/cam/image/compressed", 10)
    robot.depth = rig.node.create_publisher(CompressedImage, "/cam/depth/compressedDepth", 10)
    remaps = ("image:=/cam/image", "depth:=/cam/depth")
    started(
        rig, *remaps, robot=robot, image_transport="compressed", depth_transport="compressedDepth"
    )
    for step in STEPS:
        messages = robot.messages(step)
        rgb, depth, _ = cube_world.render(cube_world.camera_pose(step))
        jpeg = cv2.imencode(".jpg", rgb[..., ::-1])[1].tobytes()
        png = bytes(12) + cv2.imencode(".png", (depth * 1000).astype(np.uint16))[1].tobytes()
        for name, text, data in (
            ("color", "rgb8; jpeg compressed bgr8", jpeg),
            ("depth", "16UC1; compressedDepth png", png),
        ):
            messages[name] = CompressedImage(
                header=messages[name].header, format=text, data=array.array("B", data)
            )
        robot.send(messages)
        time.sleep(0.05)
    rig.until(rig.cubes, 20, "the cube")
    assert rig.value("dropped bad_image") == 0


def test_simulated_time_that_stands_still_stops_nothing_and_is_told(rig):
    robot = started(rig, use_sim_time=True)
    robot.drive(STEPS)
    rig.until(rig.cubes, 20, "the cube")
    rig.until(lambda: rig.value("frames used") > 15, 20, "diagnostics")
    rig.until(lambda: "nothing publishes /clock" in rig.log("mapper"), 20, "the warning")


def test_slower_depth_is_not_complained_about_and_lasting_problems_are_logged_once(rig):
    robot = started(rig)
    first_frame(rig, robot)
    drive_with_slower_depth(robot, range(1, 101), every=4, pause_s=0.03)
    assert "are lost" not in rig.log("mapper") and "no_depth" not in rig.log("mapper")
    for step in range(101, 161):  # three periods of the watchdog without any transform
        robot.send(robot.messages(step), "info", "color", "depth", "labels")
        time.sleep(0.08)
    time.sleep(1.0)
    assert rig.log("mapper").count("no_transform") == 1, rig.log("mapper")


def graph_command(rig: Rig, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "spatial_vlm_ros.cli", "graph", "--ros", *arguments]
    environ = {**os.environ, "ROS_DOMAIN_ID": str(rig.domain)}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environ)


def test_services_of_the_map(rig, tmp_path):
    robot = started(rig)
    first_frame(rig, robot)
    robot.drive(range(1, 16))
    rig.until(rig.cubes, 20, "the cube")
    found = rig.call(QueryObjects, "/mapper/query_objects", phrase="the red cube")
    assert found.success and [o.label for o in found.objects] == ["cube"], found.message
    assert found.header.frame_id == "spatial_scene"
    unknown = rig.call(QueryObjects, "/mapper/query_objects", phrase="xyzzy")
    assert not unknown.success and "xyzzy" in unknown.message
    everything = rig.call(QueryObjects, "/mapper/query_objects")
    assert everything.success and len(everything.objects) == 1
    cube = found.objects[0]
    printed = graph_command(rig, "--format", "json")
    assert [o["id"] for o in json.loads(printed.stdout)["objects"]] == [cube.id], printed.stderr
    nobody = graph_command(rig, "--mapper", "/nobody")
    assert nobody.returncode == 2 and "no scene graph on /nobody/scene_graph" in nobody.stderr

    saved = rig.call(SaveScene, "/mapper/save_scene", path=str(tmp_path / "scene"))
    assert saved.success and (tmp_path / "scene" / "scene.json").exists(), saved.message
    assert not rig.call(SaveScene, "/mapper/save_scene", path=" ").success
    (tmp_path / "file").write_text("")
    unwritable = rig.call(SaveScene, "/mapper/save_scene", path=str(tmp_path / "file" / "scene"))
    assert not unwritable.success and "file/scene cannot be written: Not a" in unwritable.message

    refused = rig.call(RemoveObject, "/mapper/remove_object", id=999)
    assert not refused.success and "999" in refused.message and str(cube.id) in refused.message
    removed = rig.call(RemoveObject, "/mapper/remove_object", id=cube.id)
    assert removed.success and "cube" in removed.message
    rig.until(lambda: not rig.scenes[-1].objects, 20, "the scene without the cube")

    loaded = rig.call(LoadScene, "/mapper/load_scene", path=str(tmp_path / "scene"))
    assert loaded.success, loaded.message
    rig.until(rig.cubes, 20, "the cube again")
    assert rig.cubes()[0].id == cube.id
    np.testing.assert_allclose(rig.cubes()[0].bbox.size.x, cube.bbox.size.x, atol=1e-3)
    missing = rig.call(LoadScene, "/mapper/load_scene", path=str(tmp_path / "nowhere"))
    assert not missing.success and "nowhere" in missing.message and rig.cubes()

    assert rig.call(SetBool, "/mapper/enable", data=False).success
    time.sleep(0.2)
    seen = rig.cubes()[0].observations
    robot.drive(range(16, 26))
    time.sleep(0.5)
    assert rig.cubes()[0].observations == seen
    assert rig.call(SetBool, "/mapper/enable", data=True).success
    robot.drive(range(26, 36))
    rig.until(lambda: rig.cubes()[0].observations > seen, 20, "frames to be used again")
    assert rig.call(Trigger, "/mapper/reset").success
    rig.until(lambda: not rig.scenes[-1].objects, 20, "an empty scene")
    rig.end("mapper")

    rig.start_mapper(fixed_frame="map")
    other = rig.call(LoadScene, "/mapper/load_scene", 20, path=str(tmp_path / "scene"))
    assert not other.success and "odom" in other.message and "map" in other.message


def test_scene_frame_is_a_static_transform(rig):
    from rclpy.qos import DurabilityPolicy, QoSProfile
    from tf2_msgs.msg import TFMessage

    robot = started(rig)
    first_frame(rig, robot, 5)
    for name in ("deactivate", "cleanup", "configure", "activate"):
        assert transition(rig, name)
    robot.wait()
    first_frame(rig, robot)
    heard = []
    latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    rig.node.create_subscription(TFMessage, "/tf_static", heard.append, latched)
    rig.until(lambda: heard, 20, "the static transform, also when late")
    time.sleep(0.5)
    (message,) = heard  # nothing of the map before
    (tie,) = message.transforms
    assert (tie.header.frame_id, tie.child_frame_id) == ("odom", "spatial_scene")
    T = cube_world.camera_pose(0)
    place, turn = tie.transform.translation, tie.transform.rotation
    np.testing.assert_allclose([place.x, place.y, place.z], T[:3, 3], atol=1e-9)
    yaw = math.atan2(T[1, 2], T[0, 2])
    np.testing.assert_allclose(
        [turn.x, turn.y, turn.z, turn.w], [0, 0, math.sin(yaw / 2), math.cos(yaw / 2)], atol=1e-9
    )


def test_a_viewer_started_late_is_shown_the_boxes(rig):
    from rclpy.qos import DurabilityPolicy, QoSProfile
    from visualization_msgs.msg import Marker, MarkerArray

    robot = started(rig)
    robot.drive(STEPS)
    rig.until(rig.cubes, 20, "the cube")
    time.sleep(0.5)
    heard = []
    latched = QoSProfile(
        depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL
    )  # as in the RViz file
    rig.node.create_subscription(MarkerArray, "/mapper/markers", heard.append, latched)
    rig.until(lambda: heard and any(m.type == Marker.CUBE for m in heard[-1].markers), 10, "boxes")


def set_parameter(rig: Rig, name: str, value):
    from rcl_interfaces.srv import SetParameters
    from rclpy.parameter import Parameter

    request = [Parameter(name, value=value).to_parameter_msg()]
    return rig.call(SetParameters, "/mapper/set_parameters", 20, parameters=request).results[0]


def test_parameters_are_described_and_wrong_ones_refused_with_the_reason(rig):
    from rcl_interfaces.srv import DescribeParameters

    rig.start_mapper()
    for name, value, said in (
        ("graph_period", -1.0, "out of range"),
        ("graph_period", 20, "type"),  # DOUBLE in Jazzy's words, a number in Kilted's
        ("clock_jump", "explode", "'explode' is not one of 'reset', 'keep'"),
        ("instances", "geometric", "read-only"),
        ("input.slop", 0.05, "takes effect when the node is configured"),
    ):
        result = set_parameter(rig, name, value)
        assert not result.successful and said in result.reason, (name, result.reason)
        assert name in result.reason or said == "type"
    assert set_parameter(rig, "clock_jump", "keep").successful
    described = rig.call(
        DescribeParameters, "/mapper/describe_parameters", names=["input.slop", "box.voxel"]
    ).descriptors
    assert all(d.description for d in described)
    assert described[0].floating_point_range[0].to_value == 1.0


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("instances", "psychic", "parameter instances: .*'psychic' is not one of"),
        ("input.queue_size", 0, "parameter input.queue_size: .*out of range"),
        ("input.slop", 1, "parameter input.slop: .*INTEGER.*DOUBLE"),
        ("points.min_range", 9.0, "parameter points.min_range: 9.0 is not below max_range"),
        ("fixed_frame", "/odom", "parameter fixed_frame: '/odom' is no TF frame"),
        ("scene_frame", "odom", "parameter scene_frame: 'odom' is the fixed_frame too"),
        ("use_sim_time", "maybe", "'use_sim_time'.*STRING.*BOOL"),
        (
            "qos_overrides./image.subscription.reliability",
            "nonsense",
            "cannot become active: qos_overrides./image: .*nonsense",
        ),
        (
            "qos_overrides./mapper/objects.publisher.depth",
            "many",
            "cannot become inactive: qos_overrides./mapper/objects: .*STRING.*INTEGER",
        ),
    ],
)
def test_wrong_parameter_at_the_start_ends_the_node_with_one_line(rig, name, value, said):
    import re

    rig.start_mapper(**{name: value})
    assert rig.processes["mapper"].wait(20) == 1
    assert re.search(said, rig.log("mapper")), rig.log("mapper")
    assert len(rig.log("mapper").strip().splitlines()) == 1


def test_no_background_at_all_is_a_setting_too(rig):
    rig.start_mapper(segmentation__background=[])
    rig.until(lambda: rig.health.get("state") == "active", 20, "the mapper")


def test_settings_that_contradict_each_other_are_refused_before_they_take_effect(rig):
    rig.start_mapper(autostart=False)
    for name, value, said in (
        ("points.min_range", 7.0, "points.min_range: 7.0 is not below max_range, 6.0"),
        ("scene_frame", "odom", "scene_frame: 'odom' is the fixed_frame too"),
    ):
        result = set_parameter(rig, name, value)
        assert not result.successful and said in result.reason
    assert set_parameter(rig, "points.max_range", 8.0).successful
    assert set_parameter(rig, "points.min_range", 7.0).successful
    assert transition(rig, "configure")


def test_misspelt_parameter_is_named(rig):
    rig.start_mapper(input__slap=0.05)
    said = "parameter input.slap is not known, did you mean input.slop?"
    rig.until(lambda: said in rig.log("mapper"), 20, "the warning")


def transition(rig: Rig, name: str):
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState

    number = getattr(Transition, f"TRANSITION_{name.upper()}")
    return rig.call(ChangeState, "/mapper/change_state", transition=Transition(id=number)).success


def test_lifecycle(rig):
    robot = Robot(rig)
    rig.start_mapper(autostart=False)
    rig.until(lambda: "mapper" in rig.node.get_node_names(), 15, "the node")
    assert not transition(rig, "activate"), "cannot be activated before it is configured"
    assert robot.color.get_subscription_count() == 0
    for _ in range(2):
        assert transition(rig, "configure")
        rig.until(lambda: robot.color.get_subscription_count() == 0, 20, "no subscription")
        assert transition(rig, "activate")
        robot.wait()
        rig.scenes.clear()
        robot.drive(STEPS)
        rig.until(rig.cubes, 20, "the cube")
        assert transition(rig, "deactivate")
        rig.until(lambda: robot.color.get_subscription_count() == 0, 20, "no subscription")
        assert transition(rig, "activate")
        robot.wait()
        robot.drive(range(20, 25))
        rig.until(lambda: rig.cubes()[0].observations > 18, 20, "the map was kept")
        assert transition(rig, "deactivate") and transition(rig, "cleanup")
    assert transition(rig, "unconfigured_shutdown")
    assert rig.end("mapper", signal.SIGTERM) == 0


def test_services_answer_whatever_the_state(rig, tmp_path):
    robot = Robot(rig)
    rig.start_mapper(autostart=False)
    query = rig.call(QueryObjects, "/mapper/query_objects", 20)
    assert not query.success and query.message == "there is no map: the mapper is not configured"
    save = rig.node.create_client(SaveScene, "/mapper/save_scene")
    for turn in range(3):
        assert transition(rig, "configure") and transition(rig, "activate")
        robot.wait()
        robot.drive(range(10 * turn, 10 * turn + 5))
        rig.until(save.service_is_ready)
        asked = [save.call_async(SaveScene.Request(path=str(tmp_path / "x"))) for _ in range(5)]
        assert transition(rig, "deactivate") and transition(rig, "cleanup")
        rig.until(lambda asked=asked: all(f.done() for f in asked), 10, "answers of all services")
        assert asked[0].result().success
    assert transition(rig, "unconfigured_shutdown")
    assert not rig.call(QueryObjects, "/mapper/query_objects").success


def test_transition_that_breaks_off_leaves_a_node_that_can_only_end():
    from ros_rig import claim_domain

    from spatial_vlm_ros.nodes.managed import ManagedNode

    class Breaks(ManagedNode):
        def activate(self) -> None:
            raise KeyError("half-way")

    domain, claim = claim_domain()
    rclpy.init(domain_id=domain)
    try:
        node = Breaks("breaks")
        node.trigger_configure()
        node.trigger_activate()
        assert node._state_machine.current_state[1] == "finalized"
        node.stop()
        node.destroy_node()
    finally:
        rclpy.shutdown()
        claim.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_cleanly_while_frames_come(rig, number):
    robot = started(rig)
    robot.drive(range(10))
    assert rig.end("mapper", number) == 0
    assert "Traceback" not in rig.log("mapper")


def test_missing_interfaces_are_said_in_one_line():
    import subprocess
    import sys

    code = (
        "import sys; sys.modules['spatial_vlm_msgs.action'] = None; "
        "import spatial_vlm_ros.nodes.mapper"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr.startswith("ROS interfaces are not built or not sourced")
    assert len(ended.stderr.strip().splitlines()) == 1


def test_image_helper_is_what_a_driver_sends():
    message = image(np.zeros((2, 3, 3), np.uint8), "rgb8", START_NS)
    assert (message.height, message.width, message.step, len(message.data)) == (2, 3, 9, 18)
