"""Bearings and the sectors they fall in."""

from __future__ import annotations

import numpy as np
import pytest

from spatial_vlm_ros.reasoning.measure import EIGHT, bearing, sector, side
from spatial_vlm_ros.scene.box import Box


def test_bearings() -> None:
    ahead = np.array([0.0, 2.0])
    here = np.array([1.0, 1.0])
    for target, degrees in {(1, 5): 0, (0, 1): 90, (3, 1): -90, (1, 0): 180, (0, 2): 45}.items():
        assert bearing(here, ahead, np.array(target, float)) == pytest.approx(degrees)


@pytest.mark.parametrize(
    ("names", "cases"),
    [
        (("left", "right"), {10: ("left", 10), -170: ("right", 10), 90: ("left", 90)}),
        (("front", "behind"), {89: ("front", 1), -91: ("behind", 1), 180: ("behind", 90)}),
        (
            ("left", "right", "back"),
            {3: ("left", 3), 134: ("left", 1), 135: ("back", 0), -180: ("back", 45)},
        ),
        (
            ("front", "left", "back", "right"),
            {44: ("front", 1), 46: ("left", 1), -136: ("back", 1), -90: ("right", 45)},
        ),
        (
            ("front-left", "front-right", "back-left", "back-right"),
            {1: ("front-left", 1), -89: ("front-right", 1), 95: ("back-left", 5)},
        ),
        (
            EIGHT,
            {
                0: ("front", 22.5),
                22: ("front", 0.5),
                23: ("front-left", 0.5),
                -100: ("right", 12.5),
                -135: ("back-right", 22.5),
                179: ("back", 21.5),
                -179: ("back", 21.5),
            },
        ),
        (("left", "behind"), {-90: ("right", 45), 170: ("behind", 35)}),
        (("left", "back-right"), {-135: ("back-right", 22.5)}),
    ],
)
def test_sectors(names: tuple[str, ...], cases: dict[float, tuple[str, float]]) -> None:
    for degrees, (name, margin) in cases.items():
        found = sector(degrees, names)
        assert found[0] == name
        assert found[1] == pytest.approx(margin)


def test_sides_of_a_box_whichever_way_it_is_given() -> None:
    for box in (Box(0, 0, 0, 1, 2, 3, 0.3), Box(0, 0, 0, 2, 1, 3, 0.3 + np.pi / 2)):
        assert side(box, "length") == 2
        assert side(box, "width") == 1
        assert side(box, "longest side") == 3
        assert side(box, "volume") == 6
