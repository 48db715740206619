"""Questions: in one process, and through the action of a reasoner in another."""

from __future__ import annotations

import os
import time
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from bench.harness import Row, Unavailable, benchmark, median_ms
from bench.recording import folder, frames
from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.reasoning.geometric import GeometricReasoner
from spatial_vlm_ros.scene.graph import SceneGraph
from spatial_vlm_ros.simulation.truth import load_questions

ROUNDS = 5


@lru_cache(maxsize=1)
def _scene() -> SceneGraph:
    """The recording's scene, mapped from its labels."""
    memory = SpatialMemory()
    for frame in frames():
        memory.observe(frame)
    return memory.graph()


@lru_cache(maxsize=1)
def _questions() -> list[str]:
    questions = [row.question for row in load_questions(folder() / "questions.json")]
    if not questions:
        raise Unavailable("the recording has no questions")
    return questions


@benchmark("question answered, same process, median")
def ask() -> Row:
    scene, reasoner = _scene(), GeometricReasoner()
    times = [median_ms(partial(reasoner.ask, q, scene), 5, 1) for q in _questions()]
    return Row(float(np.median(times)), "ms")


@benchmark("question answered through the action, median")
def ask_across() -> Row:
    """Reasoner in a process of its own; the scene comes to it over DDS as from a mapper."""
    try:
        import rclpy  # noqa: F401 - whether ROS is there
    except ImportError as error:
        raise Unavailable("needs rclpy") from error
    from rclpy.qos import DurabilityPolicy, QoSProfile

    from spatial_vlm_ros.demo.processes import Processes
    from spatial_vlm_ros.demo.session import reasoner_command
    from spatial_vlm_ros.nodes import interfaces as ros
    from spatial_vlm_ros.nodes.ask_client import AskClient
    from spatial_vlm_ros.nodes.conversions import graph_message

    os.environ["ROS_DOMAIN_ID"] = str(10 + os.getpid() % 90)
    times = []
    with Processes(Path("build/bench"), os.environ) as children:
        children.start("reasoner", reasoner_command())
        with AskClient() as client:
            latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
            topic = client.node.create_publisher(ros.SceneGraph, "/mapper/scene_graph", latched)
            topic.publish(graph_message(_scene(), "spatial_scene", "odom"))
            client.wait_for_reasoner(30.0)
            for question in _questions() * ROUNDS:
                start = time.perf_counter()
                client.ask(question)
                times.append(1e3 * (time.perf_counter() - start))
            children.check("reasoner")
    return Row(float(np.median(times)), "ms")
