"""Features without weights: what they tell apart, and where."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from spatial_vlm_ros.config import EncoderConfig
from spatial_vlm_ros.proxies.opening import open_encoder
from spatial_vlm_ros.vision.descriptors import Descriptors

ENCODER = Descriptors(EncoderConfig().pixels)
QUARTERS, COLOUR = slice(0, 36), slice(117, 126)


def picture(seed: int, height=112, width=168) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize(
    ("size", "grid"),
    [((448, 588), (16, 21)), ((480, 640), (16, 21)), ((100, 75), (4, 3)), ((1080, 1920), (14, 25))],
)
def test_one_feature_per_cell_of_an_image_of_any_size(size, grid):
    found = ENCODER.encode(np.zeros((*size, 3), np.uint8))
    assert tuple(found.shape) == (*grid, ENCODER.dimension)
    assert found.dtype == torch.float32 and found.device == ENCODER.device


def test_what_settings_open_is_this_encoder():
    opened = open_encoder(EncoderConfig())
    assert isinstance(opened, Descriptors)
    image = picture(1)
    assert torch.equal(opened.encode(image), ENCODER.encode(image))


def test_one_square_changes_the_features_of_its_cell_and_of_those_around_it():
    image = picture(0)
    changed = image.copy()
    changed[28:56, 84:112] = 255 - changed[28:56, 84:112]  # row 1, column 3
    apart = (ENCODER.encode(changed) - ENCODER.encode(image)).norm(dim=2)
    assert divmod(int(apart.argmax()), 6) == (1, 3)
    assert (apart[0:3, 2:5] > 0.1).all()
    # The pixels along its edges change the gradients of the next cells, and these what is around.
    assert apart[3].max() < 0.06 and apart[:, 1].max() < 0.06
    assert (apart[:, 0] == 0).all()


@pytest.mark.parametrize("degrees", [0, 30, 60, 90, 120, 150])
def test_the_strongest_direction_is_that_of_the_edges(degrees):
    """Stripes whose brightness changes along ``degrees``: bins are 20 degrees wide."""
    v, u = np.mgrid[:56, :56]
    along = u * np.cos(np.radians(degrees)) + v * np.sin(np.radians(degrees))
    stripes = np.uint8(127 + 100 * np.sin(along / 2))
    found = ENCODER.encode(np.stack([stripes] * 3, axis=2))[..., QUARTERS].reshape(-1, 9).sum(0)
    strongest = int(found.argmax())
    off = (20 * strongest - degrees + 90) % 180 - 90
    assert abs(off) <= 10


def test_colour_is_lab():
    """Pure sRGB red is L 53.2, a 80.1, b 67.2 (D65); features are 3 / 100 of it."""
    red = np.zeros((56, 56, 3), np.uint8)
    red[..., 0] = 255
    colour = ENCODER.encode(red)[0, 0, COLOUR]
    expected = 0.03 * np.array([53.24, 80.09, 67.20])
    np.testing.assert_allclose(colour[:3], expected, atol=0.01)
    np.testing.assert_allclose(colour[3:6], 0, atol=1e-4)
    np.testing.assert_allclose(colour[6:], expected, atol=0.01)


def test_a_plain_wall_has_no_edges_even_with_noise():
    rng = np.random.default_rng(0)
    wall = np.uint8(np.clip(180 + rng.normal(0, 1.5, (112, 112, 1)), 0, 255)).repeat(3, axis=2)
    texture = picture(3, 112, 112)
    assert ENCODER.encode(wall)[..., :117].norm(dim=2).max() < 0.15
    assert ENCODER.encode(texture)[..., :117].norm(dim=2).min() > 0.5


def test_the_same_patch_elsewhere_has_the_same_feature():
    tile = picture(5, 84, 84)
    image = np.full((168, 252, 3), 128, np.uint8)
    image[:84, :84] = image[84:, 168:] = tile
    found = ENCODER.encode(image)[..., QUARTERS]
    assert torch.allclose(found[1, 1], found[4, 7], atol=1e-6)  # the middles of both


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((56, 56), np.uint8),
        np.zeros((56, 56, 3), np.float32),
        np.zeros((0, 56, 3), np.uint8),
    ],
)
def test_what_is_no_image_is_refused(bad):
    with pytest.raises(ValueError, match=r"not \(H, W, 3\) and uint8"):
        ENCODER.encode(bad)
