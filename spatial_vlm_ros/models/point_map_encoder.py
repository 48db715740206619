"""Scene points in metres as features: what a depth camera tells SSR-3D instead of VGGT."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold

#: Metres over which a Fourier feature turns once: from the leg of a chair to a flat.
_WAVELENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
#: Metres up to which the distance to a neighbour counts in proportion, beyond by its logarithm.
_NEAR = 0.1

_FOURIER = 3 * 2 * len(_WAVELENGTHS)
_NEIGHBOURS = 9  # of a cell, itself included


class PointMapEncoder(nn.Module):
    """(T, h, w, C) features of scene points (T, h, w, 3), some of them unknown (NaN).

    A point is told by where it is (Fourier features of x, y, z at metric scales), by the offsets
    to its eight neighbours (the local shape, the same wherever in the scene), and by which of
    them are known. What is far from a point in the frame comes from the visual features and the
    language model, so two 3 x 3 convolutions are enough.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.point = nn.Linear(_FOURIER + 4 * _NEIGHBOURS, width)
        self.around = nn.Conv2d(width, width, 3, padding=1)
        self.act = nn.GELU()
        self.out = nn.Linear(width, width)

    def forward(self, points_scene: Tensor) -> Tensor:
        """Finite everywhere: a cell without a point is told by its neighbours, if any."""
        described = describe(points_scene).to(self.point.weight.dtype)
        x = self.act(self.point(described))
        context = self.around(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.out(x + self.act(context))


def describe(points_scene: Tensor) -> Tensor:
    """(T, h, w, 84) float32: 48 Fourier features, 9 offsets, and which of the 9 are known.

    In single precision whatever the model's, since 1 cm at 10 m is less than bfloat16 can tell.
    """
    known = points_scene.isfinite().all(-1, keepdim=True)
    points = torch.where(known, points_scene, 0).float()
    turns = points[..., None] * (2 * math.pi / torch.tensor(_WAVELENGTHS, device=points.device))
    waves = torch.cat([turns.sin(), turns.cos()], dim=-1).flatten(-2) * known
    near, near_known = _neighbours(points), _neighbours(known.float())
    both = near_known * known[..., None]
    offsets = torch.asinh((near - points[..., None, :]) * both / _NEAR)
    return torch.cat([waves, offsets.flatten(-2), near_known.flatten(-2)], dim=-1)


def _neighbours(maps: Tensor) -> Tensor:
    """(T, h, w, 9, C) of (T, h, w, C): each cell's 3 x 3 surroundings, 0 beyond the frame."""
    frames, height, width, channels = maps.shape
    columns = unfold(maps.permute(0, 3, 1, 2), 3, padding=1)
    return columns.view(frames, channels, _NEIGHBOURS, height, width).permute(0, 3, 4, 2, 1)
