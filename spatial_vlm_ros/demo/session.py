"""One recording played in real time into a mapper, and questions asked of a reasoner, over DDS."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosbags.rosbag2 import Reader
from tqdm import tqdm

from spatial_vlm_ros.demo.processes import Processes
from spatial_vlm_ros.nodes import interfaces as ros
from spatial_vlm_ros.nodes.ask_client import AskClient
from spatial_vlm_ros.nodes.conversions import graph_from
from spatial_vlm_ros.reasoners.config import encoder_for
from spatial_vlm_ros.referring import ReferringExpression, referring_expressions
from spatial_vlm_ros.ros_image import stamp_ns
from spatial_vlm_ros.scene.graph import SceneGraph
from spatial_vlm_ros.simulation import bag

INPUTS = {
    "image": bag.COLOUR,
    "depth": bag.DEPTH,
    "camera_info": bag.INFO,
    "labels": bag.LABELS,
    "label_info": bag.LABEL_INFO,
}
START_S, SETTLE_S = 30.0, 3.0
#: Of a model: how long it may take to open, and to get what it looks at; its longest answer.
OPEN_S, ARRIVE_S, MODEL_TOKENS = 60.0, 10.0, 96


@dataclass(frozen=True)
class Model:
    """Who answers beside geometry: a reasoner's name, and its checkpoint, "" for what ships."""

    reasoner: str
    checkpoint: str = ""


@dataclass
class Answers:
    """Of one reasoner, in the order of the questions, and how long each took."""

    results: list[ros.Ask.Result] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)


@dataclass
class Outcome:
    """What a session gave: last scene and proxies, the mapper's counts and latencies, answers.

    ``beside``: of the model beside geometry. ``referred``: phrases generated from the scene, and
    the ids the mapper found for them.
    """

    scene: SceneGraph
    proxies: ros.ProxySequence
    diagnostics: dict[str, str]
    answers: Answers
    beside: Answers = field(default_factory=Answers)
    referred: list[tuple[ReferringExpression, tuple[int, ...]]] = field(default_factory=list)


def map_and_ask(
    recording: Path,
    instances: str,
    questions: Sequence[str],
    logs: Path,
    environ: Mapping[str, str],
    model: Model | None = None,
) -> Outcome:
    """Start mapper and reasoner, play ``recording``/bag once, then ask geometry, then the model.
    Everything is ended after.

    ``ProcessFailed`` or ``TimeoutError`` says which part failed, with the end of its log.
    """
    with Processes(logs, environ, prefix=f"{instances}_") as children:
        children.start("mapper", mapper_command(instances, model))
        children.start("reasoner", reasoner_command())
        with AskClient() as client:
            outcome = _Session(client, children).run(recording / "bag", questions)
        if model is not None and questions:
            children.start(model.reasoner, model_command(model))
            with AskClient(f"/{model.reasoner}") as client:
                outcome.beside = _ask_model(client, children, model.reasoner, questions)
        return outcome


def mapper_command(instances: str, model: Model | None = None) -> list[str]:
    """How the demo starts the mapper, for proxies that the model reads."""
    remaps = [f"{name}:={topic}" for name, topic in INPUTS.items()]
    given = {"instances": instances, "use_sim_time": "true"}
    if model is not None:
        given["encoder.checkpoint"] = encoder_for(model.reasoner, model.checkpoint)
    return _node("mapper", remaps, given)


def reasoner_command() -> list[str]:
    """How the demo starts the reasoner."""
    return _node("reasoner", ["scene_graph:=/mapper/scene_graph"], {"use_sim_time": "true"})


def model_command(model: Model) -> list[str]:
    """How the demo starts another reasoner, which asks a model; no clock runs any more then."""
    topics = ("scene_graph", "proxies", "keyframes")
    remaps = [f"__node:={model.reasoner}", *(f"{name}:=/mapper/{name}" for name in topics)]
    given = {"reasoner": model.reasoner, "answering.max_tokens": str(MODEL_TOKENS)}
    if model.checkpoint:
        given["model.checkpoint"] = model.checkpoint
    return _node("reasoner", remaps, given)


def player_command(recording_bag: Path) -> list[str]:
    """How the demo plays a bag: once, in real time, with /clock."""
    return [sys.executable, "-m", "spatial_vlm_ros.nodes.player", str(recording_bag), "--clock"]


def _node(name: str, remaps: Sequence[str], parameters: Mapping[str, str]) -> list[str]:
    command = [sys.executable, "-m", f"spatial_vlm_ros.nodes.{name}", "--ros-args"]
    for remap in remaps:
        command += ["-r", remap]
    for key, value in parameters.items():
        command += ["-p", f"{key}:={value}"]
    return command


def _ask_all(client: AskClient, questions: Sequence[str], check: Callable[[], None]) -> Answers:
    answers = Answers()
    for question in questions:
        start = time.perf_counter()
        answers.results.append(client.ask(question))
        answers.ms.append(1e3 * (time.perf_counter() - start))
        check()
    return answers


def _ask_model(
    client: AskClient, children: Processes, name: str, questions: Sequence[str]
) -> Answers:
    """Its answers once it has all that it looks at; if it never has, those given instead."""
    client.wait_for_reasoner(OPEN_S)
    client.spin_for(1.0)  # it must have found this client too, or its replies get lost
    deadline = time.monotonic() + ARRIVE_S
    while client.ask(questions[0]).reasoner != name and time.monotonic() < deadline:
        client.spin_for(0.2)
    return _ask_all(client, questions, partial(children.check, "mapper", name))


class _Session:
    def __init__(self, client: AskClient, children: Processes) -> None:
        self._client, self._children = client, children
        self._scene: ros.SceneGraph | None = None
        self._proxies: ros.ProxySequence | None = None
        self._scenes = 0
        self._diagnostics: dict[str, str] = {}
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        node = client.node
        node.create_subscription(ros.SceneGraph, "/mapper/scene_graph", self._on_scene, latched)
        node.create_subscription(ros.ProxySequence, "/mapper/proxies", self._on_proxies, latched)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def run(self, recording_bag: Path, questions: Sequence[str]) -> Outcome:
        self._wait(self._inputs_connected, START_S, "the mapper to subscribe to the camera")
        self._client.wait_for_reasoner(START_S)
        self._children.start("player", player_command(recording_bag))
        self._follow_player(recording_bag)
        self._settle()
        if self._scene is None or self._proxies is None:
            missing = "scene" if self._scene is None else "proxies"
            raise TimeoutError(
                f"the mapper published no {missing}\n{self._children.tail('mapper')}"
            )
        scene = graph_from(self._scene)
        check = partial(self._children.check, "mapper", "reasoner")
        answers = _ask_all(self._client, questions, check)
        outcome = Outcome(scene, self._proxies, self._diagnostics, answers)
        for expression in referring_expressions(outcome.scene):
            outcome.referred.append((expression, self._find(expression.text)))
        return outcome

    def _find(self, phrase: str) -> tuple[int, ...]:
        """Ids of what the mapper takes a phrase for; none where it does not understand it."""
        request = ros.QueryObjects.Request(phrase=phrase)
        response = self._client.call(ros.QueryObjects, "/mapper/query_objects", request)
        return tuple(item.id for item in response.objects)

    def _inputs_connected(self) -> bool:
        self._children.check("mapper", "reasoner")
        return self._client.node.count_subscribers(INPUTS["image"]) > 0

    def _follow_player(self, recording_bag: Path) -> None:
        """Serve ROS until the player has ended."""
        with Reader(recording_bag) as reader:
            start_s, duration_s = reader.start_time / 1e9, reader.duration / 1e9
        with tqdm(desc="mapping", total=round(duration_s), unit="s", disable=None) as bar:
            while self._children.running("player"):
                self._client.spin_for(0.5)
                if self._scene is not None:
                    bar.update(round(stamp_ns(self._scene.header.stamp) / 1e9 - start_s) - bar.n)
                self._children.check("mapper", "reasoner")

    def _settle(self) -> None:
        """Serve ROS until the scene has not changed for a while: the queues are empty then."""
        seen = -1
        while seen != self._scenes:
            seen = self._scenes
            self._client.spin_for(SETTLE_S)

    def _wait(self, done: Callable[[], bool], timeout_s: float, what: str) -> None:
        if not self._client.spin_until(done, timeout_s):
            raise TimeoutError(
                f"waited {timeout_s:g} s for {what}\n{self._children.tail('mapper')}"
            )

    def _on_scene(self, message: ros.SceneGraph) -> None:
        self._scene = message
        self._scenes += 1

    def _on_proxies(self, message: ros.ProxySequence) -> None:
        self._proxies = message

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if "mapper" in status.name:
                self._diagnostics |= {item.key: item.value for item in status.values}
                self._diagnostics["summary"] = status.message
