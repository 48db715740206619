"""The one interface of spatial features: frames in, maps that tell SSR-3D their geometry out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from spatial_vlm_ros.models.spatial_branch import SpatialSettings

PATCH = 14  # pixels, of Qwen2.5-VL and of VGGT


@dataclass(frozen=True)
class Frames:
    """Frames of one video, in order; the first is the reference of VGGT.

    images: (T, 3, H, W) in 0..1, at the size at which the vision tower sees them. points_scene:
    of each frame (r, c, 3) metres, NaN where unknown, over the whole image: row i, column j is
    the part from i/r to (i+1)/r of the height and from j/c to (j+1)/c of the width; None without
    a depth camera.
    """

    images: Tensor
    points_scene: Sequence[Tensor] | Tensor | None = None

    @property
    def patches(self) -> tuple[int, int]:
        """Rows and columns. ``ValueError`` when the images do not divide into patches."""
        height, width = self.images.shape[-2:]
        if height % PATCH or width % PATCH:
            raise ValueError(f"frames of {width} x {height} pixels do not divide by {PATCH}")
        return height // PATCH, width // PATCH


class SpatialFeatures(Protocol):
    """Where spatial features come from. channels: C."""

    channels: int

    def maps(self, frames: Frames) -> Tensor:
        """(T, H/14, W/14, C) features of the patches of 14 x 14 pixels, row by row.

        Their first three dimensions flattened, they are SSR's ``spatial_values``.
        """
        ...


class MetricPoints:
    """Points of a depth camera, in metres in the scene frame; the model has the encoder."""

    channels = 3

    def maps(self, frames: Frames) -> Tensor:
        """See :class:`SpatialFeatures`; NaN where no point is known."""
        if frames.points_scene is None:
            raise ValueError("metric points need points_scene, which only a depth camera gives")
        return torch.cat(
            [patch_points(grid[None], *frames.patches) for grid in frames.points_scene]
        )


def spatial_features(
    settings: SpatialSettings,
    vggt: str = "facebook/VGGT-1B",
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
) -> SpatialFeatures:
    """What the checkpoint's spatial branch was trained with.

    vggt: a folder or a fetched model of the hub, read for source "vggt" only. dtype: in which
    VGGT computes; None for its own.
    """
    if settings.source == "points":
        return MetricPoints()
    from spatial_vlm_ros.models.vggt_tokens import VggtTokens

    options: dict[str, Any] = {"layer": settings.layer, "width": settings.width}
    return VggtTokens.open(vggt, device, dtype, **options)


def patch_points(points: Tensor, rows: int, columns: int) -> Tensor:
    """(T, rows, columns, 3) the mean of the points (T, r, c, 3) in each patch; NaN where none is.

    Points count by the area that their cell shares with the patch, so that neither grid needs to
    divide the other.
    """
    known = points.isfinite().all(-1, keepdim=True)
    filled = torch.where(known, points, 0).double()
    down = _shares(points.shape[1], rows, points.device)
    across = _shares(points.shape[2], columns, points.device)
    total = torch.einsum("ir,jc,trcx->tijx", down, across, filled)
    area = torch.einsum("ir,jc,trcx->tijx", down, across, known.double())
    return torch.where(area > 0, total / area, torch.nan).to(points.dtype)


def _shares(cells: int, patches: int, device: torch.device) -> Tensor:
    """(patches, cells) how much of a side each patch shares with each cell, in whole units."""
    patch = torch.arange(patches, device=device)[:, None] * cells
    cell = torch.arange(cells, device=device)[None] * patches
    begin, end = torch.maximum(patch, cell), torch.minimum(patch + cells, cell + patches)
    return (end - begin).clamp(min=0).double()
