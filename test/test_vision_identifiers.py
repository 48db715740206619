"""Numbers of objects: drawn, written and read."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from spatial_vlm_ros.vision.identifiers import draw_number, identifier_text, parse_identifiers

SIDE = 56  # what Qwen2.5-VL is shown: 2 x 2 cells of 28 pixels


def ink(number: int, side: int = SIDE) -> np.ndarray:
    """(side, side) whether a pixel is rather white."""
    return draw_number(number, side)[..., 0] > 127


def holes(image: np.ndarray) -> int:
    """Black areas that white encloses."""
    black = np.pad(~image, 1, constant_values=True).astype(np.uint8)
    return cv2.connectedComponents(black, connectivity=8)[0] - 2  # less white and the ground


def test_digits_look_like_digits():
    """By their holes; and upright: the hole of 6 is low, of 9 high, and 7 has its bar on top."""
    expected = {1: 0, 2: 0, 3: 0, 4: 1, 5: 0, 6: 1, 7: 0, 8: 2, 9: 1}
    assert {digit: holes(ink(digit, 112)) for digit in expected} == expected
    top, bottom = slice(None, SIDE // 2), slice(SIDE // 2, None)
    assert ink(6)[bottom].sum() > 1.1 * ink(6)[top].sum()
    assert ink(9)[top].sum() > 1.1 * ink(9)[bottom].sum()
    assert ink(7)[top].sum() > 1.1 * ink(7)[bottom].sum()


def test_digits_are_in_their_order():
    for number, expected in {16: [0, 1], 61: [1, 0], 908: [1, 1, 2], 100: [0, 1, 1]}.items():
        image = ink(number, 224)
        columns = np.flatnonzero(image.any(axis=0))
        gaps = columns[:-1][np.diff(columns) > 1] + 1
        assert [holes(digit) for digit in np.split(image, gaps, axis=1)] == expected


def test_a_thousand_numbers_differ():
    drawn = np.array([ink(number).ravel() for number in range(1000)], np.float32)
    both = drawn @ drawn.T
    alone = np.diag(both)
    differing = alone[:, None] + alone[None] - 2 * both + np.eye(1000) * SIDE**2
    assert differing.min() > 0.01 * SIDE**2


@pytest.mark.parametrize("side", [28, 29, SIDE, 112, 224])
@pytest.mark.parametrize("number", [0, 1, 8, 11, 42, 111, 888, 999])
def test_numbers_are_large_centred_and_clear_of_the_border(side, number):
    image = draw_number(number, side)
    assert image.shape == (side, side, 3)
    assert image.dtype == np.uint8
    assert np.all(image == image[..., :1])
    rows, columns = np.nonzero(image[..., 0])
    edges = [rows.min(), side - 1 - rows.max(), columns.min(), side - 1 - columns.max()]
    assert min(edges) >= 1
    assert min(edges) <= 0.06 * side + 1, "could be larger"
    assert abs(edges[0] - edges[1]) <= 1
    assert abs(edges[2] - edges[3]) <= 1
    assert image.max() == 255
    assert image.min() == 0


def test_words_by_hand():
    assert identifier_text(12) == "<OBJ012>"
    assert [identifier_text(number) for number in (0, 999)] == ["<OBJ000>", "<OBJ999>"]
    assert parse_identifiers("Is <OBJ012> left of <OBJ003>, or <OBJ012>?") == [12, 3, 12]


@pytest.mark.parametrize(
    "text", ["", "<OBJ12>", "<OBJ0012>", "<obj012>", "OBJ012", "< OBJ012>", "<OBJ-12>", "<OBJ٠١٢>"]
)
def test_what_is_no_word_for_an_object_is_passed_over(text):
    assert parse_identifiers(text) == []
    assert parse_identifiers(f"{text}<OBJ007>{text}") == [7]


def test_words_are_read_back():
    assert parse_identifiers(" ".join(map(identifier_text, range(1000)))) == list(range(1000))


@pytest.mark.parametrize("number", [-1, 1000])
def test_numbers_without_three_digits_are_refused(number):
    with pytest.raises(ValueError, match=f"{number} is outside of 0..999"):
        draw_number(number, SIDE)
    with pytest.raises(ValueError, match=f"{number} is outside of 0..999"):
        identifier_text(number)
