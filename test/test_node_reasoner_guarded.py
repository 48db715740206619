"""A reasoner with a model among broken messages, long questions and several who ask at once."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

rclpy = pytest.importorskip("rclpy")
from action_msgs.msg import GoalStatus
from asking import Client
from geometry_msgs.msg import Point32, Polygon, Quaternion
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from opened_models import keyframe
from ros_rig import LATCHED, START_NS, Rig
from small_vlm import save_small_vlm
from test_node_reasoner import chairs

from spatial_vlm_msgs.msg import Keyframe, SceneGraph, View
from spatial_vlm_ros.nodes import qos
from spatial_vlm_ros.nodes.image_conversions import keyframe_message

OPEN = "What could this room be used for?"
COUNT = "How many chairs are there?"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """Slow enough that its answers can be stopped."""
    folder = tmp_path_factory.mktemp("vlm") / "small"
    save_small_vlm(folder, layers=6, hidden=256, heads=4, endless=True)
    return folder


class Mapper:
    """What a mapper publishes, sent by hand."""

    def __init__(self, rig: Rig) -> None:
        make = rig.node.create_publisher
        self.scenes = make(SceneGraph, "/mapper/scene_graph", LATCHED)
        self.keyframes = make(Keyframe, "/mapper/keyframes", qos.latched(20))

    def scene(self, *ids: int, chairs_at: tuple[float, ...] = (1.0, 3.0)) -> SceneGraph:
        message = chairs(START_NS, *chairs_at)
        message.views = [View(keyframe=number, visible=[1]) for number in ids]
        return message


def image(number: int) -> Keyframe:
    return keyframe_message(keyframe(number, [1]), "spatial_scene")


def test_broken_messages_are_named_and_the_others_used(rig, checkpoint):
    mapper = Mapper(rig)
    short, turned = image(2), image(3)
    short.points = short.points[:100]
    turned.camera_pose.orientation = Quaternion(x=0.0, y=0.0, z=0.0, w=0.0)
    for message in (image(1), short, turned):
        mapper.keyframes.publish(message)
    mapper.scenes.publish(mapper.scene(1, 2, 3))
    parameters = {"reasoner": "ssr", "answering__max_tokens": 4}
    rig.start_reasoner(model__checkpoint=checkpoint, model__device="cpu", **parameters)
    client = Client(rig)
    rig.until(lambda: client.ask(COUNT).reasoner == "ssr", 30, "the images")
    assert client.ask(COUNT).reasoner == "ssr"
    said = "a message on topic /mapper/keyframes is ignored"
    rig.until(lambda: rig.log("reasoner").count(said) == 2, 10, "both to be named, once")

    broken = mapper.scene(1, chairs_at=(1.0, 2.0, 3.0))
    broken.has_robot_pose = True
    broken.robot_pose.orientation.w = 0.0
    mapper.scenes.publish(broken)
    said = "a message on topic /mapper/scene_graph is ignored"
    rig.until(lambda: client.ask(COUNT) and said in rig.log("reasoner"), 10, "it to be named")
    assert client.ask(COUNT).scene_revision == 2, "of the last scene that could be read"
    mapper.scenes.publish(mapper.scene(1, chairs_at=(1.0, 2.0, 3.0)))
    rig.until(lambda: client.ask(COUNT).scene_revision == 3, 10, "the next scene")

    corners = [Point32(x=x, y=y) for x, y in ((0.5, -1.0), (2.5, -1.0), (2.5, 1.0), (0.5, 1.0))]
    part = client.ask(COUNT, region=Polygon(points=corners))
    assert part.check_answer == "geometry says 2"
    assert "the model saw images of the whole scene, not of the region only" in part.warnings

    endless = client.ask("Why? " * 10_000)
    assert not endless.answered and "at most 2000 characters, not 50000" in endless.answer


def test_two_ask_at_once_and_one_takes_it_back(rig, checkpoint):
    mapper = Mapper(rig)
    mapper.keyframes.publish(image(1))
    mapper.scenes.publish(mapper.scene(1))
    parameters = {"reasoner": "ssr", "answering__max_tokens": 4000}
    rig.start_reasoner(model__checkpoint=checkpoint, model__device="cpu", **parameters)
    first, second = Client(rig), Client(rig)
    rig.until(lambda: first.ask(COUNT).reasoner == "ssr", 30, "the image")
    speaking = first.send(OPEN)
    rig.until(lambda: len({f.partial_text for f in first.heard}) > 3, 30, "an answer to begin")
    waiting = second.send(OPEN)
    rig.until(lambda: "reasoning" in second.phases, 10, "the other to be taken")
    begin = time.monotonic()
    second.cancel(waiting)
    got = second.result(waiting)
    assert (got.status, got.result.answer) == (GoalStatus.STATUS_CANCELED, "cancelled")
    assert time.monotonic() - begin < 2
    assert not any(feedback.partial_text for feedback in second.heard), "it had no turn"

    # The scene is forgotten while it is spoken of, and another begins.
    heard = len(first.heard)
    mapper.scenes.publish(mapper.scene(chairs_at=()))
    rig.until(lambda: len(first.heard) > heard + 3, 10, "the answer to go on")
    first.cancel(speaking)
    assert first.result(speaking).status == GoalStatus.STATUS_CANCELED
    after = second.ask(COUNT)
    assert (after.reasoner, after.value, after.scene_revision) == ("geometric", 0.0, 0)
    assert "no images of the scene" in after.warnings[0]
    mapper.keyframes.publish(image(9))
    mapper.scenes.publish(mapper.scene(9, chairs_at=(5.0,)))
    rig.until(lambda: second.ask(COUNT).reasoner == "ssr", 20, "the new scene's image")


def test_a_model_is_let_go_of_with_every_cleanup(rig, tmp_path):
    save_small_vlm(tmp_path / "large", layers=8, hidden=512, heads=8)
    size = (tmp_path / "large" / "model.safetensors").stat().st_size
    assert size > 70e6
    mapper = Mapper(rig)
    mapper.keyframes.publish(image(1))
    mapper.scenes.publish(mapper.scene(1))
    parameters = {"reasoner": "ssr", "answering__max_tokens": 4, "model__device": "cpu"}
    rig.start_reasoner(model__checkpoint=tmp_path / "large", **parameters)
    held, left = [], []
    for _ in range(5):
        client = Client(rig)
        rig.until(lambda it=client: it.ask(COUNT).reasoner == "ssr", 30, "the image")
        held.append(memory(rig, "reasoner"))
        change(rig, Transition.TRANSITION_DEACTIVATE)
        change(rig, Transition.TRANSITION_CLEANUP)
        left.append(memory(rig, "reasoner"))
        change(rig, Transition.TRANSITION_CONFIGURE)
        change(rig, Transition.TRANSITION_ACTIVATE)
    assert all(had - has > 0.7 * size for had, has in zip(held, left, strict=True)), (held, left)
    assert max(left) - left[0] < size, (held, left)  # threads and allocators keep some for good


def change(rig: Rig, transition: int) -> None:
    request = Transition(id=transition)
    assert rig.call(ChangeState, "/reasoner/change_state", 30, transition=request).success


def memory(rig: Rig, name: str) -> int:
    """Resident bytes of a process."""
    pages = Path(f"/proc/{rig.processes[name].pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
