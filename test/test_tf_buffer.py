"""The transform buffer: hand-computed cases, and the answers of the real tf2 core."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from spatial_vlm_ros.tf.buffer import (
    NotConnected,
    TooNew,
    TooOld,
    TransformBuffer,
    TransformError,
    UnknownFrame,
)

MS = 1_000_000
S = 1_000_000_000
NO_TURN = (0.0, 0.0, 0.0, 1.0)
QUARTER_LEFT = (0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5))
GOLDEN = json.loads((Path(__file__).parent / "data" / "tf_golden.json").read_text())
ERRORS = {
    "LookupException": UnknownFrame,
    "ConnectivityException": NotConnected,
    "ExtrapolationException": (TooOld, TooNew),
}


def filled(scenario: dict) -> TransformBuffer:
    buffer = TransformBuffer(scenario["cache_s"])
    for item in scenario["transforms"]:
        buffer.set(
            item["parent"],
            item["child"],
            item["stamp_ns"],
            item["translation"],
            item["rotation"],
            item["static"],
        )
    if scenario["clear"]:
        buffer.clear()
    return buffer


@pytest.mark.parametrize("scenario", GOLDEN, ids=lambda s: s["name"])
def test_answers_what_the_tf2_core_answers(scenario):
    buffer = filled(scenario)
    for answer in scenario["answers"]:
        query = (answer["target"], answer["source"], answer["stamp_ns"])
        if "error" in answer:
            with pytest.raises(ERRORS[answer["error"]]) as caught:
                buffer.lookup(*query)
            if "into the past" in answer["message"]:
                assert caught.type is TooOld
            if "into the future" in answer["message"]:
                assert caught.type is TooNew
            continue
        matrix = buffer.lookup(*query)
        np.testing.assert_allclose(matrix[:3, 3], answer["translation"], atol=1e-9)
        expected = Rotation.from_quat(answer["rotation"]).as_matrix()
        np.testing.assert_allclose(matrix[:3, :3], expected, atol=1e-9)
        np.testing.assert_array_equal(matrix[3], [0, 0, 0, 1])


def test_golden_data_holds_every_kind_of_answer():
    answers = [a for scenario in GOLDEN for a in scenario["answers"]]
    assert len(answers) > 200
    assert {a["error"] for a in answers if "error" in a} == set(ERRORS)


def test_maps_source_coordinates_to_target_coordinates():
    buffer = TransformBuffer()
    buffer.set("map", "robot", 1 * S, (2, 0, 0), QUARTER_LEFT)
    one_ahead = np.array([1.0, 0.0, 0.0, 1.0])  # a metre before the robot, which looks along +y
    np.testing.assert_allclose(
        buffer.lookup("map", "robot", 1 * S) @ one_ahead, [2, 1, 0, 1], atol=1e-12
    )
    np.testing.assert_allclose(
        buffer.lookup("robot", "map", 1 * S) @ [2, 1, 0, 1], one_ahead, atol=1e-12
    )


def test_halfway_is_half_the_way_and_half_the_turn():
    buffer = TransformBuffer()
    buffer.set("map", "robot", 1 * S, (0, 0, 0), NO_TURN)
    buffer.set("map", "robot", 2 * S, (4, 2, 0), QUARTER_LEFT)
    matrix = buffer.lookup("map", "robot", 1500 * MS)
    np.testing.assert_allclose(matrix[:3, 3], [2, 1, 0], atol=1e-12)
    np.testing.assert_allclose(matrix[:2, 0], [np.sqrt(0.5), np.sqrt(0.5)], atol=1e-12)


def test_errors_say_which_frames_and_by_how_much():
    buffer = TransformBuffer()
    buffer.set("odom", "base_link", 10 * S, (0, 0, 0), NO_TURN)
    buffer.set("odom", "base_link", 11 * S, (1, 0, 0), NO_TURN)
    buffer.set("base_link", "camera", 0, (0, 0, 1), NO_TURN, static=True)
    with pytest.raises(TooNew, match=r"from camera to odom.*base_link.*33\.000 ms into the future"):
        buffer.lookup("odom", "camera", 11 * S + 33 * MS)
    with pytest.raises(TooOld, match=r"from camera to odom.*base_link.*250\.000 ms into the past"):
        buffer.lookup("odom", "camera", 10 * S - 250 * MS)
    with pytest.raises(UnknownFrame, match="'kitchen'"):
        buffer.lookup("kitchen", "camera", 10 * S)


def test_what_waiting_cannot_cure_is_reported_first():
    buffer = TransformBuffer()
    for name, stamp in (("left", 10), ("right", 20)):
        buffer.set("map", name, stamp * S, (0, 0, 0), NO_TURN)
        buffer.set("map", name, (stamp + 1) * S, (0, 0, 0), NO_TURN)
    for target, source in (("left", "right"), ("right", "left")):
        with pytest.raises(TooOld):  # right starts at 20 s, left ends at 11 s
            buffer.lookup(target, source, 15 * S)


def test_a_loop_is_an_error_and_not_a_hang():
    buffer = TransformBuffer()
    for parent, child in (("a", "b"), ("b", "c"), ("c", "a")):
        buffer.set(parent, child, 0, (1, 0, 0), NO_TURN, static=True)
    buffer.set("x", "y", 0, (0, 0, 0), NO_TURN, static=True)
    with pytest.raises(NotConnected, match="loop"):
        buffer.lookup("x", "a", 1)


def test_repeated_stamp_replaces():
    buffer = TransformBuffer()
    buffer.set("map", "robot", 1 * S, (1, 0, 0), NO_TURN)
    buffer.set("map", "robot", 1 * S, (2, 0, 0), NO_TURN)
    assert buffer.lookup("map", "robot", 1 * S)[0, 3] == 2


def test_static_becomes_moving_and_back():
    buffer = TransformBuffer()
    buffer.set("map", "robot", 0, (1, 0, 0), NO_TURN, static=True)
    buffer.set("map", "robot", 5 * S, (2, 0, 0), NO_TURN)
    with pytest.raises(TooNew):
        buffer.lookup("map", "robot", 6 * S)
    buffer.set("map", "robot", 0, (3, 0, 0), NO_TURN, static=True)
    assert buffer.lookup("map", "robot", 6 * S)[0, 3] == 3


def test_clear_keeps_static_and_names():
    buffer = TransformBuffer()
    buffer.set("odom", "base", 1 * S, (1, 0, 0), NO_TURN)
    buffer.set("map", "odom", 0, (1, 0, 0), NO_TURN, static=True)
    buffer.clear()
    assert buffer.frames() == {"map", "odom", "base"}
    assert buffer.lookup("map", "odom", 1 * S)[0, 3] == 1
    with pytest.raises(TooNew, match="cleared"):
        buffer.lookup("odom", "base", 1 * S)
    buffer.set("odom", "base", 1, (7, 0, 0), NO_TURN)  # a recording that starts over
    assert buffer.lookup("odom", "base", 1)[0, 3] == 7


def test_memory_is_bounded_by_the_cache():
    buffer = TransformBuffer(cache_s=1.0)
    for i in range(5000):
        buffer.set("odom", "base", i * 10 * MS, (i, 0, 0), NO_TURN)
    history = buffer._histories["base"]
    assert len(history.samples) == len(history.stamps_ns) == 101


def test_leading_slash_is_the_old_way_to_write_a_frame():
    buffer = TransformBuffer()
    buffer.set("/map", "/robot", 0, (1, 0, 0), NO_TURN, static=True)
    assert buffer.lookup("map", "/robot", 5)[0, 3] == 1


@pytest.mark.parametrize(
    ("parent", "child", "translation", "rotation", "complaint"),
    [
        ("", "base", (0, 0, 0), NO_TURN, "empty"),
        ("map", "", (0, 0, 0), NO_TURN, "empty"),
        ("map", "map", (0, 0, 0), NO_TURN, "same frame"),
        ("map", "base", (0, float("nan"), 0), NO_TURN, "NaN"),
        ("map", "base", (0, 0, 0), (0, 0, float("inf"), 1), "infinite"),
        ("map", "base", (0, 0, 0), (0, 0, 0, 0), "length 0.000"),
        ("map", "base", (0, 0, 0), (0, 0, 1, 1), "length 1.414"),
    ],
)
def test_refuses_what_cannot_be_meant(parent, child, translation, rotation, complaint):
    buffer = TransformBuffer()
    with pytest.raises(ValueError, match=complaint):
        buffer.set(parent, child, 0, translation, rotation)
    assert buffer.frames() == frozenset()


angles = st.floats(-np.pi, np.pi)
metres = st.floats(-50, 50)


@given(
    yaws=st.lists(angles, min_size=3, max_size=3),
    places=st.lists(st.tuples(metres, metres, metres), min_size=3, max_size=3),
    share=st.floats(0, 1),
)
def test_there_and_back_is_identity(yaws, places, share):
    buffer = TransformBuffer()
    for parent, child, yaw, place in zip("abc", "bcd", yaws, places, strict=True):
        turn = Rotation.from_euler("zyx", [yaw, yaw / 3, 0.2]).as_quat()
        buffer.set(parent, child, 0, place, turn)
        buffer.set(parent, child, S, place[::-1], turn[[3, 0, 1, 2]])
    stamp = round(share * S)
    there, back = buffer.lookup("a", "d", stamp), buffer.lookup("d", "a", stamp)
    np.testing.assert_allclose(there @ back, np.eye(4), atol=1e-9)
    np.testing.assert_allclose(there[:3, :3] @ there[:3, :3].T, np.eye(3), atol=1e-12)


def test_many_threads_fill_and_ask_at_once():
    buffer = TransformBuffer(cache_s=1.0)
    buffer.set("odom", "base", 0, (0, 0, 0), NO_TURN)
    failures: list[BaseException] = []

    def fill() -> None:
        for i in range(1, 3000):
            buffer.set("odom", "base", i * MS, (i, 0, 0), NO_TURN)

    def ask() -> None:
        for i in range(1, 3000):
            try:
                assert buffer.lookup("odom", "base", i * MS)[0, 3] == pytest.approx(i)
            except TransformError:
                pass  # not there yet, or no longer
            except BaseException as error:
                failures.append(error)
                raise

    threads = [threading.Thread(target=work) for work in (fill, ask, ask)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert buffer.lookup("odom", "base", 2999 * MS)[0, 3] == 2999
