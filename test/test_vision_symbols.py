"""Symbols of categories: each its own, the same for synonyms, in writing where there is none."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from spatial_vlm_ros.reasoning.vocabulary import SYNONYMS
from spatial_vlm_ros.simulation.furniture import CATEGORIES
from spatial_vlm_ros.vision.strokes import STROKE, _rounded, drawn
from spatial_vlm_ros.vision.symbol_strokes import STROKES
from spatial_vlm_ros.vision.symbols import draw_symbol, symbol_name

SIDE = 112  # what Qwen2.5-VL is shown: 4 x 4 cells of 28 pixels


@pytest.fixture(scope="module")
def ink() -> dict[str, np.ndarray]:
    """(112, 112) 0..1 of each category of the table."""
    return {name: draw_symbol(name, SIDE)[..., 0] / 255 for name in STROKES}


def same(a: str, b: str) -> bool:
    return np.array_equal(draw_symbol(a, SIDE), draw_symbol(b, SIDE))


def test_the_table_is_read_to_the_last_stroke():
    for name, strokes in STROKES.items():
        assert "".join(match.group() + " " for match in STROKE.finditer(strokes)) == strokes + " "
        assert symbol_name(name) == name, "its key is not what the name is looked up by"


@pytest.mark.parametrize("side", [28, 56, SIDE, 224])
def test_symbols_are_grey_images_of_the_size_asked_for(side):
    image = draw_symbol("chair", side)
    assert image.shape == (side, side, 3)
    assert image.dtype == np.uint8
    assert image.min() == 0
    assert image.max() == 255
    assert np.all(image == image[..., :1])


def test_all_that_the_simulator_shows_has_a_symbol():
    assert {symbol_name(name) for name in (*CATEGORIES, "floor", "wall", "ceiling")} <= set(STROKES)


def test_every_symbol_has_ink_and_ground(ink):
    for name, image in ink.items():
        assert 0.08 < image.mean() < 0.8, name


def test_every_two_symbols_differ_in_a_tenth_of_the_square(ink):
    """And in a third of what is white in either of them: a shifted edge would not do."""
    for a, b in combinations(ink, 2):
        difference = np.abs(ink[a] - ink[b]).mean()
        assert difference > 0.1, (a, b)
        assert difference > 0.3 * np.maximum(ink[a], ink[b]).mean(), (a, b)


def test_strokes_by_hand():
    """A drawer's handle is white from x = 54 to 74 and y = 80 to 88 of 100; a door's knob black."""
    drawer = draw_symbol("drawer", 100)[..., 0]
    assert (drawer[81:88, 55:74] == 255).all()
    assert (drawer[81:88, 48:53] == 0).all()
    door = draw_symbol("door", 100)[..., 0]
    assert door[51, 69] == 0
    assert door[51, 60] == 255


def test_mirrored_strokes_are_on_both_sides():
    """A table is drawn with two of its four legs given."""
    table = draw_symbol("table", SIDE)[..., 0].astype(int)
    assert np.abs(table - table[:, ::-1]).mean() < 0.01 * 255


def test_rounding_keeps_to_the_lines_and_to_open_ends():
    """A square of 100 loses at most 6 of each corner's sides at once; its middle stays."""
    square = np.array([[0.0, 0], [100, 0], [100, 100], [0, 100]])
    rounded = _rounded(square, closed=True)
    assert np.abs(rounded - 50).max() == 50
    assert 90 < np.abs(rounded - 50).sum(axis=1).max() < 97
    line = np.array([[0.0, 0], [40, 0], [40, 40]])
    bent = _rounded(line, closed=False)
    np.testing.assert_array_equal(bent[[0, -1]], line[[0, -1]])
    assert (bent != line[1]).any(axis=1).all(), "the corner is still there"
    sharp, round_ = (drawn(f"P{mark} 0,0 99,0 99,99 0,99", 5) for mark in ("", "~"))
    assert sharp[0, 0] == 255
    assert round_[0, 0] == 0


def test_synonyms_share_a_symbol():
    assert symbol_name("couch") == symbol_name("Sofas") == "sofa"
    assert same("couch", "Sofas")
    assert same("trash_can", "bin")
    for group in SYNONYMS:
        if set(group) & set(STROKES):
            assert all(symbol_name(name) in STROKES for name in group), group


def test_a_symbol_of_its_own_goes_before_that_of_a_synonym():
    assert symbol_name("backpack") == "backpack"
    assert symbol_name("handbag") == "bag"


def test_a_name_without_a_symbol_is_written_within_the_border():
    for name in ("flux capacitor", "x", "an uncommonly long name of a thing", "küche", "日本"):
        for side in (28, SIDE):
            image = draw_symbol(name, side)
            assert image.any(), name
            for edge in (image[0], image[-1], image[:, 0], image[:, -1]):
                assert not edge.any(), name
        rows, columns = np.nonzero(draw_symbol(name, SIDE)[..., 0])
        assert max(np.ptp(rows), np.ptp(columns)) > 0.85 * (SIDE - 14), f"{name}: not large"


@pytest.mark.parametrize(
    ("name", "lines"), [("a b", 1), ("a b c", 2), ("exit sign", 2), ("coffee machine operator", 3)]
)
def test_a_name_is_written_in_the_lines_that_make_it_largest(name, lines):
    white = draw_symbol(name, 224)[..., 0].any(axis=1).astype(int)
    assert (np.diff(white) == 1).sum() == lines


def test_written_names_are_the_same_again_and_differ_from_each_other():
    names = ["flux", "flax", "flux capacitor", "capacitor flux", "küche", "kuche", "日本", "中国"]
    images = [draw_symbol(name, SIDE) for name in names]
    assert same("Flux_capacitors", "flux capacitor")
    for a, b in combinations(range(len(names)), 2):
        differing = (np.abs(images[a].astype(int) - images[b]) > 127).mean()
        assert differing > 0.003, (names[a], names[b])


@pytest.mark.parametrize("name", ["", "  ", "?!"])
def test_a_name_without_a_letter_is_refused(name):
    with pytest.raises(ValueError, match="no letter or digit"):
        draw_symbol(name, SIDE)
