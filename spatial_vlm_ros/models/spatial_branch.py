"""The 3D branch of SSR-3D (section 3.1, equations 2 to 4).

s'      = MLP_trans(norm(s))
s_fused = ViT(v) + s'
s_proj  = MLP_3D(s_fused)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from transformers import initialization as init
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLVisionConfig
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
    Qwen2_5_VLPatchMerger,
    Qwen2_5_VLRMSNorm,
)
from transformers.vision_utils import get_vision_window_index

from spatial_vlm_ros.models.point_map_encoder import PointMapEncoder
from spatial_vlm_ros.models.ssr_positions import Insertion

Source = Literal["vggt", "points"]
_WIDTHS = {"vggt": 2048, "points": 256}


@dataclass(frozen=True)
class SpatialSettings:
    """Of the 3D branch: ``spatial`` of a checkpoint's config.json.

    source: "vggt" for tokens of VGGT's aggregator, "points" for points of the scene in metres.
    layer: of the aggregator, from 0; the paper's 23rd is 22. width: C of the spatial features s,
    by default 2048 of VGGT, 256 of the point map encoder. insertion: see ``ssr_positions``.
    """

    source: Source
    layer: int = 22
    width: int = 0
    insertion: Insertion = "interleaved"

    def __post_init__(self) -> None:
        for name, value, known in (
            ("source", self.source, get_args(Source)),
            ("insertion", self.insertion, get_args(Insertion)),
        ):
            if value not in known:
                raise ValueError(f"{name} of the spatial branch is {value!r}, not of {known}")
        if self.width < 0 or self.layer < 0:
            raise ValueError(f"width {self.width} or layer {self.layer} is negative")
        object.__setattr__(self, "width", self.width or _WIDTHS[self.source])

    @property
    def channels(self) -> int:
        """Of the values that the model takes: of the tokens, or x, y and z."""
        return 3 if self.source == "points" else self.width

    @staticmethod
    def of(given: dict[str, Any]) -> SpatialSettings:
        """``ValueError`` when a field is unknown or has no such value."""
        unknown = given.keys() - SpatialSettings.__dataclass_fields__
        if unknown or "source" not in given:
            raise ValueError(f"spatial needs a source, and has no {sorted(unknown)}: {given}")
        return SpatialSettings(**given)


class SpatialBranch(nn.Module):
    """Makes the spatial tokens of visual features and what is known of the geometry.

    ``points`` is there for metric points only; the other parts have the names of the paper:
    ``transform`` is MLP_trans, ``projector`` MLP_3D, which is built like the vision merger.
    """

    def __init__(self, settings: SpatialSettings, vision: Qwen2_5_VLVisionConfig) -> None:
        super().__init__()
        self.settings = settings
        self.merge = vision.spatial_merge_size
        hidden = vision.hidden_size
        self.points = PointMapEncoder(settings.width) if settings.source == "points" else None
        self.norm = Qwen2_5_VLRMSNorm(settings.width, eps=1e-6)
        self.transform = nn.Sequential(
            nn.Linear(settings.width, hidden), nn.GELU(), nn.Linear(hidden, hidden)
        )
        self.projector = Qwen2_5_VLPatchMerger(vision.out_hidden_size, hidden, self.merge)

    def forward(self, seen: Tensor, values: Tensor | None, grids: Tensor) -> Tensor:
        """(n / merge^2, D) spatial tokens, those of a frame row by row.

        seen: (n, hidden) ViT(v), cell by cell (see :func:`by_cells`). values: (n, C), or (n, 3)
        points, patch by patch in rows; None where no geometry is known, or to see what the model
        owes to it: s' is 0 then. grids: (N, 3) frames, height and width in patches.
        """
        fused = seen if values is None else seen + self._transformed(values, grids).to(seen.dtype)
        return self.projector(fused)

    def start_from(self, merger: Qwen2_5_VLPatchMerger) -> None:
        """Let every spatial token equal its visual token, until training sets them apart.

        Weights that a checkpoint has given are kept.
        """
        for new, trained in zip(self.projector.parameters(), merger.parameters(), strict=True):
            init.copy_(new, trained)
        for weight in self.transform[-1].parameters():
            init.zeros_(weight)

    def _transformed(self, values: Tensor, grids: Tensor) -> Tensor:
        """s' (n, hidden), cell by cell."""
        cells = []
        for maps in frame_maps(values, grids):
            s = self.points(maps) if self.points is not None else maps
            cells.append(cells_of(s, self.merge))
        s = torch.cat(cells).to(self.norm.weight.dtype)
        return self.transform(self.norm(s))


def frame_maps(values: Tensor, grids: Tensor) -> list[Tensor]:
    """Per grid (T, h, w, C) of values (n, C) that stand frame by frame, row by row."""
    sizes = grids.prod(-1).tolist()
    parts = torch.split(values, sizes)
    return [part.view(*grid, -1) for part, grid in zip(parts, grids.tolist(), strict=True)]


def cells_of(maps: Tensor, merge: int) -> Tensor:
    """(n, C) of maps (T, h, w, C), cell by cell: the merge x merge patches of a cell together."""
    frames, height, width, channels = maps.shape
    cells = maps.reshape(frames, height // merge, merge, width // merge, merge, channels)
    return cells.transpose(2, 3).reshape(-1, channels)


def by_cells(seen: Tensor, grids: Tensor, vision: Any) -> Tensor:
    """(n, hidden) what Qwen2.5-VL's tower saw, cell by cell in rows.

    The tower sorts cells by the windows of its attention and sorts them back only behind its
    merger; its ``last_hidden_state`` (n, hidden) is still in the order of the windows. vision: the
    tower's configuration.
    """
    order, _ = get_vision_window_index(
        grids,
        spatial_merge_size=vision.spatial_merge_size,
        window_size=vision.window_size,
        patch_size=vision.patch_size,
    )
    cells = seen.view(len(order), -1, seen.shape[-1])
    return cells[torch.argsort(order).to(seen.device)].reshape(seen.shape)
