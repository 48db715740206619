"""``spatial-vlm ask --ros``: what the reasoner says while it answers, and leaving before it has."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

rclpy = pytest.importorskip("rclpy")
from action_msgs.msg import GoalStatus, GoalStatusArray
from hand_built_room import room
from ros_rig import LATCHED, Rig
from small_vlm import save_small_vlm

from spatial_vlm_msgs.msg import SceneGraph
from spatial_vlm_ros.nodes.conversions import graph_message


@pytest.fixture
def rig(tmp_path):
    with Rig(tmp_path) as made:
        made.scene_topic = made.node.create_publisher(SceneGraph, "/mapper/scene_graph", LATCHED)
        yield made
        made.end_all()


def started(rig: Rig, *arguments: str, **streams: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "spatial_vlm_ros.cli", "ask", *arguments, "--ros"]
    environment = {**os.environ, "ROS_DOMAIN_ID": str(rig.domain)}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.Popen(command, env=environment, text=True, **streams)


def test_a_node_of_any_name_answers(rig) -> None:
    rig.start_reasoner("second")
    rig.scene_topic.publish(graph_message(room(), "spatial_scene", "odom"))
    with started(rig, "How many chairs are there?", "--node", "/second") as asking:
        said, notes = asking.communicate(timeout=30)
    assert asking.returncode == 0, notes
    assert "3" in said or "three" in said.lower()
    assert notes == "confidence: 1.00 (geometric)\n"


def test_a_model_s_answer_grows_on_the_terminal(rig, tmp_path: Path) -> None:
    save_small_vlm(tmp_path / "small")
    chat = {"model.checkpoint": tmp_path / "small", "model.device": "cpu"}
    rig.start_reasoner(reasoner="chat", **chat, **{"answering.max_tokens": 40})
    rig.scene_topic.publish(graph_message(room(), "spatial_scene", "odom"))
    rig.until(lambda: rig.node.count_subscribers("/mapper/scene_graph") > 1, 60, "the model")
    ours, theirs = pty.openpty()
    pieces: list[bytes] = []
    with started(rig, "Describe the scene.", stdout=theirs) as asking:
        os.close(theirs)
        try:
            while piece := os.read(ours, 4096):
                pieces.append(piece)
        except OSError:  # how the end of a terminal reads
            pass
        notes = asking.stderr.read()
    os.close(ours)
    assert asking.returncode == 0, notes
    assert len(pieces) > 2, pieces
    assert notes.strip().endswith("(chat)")
    assert "check: " in notes


def test_leaving_cancels_the_question(rig) -> None:
    rig.start_reasoner(scene_wait=60.0)
    states: list[GoalStatusArray] = []
    topic = "/reasoner/ask/_action/status"
    rig.node.create_subscription(GoalStatusArray, topic, states.append, LATCHED)
    with started(rig, "How many chairs are there?") as asking:
        rig.until(lambda: states and states[-1].status_list, 30, "the question")
        time.sleep(0.5)
        asking.send_signal(signal.SIGINT)
        said, notes = asking.communicate(timeout=10)
    assert asking.returncode == 2
    assert said == "" and notes == "interrupted\n"
    rig.until(
        lambda: [goal.status for goal in states[-1].status_list] == [GoalStatus.STATUS_CANCELED],
        5,
        "the end of the question",
    )
