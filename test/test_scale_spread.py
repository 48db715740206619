"""How sure the scale of a map is that was made of many frames."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from box_world import Block, frame, look

from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.scene.scale_spread import ScaleSpread

CHAIR = Block(1, "chair", (2.0, 0.0, 0.3), (0.4, 0.5, 0.6), 0.3)
EYE = look((0, 0, 1.2), (2, 0, 0.3))


def spread_of(*spreads: float) -> float:
    spread = ScaleSpread()
    for value in spreads:
        spread.add(value)
    return spread.value


def test_it_is_the_root_mean_square():
    assert spread_of() == 0.0
    assert spread_of(0.1) == pytest.approx(0.1)
    assert spread_of(0.3, 0.4) == pytest.approx(math.sqrt((0.09 + 0.16) / 2))
    assert spread_of(*[0.1] * 50, *[0.0] * 50) == pytest.approx(0.1 / math.sqrt(2))


def test_one_frame_that_is_not_metric_makes_all_so():
    assert spread_of(0.1, math.inf, *[0.1] * 300) == math.inf
    assert spread_of(math.inf) == math.inf


def test_what_is_long_past_counts_less():
    left = 0.99**600  # each frame takes a hundredth
    expected = math.sqrt(left * 0.2**2 + (1 - left) * 0.02**2)
    assert spread_of(*[0.2] * 100, *[0.02] * 600) == pytest.approx(expected)


def test_the_scene_says_it_and_keeps_it_over_saving(tmp_path):
    memory = SpatialMemory()
    for step, spread in enumerate((0.03, 0.04)):
        memory.observe(replace(frame([CHAIR], EYE, step), scale_spread=spread))
    expected = math.sqrt((0.03**2 + 0.04**2) / 2)
    assert memory.graph().scale_spread == pytest.approx(expected)
    memory.save(tmp_path, "odom")
    other = SpatialMemory()
    other.load(tmp_path, "odom")
    assert other.graph().scale_spread == pytest.approx(expected)
    memory.reset()
    memory.observe(frame([CHAIR], EYE, 9))
    assert memory.graph().scale_spread == 0.0


@pytest.mark.parametrize("spread", [-0.1, math.nan])
def test_a_frame_refuses_a_spread_that_is_none(spread):
    with pytest.raises(ValueError, match="spread of the scale"):
        replace(frame([CHAIR], EYE), scale_spread=spread)


def test_a_frame_without_pose_or_depth_is_refused_and_says_which():
    memory = SpatialMemory()
    with pytest.raises(ValueError, match=r"no pose.*geometry\.poses"):
        memory.observe(replace(frame([CHAIR], EYE), T_fixed_camera=None))
    with pytest.raises(ValueError, match=r"no depth.*geometry\.source"):
        memory.observe(replace(frame([CHAIR], EYE), depth=None))
    assert memory.T_fixed_scene is None and not np.any(memory.graph().objects)
