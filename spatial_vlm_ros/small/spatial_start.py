"""What the 3D branch of a small SSR begins with: spatial tokens say where they are as proxies do.

A new branch gives visual tokens once more. It would have to find out how to say places while the
language model finds out how to read them, and a short training finds neither. So before that it
learns, without the language model, to give what a Proxy3D's position embedding makes of the same
visual tokens at the places that their patches show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spatial_vlm_ros.models.spatial_branch import SpatialBranch, by_cells, cells_of, frame_maps
from spatial_vlm_ros.proxies.position import PositionEmbedding

_RATE, _WARMUP = 2e-3, 0.1
_SCENES = 4  # of a step


@dataclass(frozen=True)
class Wanted:
    """Of the frames of a scene: what the branch reads, (n, hidden) seen cell by cell, (n, 3) points
    patch by patch and (1, 3) grids; and tokens (n / merge^2, D), without places and with them.
    """

    seen: Tensor
    points: Tensor
    grids: Tensor
    visual: Tensor
    placed: Tensor


@torch.no_grad()
def wanted(model: Any, inputs: Mapping[str, Tensor], position: PositionEmbedding) -> Wanted:
    """Of an SSR-3D's ``inputs`` about a scene. A cell without points keeps its visual token.

    ``ValueError``: points are not what its branch reads, or ``position`` is of another width.
    """
    if model.spatial.points is None or "spatial_values" not in inputs:
        raise ValueError("places are told of points of a depth camera: there are none")
    if position.config.dimension != model.config.vision_config.out_hidden_size:
        raise ValueError(
            f"the Proxy3D's proxies are {position.config.dimension} wide, not as SSR's"
        )
    tower, grids, points = model.model.visual, inputs["video_grid_thw"], inputs["spatial_values"]
    output = tower(inputs["pixel_values_videos"].to(tower.dtype), grid_thw=grids, return_dict=True)
    seen = by_cells(output.last_hidden_state, grids, model.config.vision_config)
    visual = tower.merger(seen)
    merge = model.spatial.merge
    cells = torch.cat([cells_of(maps, merge) for maps in frame_maps(points, grids)])
    cells = cells.view(-1, merge**2, 3)
    known = cells.isfinite().all(-1, keepdim=True)
    means = torch.where(known, cells, 0).sum(1) / known.sum(1).clamp(min=1)
    placed = torch.where(known.any(1), position(visual, means), visual)
    return Wanted(seen, points, grids, visual, placed)


def begin_with_places(
    branch: SpatialBranch, scenes: Sequence[Wanted], steps: int = 500, seed: int = 0
) -> float:
    """Fit the branch; the share of what places add that it gives in every tenth scene, which it
    does not learn unless it is the only one (1: all of it). ``ValueError``: there is no scene.
    """
    if not scenes:
        raise ValueError("there is no scene to learn places from")
    held_out = scenes[::10]
    learnt = [scene for number, scene in enumerate(scenes) if number % 10] or scenes
    optimiser = torch.optim.Adam(branch.requires_grad_().parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, _RATE, total_steps=steps, pct_start=_WARMUP
    )
    random = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        chosen = torch.randint(len(learnt), (_SCENES,), generator=random).tolist()
        optimiser.zero_grad()
        errors = torch.stack([_error(branch, learnt[number]) for number in chosen])
        errors.mean().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        missing = sum(float(_error(branch, scene)) for scene in held_out)
        added = sum(float((scene.placed - scene.visual).square().mean()) for scene in held_out)
    return 1 - missing / added


def _error(branch: SpatialBranch, scene: Wanted) -> Tensor:
    given = branch(scene.seen, scene.points, scene.grids)
    return (given - scene.placed).square().mean()
