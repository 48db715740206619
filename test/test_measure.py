"""Bearings and the sectors they fall in."""

from __future__ import annotations

import numpy as np
import pytest

from spatial_vlm_ros.reasoning.measure import EIGHT, bearing, on_side, sector, side
from spatial_vlm_ros.reasoning.units import convert, read_number
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


@pytest.mark.parametrize(
    ("name", "cases"),
    [
        ("left", {1: (True, 1), -1: (False, 1), 179: (True, 1), 90: (True, 90)}),
        ("right", {1: (False, 1), -100: (True, 80)}),
        ("front", {0: (True, 45), -44: (True, 1), 46: (False, 1)}),
        ("behind", {134: (False, 1), -136: (True, 1), 180: (True, 45)}),
        ("back-right", {-100: (True, 10), 100: (False, 10), -80: (False, 10)}),
    ],
)
def test_one_side(name: str, cases: dict[float, tuple[bool, float]]) -> None:
    true, margin = on_side(name, np.array([*cases], dtype=float))
    assert true.tolist() == [case[0] for case in cases.values()]
    assert margin.tolist() == [case[1] for case in cases.values()]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("20 cm", (20.0, "cm")),
        ("about 1.5 metres", (1.5, "m")),
        ("6 feet", (6.0, "ft")),
        ("3 sq ft", (3.0, "ft2")),
        ("12 square meters", (12.0, "m2")),
        ("2 mugs", (2.0, "")),
        ("3", (3.0, "")),
        ("none", None),
    ],
)
def test_numbers_with_units(text: str, number: tuple[float, str] | None) -> None:
    assert read_number(text) == number


def test_conversion_keeps_to_its_kind() -> None:
    assert convert(1.0, "m", "ft") == pytest.approx(3.28084)
    assert convert(1.0, "ft2", "m2") == pytest.approx(0.092903)
    assert convert(1.0, "m2", "cm") == 1.0
