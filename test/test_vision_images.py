"""Images at other sizes, against Pillow and against what torchvision documents."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from spatial_vlm_ros.vision.images import as_tensor, normalised, resized


def smooth(height: int, width: int) -> np.ndarray:
    """An image as cameras make them: neighbours are alike."""
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(rows / a) * np.cos(columns / b) for a, b in ((9, 7), (5, 11), (13, 6))]
    return (127.5 + 127.5 * np.stack(waves, axis=-1)).astype(np.uint8)


@pytest.mark.parametrize(("mode", "most"), [("bilinear", 1), ("bicubic", 2)])
@pytest.mark.parametrize("size", [(60, 80), (1008, 1008), (200, 100)])
def test_about_as_pillow(mode, most, size) -> None:
    """In grey levels; Pillow rounds between rows and columns."""
    rgb = smooth(120, 160)
    ours = resized(as_tensor(rgb), size, mode).permute(1, 2, 0).numpy().astype(int)
    filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    theirs = np.asarray(Image.fromarray(rgb).resize(size[::-1], filters[mode])).astype(int)
    assert np.abs(ours - theirs).max() <= most
    assert np.abs(ours - theirs).mean() < 0.3


def test_bilinear_by_hand() -> None:
    """Two pixels made four: their centres are at 1/4 and 3/4, and nothing is beyond the edge."""
    rgb = np.repeat(np.array([[[0], [100]]], np.uint8), 3, axis=2)
    assert resized(as_tensor(rgb), (1, 4), "bilinear")[0].tolist() == [[0, 25, 75, 100]]


def test_shrinking_smooths() -> None:
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[::2] = 255
    small = resized(as_tensor(rgb), (16, 16), "bilinear")[:, 2:-2]
    assert (small.float() - 127.5).abs().max() < 8


def test_bicubic_is_what_it_was() -> None:
    image = as_tensor(smooth(60, 80))
    assert torch.equal(resized(image, (30, 50)), resized(image, (30, 50), "bicubic"))
    assert not torch.equal(resized(image, (30, 50)), resized(image, (30, 50), "bilinear"))


def test_values_by_hand() -> None:
    image = torch.tensor([0, 255, 51], dtype=torch.uint8).reshape(3, 1, 1)
    mean, std = torch.tensor([0.5, 0.5, 0.4]), torch.tensor([0.5, 0.25, 0.1])
    assert normalised(image, mean, std).flatten().tolist() == pytest.approx([-1.0, 2.0, -2.0])
