"""Models inside the reasoner: mapper and reasoner as processes, and small checkpoints."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

rclpy = pytest.importorskip("rclpy")
from action_msgs.msg import GoalStatus
from asking import Client
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from ros_rig import Rig, Robot
from small_vlm import save_small_vlm
from std_msgs.msg import String

OPEN = "What could this room be used for?"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """Slow enough that its answers can be stopped."""
    folder = tmp_path_factory.mktemp("vlm") / "small"
    save_small_vlm(folder, layers=6, hidden=256, heads=4, endless=True)
    return folder


def start(
    rig: Rig, reasoner: str, checkpoint: Path | str, encoder: Path | str = "", **more
) -> Robot:
    """A robot that has looked round the cube, its mapper, and a reasoner with that model."""
    robot = Robot(rig)
    encoder = encoder or (checkpoint if reasoner == "proxy3d" else "none")
    rig.start_mapper(encoder__checkpoint=encoder, proxies_period=0.1, proxies__budget=100)
    parameters = {"reasoner": reasoner, "answering__max_tokens": 60, **more}
    rig.start_reasoner(model__checkpoint=checkpoint, model__device="cpu", **parameters)
    robot.wait()
    robot.drive(range(25))
    rig.until(rig.cubes, 20, "the cube")
    return robot


@pytest.mark.parametrize("reasoner", ["proxy3d", "ssr", "chat"])
def test_asked_streamed_cancelled_and_asked_again_from_cache(rig, checkpoint, reasoner):
    robot = start(rig, reasoner, checkpoint, answering__max_tokens=2000)
    client = Client(rig)
    rig.until(lambda: settled(client, reasoner), 60, "the whole scene at the reasoner")

    client.heard.clear()
    handle = client.send(OPEN)
    rig.until(lambda: len(client.heard) > 30, 30, "the answer to grow")
    texts = [feedback.partial_text for feedback in client.heard if feedback.partial_text]
    assert len(set(texts)) > 10
    client.cancel(handle)
    heard = len(client.heard)
    got = client.result(handle)
    assert got.status == GoalStatus.STATUS_CANCELED
    assert got.result.answer == "cancelled"
    time.sleep(0.5)
    # What is heard after the cancellation was on its way, or is the one token being computed.
    assert len(client.heard) <= heard + 5

    again = client.ask("How many cubes are there?")
    assert (again.reasoner, again.kind) == (reasoner, "count"), list(again.warnings)
    assert again.answer.isdigit()
    assert again.has_value and 0 < again.confidence <= 1
    assert again.check in ("agrees", "disagrees")
    assert again.check_answer == "geometry says 1"
    assert again.scene_revision == rig.scenes[-1].revision
    # The scene's tokens were computed for the question that was cancelled.
    assert again.cached_tokens > 0.6 * again.prompt_tokens
    assert 0 < again.first_token < 30

    if reasoner == "proxy3d":  # the scene moves on: what is behind its first change is new
        robot.drive(range(25, 60))
        rig.until(lambda: changed(client), 60, "another scene at the reasoner")


def settled(client: Client, reasoner: str) -> bool:
    """Whether the model was asked, about a scene that is all there: it does not change any more."""
    first, second = (client.ask("How many cubes are there?") for _ in range(2))
    same = first.prompt_tokens == second.prompt_tokens
    return second.reasoner == reasoner and same and second.cached_tokens > 0.6 * first.prompt_tokens


def changed(client: Client) -> bool:
    """Whether most of the scene had to be computed anew."""
    result = client.ask("How many cubes are there?")
    return result.cached_tokens < 0.5 * result.prompt_tokens


def test_a_missing_checkpoint_leaves_a_node_that_answers(rig):
    start(rig, "proxy3d", "/nowhere/model", encoder="none")
    client = Client(rig)
    for _ in range(2):
        result = client.ask("How many cubes are there?")
        assert result.value == 1 and result.reasoner == "geometric"
        assert "there is no folder /nowhere/model" in result.warnings[0]
    answers: list[String] = []
    rig.node.create_subscription(String, "/reasoner/answer", answers.append, 10)
    questions = rig.node.create_publisher(String, "/reasoner/question", 10)
    rig.until(questions.get_subscription_count, 20)
    time.sleep(0.3)
    questions.publish(String(data="How many cubes are there?"))
    rig.until(lambda: answers, 20, "the answer on the topic")
    assert "answered by geometric instead of proxy3d" in answers[0].data
    assert rig.log("reasoner").count("cannot answer") == 1  # said once


def test_proxies_of_another_encoder_are_named(rig, checkpoint):
    start(rig, "proxy3d", checkpoint, encoder="descriptors")
    client = Client(rig)

    def warned() -> str:
        result = client.ask("How many cubes are there?")
        assert result.value == 1 and result.reasoner == "geometric"
        return "features of descriptors" in result.warnings[0]

    rig.until(warned, 30, "the proxies to arrive")


def test_questions_queue_with_a_bound(rig, checkpoint):
    start(rig, "chat", checkpoint, answering__max_tokens=100, queue_timeout=120.0)
    client = Client(rig)
    handles = [client.send(OPEN) for _ in range(10)]
    accepted = [handle for handle in handles if handle.accepted]
    assert len(accepted) == 8
    for handle in accepted:
        got = client.result(handle, 120)
        assert got.status == GoalStatus.STATUS_SUCCEEDED
        assert got.result.reasoner == "chat", list(got.result.warnings)
    assert client.ask("How many cubes are there?").reasoner == "chat"


def test_who_waits_too_long_gets_geometry(rig, checkpoint):
    start(rig, "chat", checkpoint, answering__max_tokens=4000, queue_timeout=0.2)
    client = Client(rig)
    long = client.send(OPEN)
    rig.until(lambda: any(f.partial_text for f in client.heard), 30, "the answer to begin")
    result = client.ask("How many cubes are there?")
    assert result.value == 1 and result.reasoner == "geometric"
    assert "no turn within 0.2 s" in result.warnings[0]
    client.cancel(long)


def test_it_is_deactivated_and_ended_while_a_model_speaks(rig, checkpoint):
    start(rig, "chat", checkpoint, answering__max_tokens=8000)
    client = Client(rig)
    handle = client.send(OPEN)
    rig.until(lambda: any(f.partial_text for f in client.heard), 30, "the answer to begin")
    begin = time.monotonic()
    transition = Transition(id=Transition.TRANSITION_DEACTIVATE)
    done = rig.call(ChangeState, "/reasoner/change_state", 20, transition=transition)
    assert done.success and time.monotonic() - begin < 5
    got = client.result(handle)
    assert got.status == GoalStatus.STATUS_ABORTED
    assert "deactivated" in got.result.answer
    transition = Transition(id=Transition.TRANSITION_ACTIVATE)
    assert rig.call(ChangeState, "/reasoner/change_state", 20, transition=transition).success
    rig.until(lambda: client.send(OPEN).accepted, 20, "another question")
    rig.until(lambda: client.heard[-1].partial_text, 30, "the answer to begin")
    # The fixture ends the node now, in the middle of this answer.
