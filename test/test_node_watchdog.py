"""The watchdog's verdict on streams of stamps, without any process."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy")
from spatial_vlm_ros.nodes.watchdog import Input, Watchdog

PERIOD_NS = 33_333_333


class FakeNode:
    """A node of whose parameters only ``use_sim_time`` counts."""

    def __init__(self, sim_time: bool = False, clocks: int = 0) -> None:
        self._sim_time, self._clocks = sim_time, clocks

    def get_parameter(self, name: str) -> SimpleNamespace:
        assert name == "use_sim_time"
        return SimpleNamespace(value=self._sim_time)

    def count_publishers(self, topic: str) -> int:
        assert topic == "/clock"
        return self._clocks


class Stage:
    """A watchdog over inputs that all get ``stamps``, except those given by name."""

    def __init__(self, node: FakeNode | None = None, used: int = 0, **dropped: int) -> None:
        self.assembler = SimpleNamespace(used=used, dropped=Counter(dropped), details={})
        self.inputs = {
            name: Input(SimpleNamespace(topic_name=f"/{name}"), "")
            for name in ("color", "depth", "camera_info", "labels")
        }
        self.watchdog = Watchdog(node or FakeNode(), self.inputs, self.assembler, 5.0)

    def check(self, stamps, used: int, dropped=None, **streams) -> list[str]:
        for name, its in self.inputs.items():
            for stamp in streams.get(name, stamps):
                its.note(int(stamp))
        self.assembler.used += used
        self.assembler.dropped += Counter(dropped or {})
        return self.watchdog.check()


CAMERA = np.arange(150) * PERIOD_NS


@pytest.mark.parametrize("every", [2, 4, 7])
def test_a_stream_slower_than_colour_is_no_fault(every):
    slow = CAMERA[::every]
    for name in ("depth", "labels"):
        unpaired = {f"no_{name}": len(CAMERA) - len(slow)}
        assert Stage().check(CAMERA, len(slow), unpaired, **{name: slow}) == []


def test_depth_that_cannot_be_paired_is_a_fault():
    (problem,) = Stage().check(CAMERA, 10, {"no_depth": 140})
    assert problem.startswith("140 frames dropped, no_depth")
    (problem,) = Stage().check(CAMERA, 0, {"no_depth": 150})
    assert problem.startswith("150 frames dropped, no_depth")


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("lost", [0.45, 0.7])
def test_depth_lost_at_random_is_told_from_slow_depth(every, lost):
    depth = CAMERA[::every] if every == 1 else np.arange(150) * every * PERIOD_NS
    came = depth[np.random.default_rng(3).random(len(depth)) > lost]
    problems = Stage().check(CAMERA, len(came), depth=came)
    assert "of the depth images on /depth are lost" in problems[0]
    assert abs(int(problems[0].partition("%")[0]) - 100 * lost) < 15


def test_lost_colour_is_told_by_its_camera_info():
    problems = Stage().check(CAMERA, 75, color=CAMERA[::2])
    assert "50% of the color images on /color are lost (75 of about 150 came)" in problems[0]


def test_what_was_dropped_before_is_not_told_again():
    stage = Stage(used=3, no_transform=40)
    assert stage.check(CAMERA, 150) == []
    (problem,) = stage.check(CAMERA + 10**10, 140, {"no_transform": 10})
    assert problem.startswith("10 frames dropped, no_transform")


def test_simulated_time_without_a_clock_is_said():
    (problem,) = Stage(FakeNode(sim_time=True)).check(CAMERA, 150)
    assert "use_sim_time is true, but nothing publishes /clock" in problem
    assert Stage(FakeNode(sim_time=True, clocks=1)).check(CAMERA, 150) == []
    assert Stage(FakeNode(clocks=0)).check(CAMERA, 150) == []
