"""Writes tf_golden.json: what the real tf2 core answers in a set of scenarios.

The core is the C++ ``tf2::BufferCore`` as packaged by Debian 12, driven by its own Python binding:

    apt-get install python3-tf2 python3-rospy python3-geometry-msgs
    /usr/bin/python3 test/data/make_tf_golden.py

Stamps are near 1000 s because that binding passes them as doubles.
"""

import json
import math
import random
from itertools import pairwise
from pathlib import Path

import rospy
import tf2_py
from geometry_msgs.msg import TransformStamped

START_NS = 1000 * 10**9
MS = 10**6
IDENTITY = [0.0, 0.0, 0.0, 1.0]


def random_rotation(rng):
    """A uniform random unit quaternion, x y z w."""
    numbers = [rng.gauss(0, 1) for _ in range(4)]
    length = math.sqrt(sum(n * n for n in numbers))
    return [n / length for n in numbers]


def random_place(rng):
    """A point within 2 m of the origin in each coordinate."""
    return [rng.uniform(-2, 2) for _ in range(3)]


def about_z(degrees):
    """A quaternion that turns about z."""
    return [0.0, 0.0, math.sin(math.radians(degrees) / 2), math.cos(math.radians(degrees) / 2)]


def put(parent, child, ms, translation, rotation, static=False):
    """One transform of a scenario, ``ms`` after the start."""
    return {
        "parent": parent,
        "child": child,
        "stamp_ns": START_NS + int(ms * MS),
        "translation": translation,
        "rotation": rotation,
        "static": static,
    }


def message(item):
    """``item`` as the message that tf2 takes."""
    stamped = TransformStamped()
    stamped.header.stamp = rospy.Time(item["stamp_ns"] // 10**9, item["stamp_ns"] % 10**9)
    stamped.header.frame_id, stamped.child_frame_id = item["parent"], item["child"]
    place, turn = stamped.transform.translation, stamped.transform.rotation
    place.x, place.y, place.z = item["translation"]
    turn.x, turn.y, turn.z, turn.w = item["rotation"]
    return stamped


def scenario(name, transforms, questions, cache_s=10.0, clear=False):
    """Ask the real core; ``questions`` are (target, source, ms after the start)."""
    core = tf2_py.BufferCore(rospy.Duration(cache_s))
    for item in transforms:
        put_in = core.set_transform_static if item["static"] else core.set_transform
        put_in(message(item), "golden")
    if clear:
        core.clear()
    answers = []
    for target, source, ms in questions:
        stamp_ns = START_NS + int(ms * MS)
        answer = {"target": target, "source": source, "stamp_ns": stamp_ns}
        try:
            found = core.lookup_transform_core(
                target, source, rospy.Time(stamp_ns // 10**9, stamp_ns % 10**9)
            ).transform
            place, turn = found.translation, found.rotation
            answer["translation"] = [place.x, place.y, place.z]
            answer["rotation"] = [turn.x, turn.y, turn.z, turn.w]
        except tf2_py.TransformException as error:
            answer["error"], answer["message"] = type(error).__name__, str(error)
        answers.append(answer)
    return {
        "name": name,
        "cache_s": cache_s,
        "clear": clear,
        "transforms": transforms,
        "answers": answers,
    }


def chain(rng):
    """Four moving links with unequal stamps, asked between all frames."""
    frames = ["map", "odom", "base_link", "head", "camera"]
    transforms = [
        put(parent, child, i * 50 + rng.uniform(-9, 9), random_place(rng), random_rotation(rng))
        for parent, child in pairwise(frames)
        for i in range(20)
    ]
    rng.shuffle(transforms)
    questions = [(*rng.sample(frames, 2), rng.uniform(20, 930)) for _ in range(100)]
    return scenario("chain of moving links, samples out of order", transforms, questions)


def robot(rng):
    """The usual robot: static mounts above and below one moving link."""
    transforms = [
        put("map", "odom", 0, [1.0, 2.0, 0.0], about_z(90), static=True),
        put("base_link", "camera_link", 0, [0.1, 0.0, 0.5], about_z(-30), static=True),
        put("camera_link", "camera_optical", 0, [0.0, 0.0, 0.0], [-0.5, 0.5, -0.5, 0.5], True),
    ]
    transforms += [
        put("odom", "base_link", i * 100, [0.3 * i, 0.1 * i * i, 0.0], about_z(25 * i))
        for i in range(10)
    ]
    frames = ["map", "odom", "base_link", "camera_link", "camera_optical"]
    questions = [(*rng.sample(frames, 2), rng.uniform(0, 900)) for _ in range(40)]
    questions += [("map", "camera_optical", ms) for ms in (0, 100, 450, 900)]  # exact stamps too
    questions += [("map", "camera_optical", ms) for ms in (-1, -500, 901, 5000)]  # outside
    questions += [("map", "odom", -5000), ("camera_link", "base_link", 99999)]  # static: always
    questions += [("map", "map", 5), ("map", "kitchen", 5), ("kitchen", "map", 5)]
    return scenario("robot with static mounts", transforms, questions)


def few_samples(_):
    """One sample, and two."""
    transforms = [
        put("odom", "once", 100, [1.0, 2.0, 3.0], about_z(45)),
        put("odom", "twice", 100, [0.0, 0.0, 0.0], about_z(0)),
        put("odom", "twice", 200, [1.0, 0.0, 0.0], about_z(60)),
    ]
    questions = [("odom", "once", ms) for ms in (99, 100, 101)]
    questions += [("odom", "twice", ms) for ms in (99, 100, 150, 175, 200, 201)]
    questions += [("once", "twice", ms) for ms in (100, 150)]
    return scenario("a single sample and a pair", transforms, questions)


def long_way(_):
    """Rotations whose quaternions point apart, and ones that hardly differ."""
    opposite = [-q for q in about_z(30)]
    transforms = [
        put("odom", "flipped", 0, [0.0, 0.0, 0.0], about_z(10)),
        put("odom", "flipped", 100, [0.0, 0.0, 0.0], opposite),
        put("odom", "turning", 0, [0.0, 0.0, 0.0], about_z(170)),
        put("odom", "turning", 100, [0.0, 0.0, 0.0], about_z(-170)),
        put("odom", "still", 0, [0.0, 0.0, 0.0], about_z(20)),
        put("odom", "still", 100, [1.0, 0.0, 0.0], about_z(20)),
        put("odom", "creeping", 0, [0.0, 0.0, 0.0], about_z(20)),
        put("odom", "creeping", 100, [1.0, 0.0, 0.0], about_z(20.0001)),
    ]
    questions = [
        ("odom", child, ms)
        for child in ("flipped", "turning", "still", "creeping")
        for ms in (0, 25, 50, 90, 100)
    ]
    return scenario("shortest way between rotations", transforms, questions)


def separate_trees(_):
    """Two trees that nothing joins."""
    transforms = [
        put("map", "robot", 0, [1.0, 0.0, 0.0], IDENTITY),
        put("map", "robot", 100, [2.0, 0.0, 0.0], IDENTITY),
        put("world", "drone", 0, [0.0, 0.0, 5.0], IDENTITY, static=True),
    ]
    questions = [("map", "drone", 50), ("drone", "robot", 50), ("world", "drone", 50)]
    return scenario("separate trees", transforms, questions)


def moved_parent(_):
    """A cup that stands on the table, then is in the gripper."""
    transforms = [
        put("map", "table", 0, [5.0, 0.0, 1.0], IDENTITY, static=True),
        put("map", "gripper", 0, [0.0, 0.0, 0.0], about_z(90), static=True),
        put("table", "cup", 0, [0.1, 0.0, 0.0], IDENTITY),
        put("table", "cup", 100, [0.2, 0.0, 0.0], IDENTITY),
        put("gripper", "cup", 200, [0.0, 0.3, 0.0], IDENTITY),
        put("gripper", "cup", 300, [0.0, 0.5, 0.0], IDENTITY),
    ]
    questions = [("map", "cup", ms) for ms in (0, 50, 100, 150, 199, 200, 250, 300)]
    questions += [("gripper", "cup", 150), ("table", "cup", 250)]
    return scenario("a child that changes its parent", transforms, questions)


def forgotten(rng):
    """A cache of one second that three seconds of samples went through, one of them too late."""
    order = [*range(0, 3100, 100), 500, 2550]
    transforms = [put("odom", "base_link", ms, random_place(rng), IDENTITY) for ms in order]
    questions = [("odom", "base_link", ms) for ms in (500, 1900, 2000, 2050, 2525, 2550, 3000)]
    return scenario("a short cache", transforms, questions, cache_s=1.0)


def cleared(_):
    """After clear() the static transforms are left."""
    transforms = [
        put("map", "odom", 0, [1.0, 0.0, 0.0], IDENTITY, static=True),
        put("odom", "base_link", 0, [1.0, 0.0, 0.0], IDENTITY),
        put("odom", "base_link", 100, [1.0, 0.0, 0.0], IDENTITY),
    ]
    questions = [("map", "odom", 50), ("odom", "base_link", 50), ("map", "base_link", 50)]
    return scenario("cleared", transforms, questions, clear=True)


def shared_gap(_):
    """Two siblings whose common ancestor is nearer than a link that has no data at the stamp."""
    transforms = [
        put("map", "odom", 0, [1.0, 0.0, 0.0], IDENTITY),
        put("map", "odom", 10, [1.0, 0.0, 0.0], IDENTITY),
        put("odom", "left", 0, [0.0, 1.0, 0.0], about_z(10)),
        put("odom", "left", 100, [0.0, 2.0, 0.0], about_z(20)),
        put("odom", "right", 0, [0.0, -1.0, 0.0], about_z(-10)),
        put("odom", "right", 100, [0.0, -2.0, 0.0], about_z(-20)),
    ]
    questions = [("left", "right", 50), ("map", "left", 50), ("right", "map", 50)]
    return scenario("siblings below a gap", transforms, questions)


if __name__ == "__main__":
    rng = random.Random(3)
    makers = (
        chain, robot, few_samples, long_way, separate_trees, moved_parent, forgotten, cleared,
        shared_gap,
    )  # fmt: skip
    path = Path(__file__).with_name("tf_golden.json")
    path.write_text(json.dumps([make(rng) for make in makers], separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes")
