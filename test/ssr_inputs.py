"""Prompts with frames, as SSR takes them, and small checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spatial_vlm_ros.models.ssr import SSRForConditionalGeneration

PATCH, MERGE = 14, 2
POINTS = {"source": "points", "width": 24}
VGGT = {"source": "vggt", "width": 20}


def opened(folder: Path, spatial: dict[str, Any] | None = None, **options: Any) -> Any:
    """An SSR of a plain checkpoint; its new weights are the same each time."""
    given = {"dtype": torch.float32, "spatial": spatial, **options}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SSRForConditionalGeneration.from_pretrained(folder, **given).eval()


def patches_of(images: Tensor) -> Tensor:
    """(n, 1176) what Qwen2.5-VL's tower takes of stills (T, 3, H, W)."""
    rows, columns = images.shape[2] // PATCH // MERGE, images.shape[3] // PATCH // MERGE
    cells = images.reshape(len(images), 3, rows, MERGE, PATCH, columns, MERGE, PATCH)
    cells = cells.permute(0, 2, 5, 3, 6, 1, 4, 7)  # frame, cell, patch in it, colour, pixel in it
    return cells.unsqueeze(6).repeat(1, 1, 1, 1, 1, 1, 2, 1, 1).flatten(0, 4).flatten(1)


def prompt(
    model: Any, sizes: list[list[tuple[int, int, int]]], seed: int = 0, known: float = 0.7
) -> dict[str, Tensor]:
    """A batch, left-padded: per prompt blocks of (frames, height, width) in patches among text.

    known: share of the points that are known.
    """
    random = torch.Generator().manual_seed(seed)
    config = model.config
    prompts = []
    for blocks in sizes:
        ids = _text(2 + len(prompts), random)
        for block in blocks:
            frames = model.frame_tokens(*block)
            ids += [config.vision_start_token_id, *frames, config.vision_end_token_id]
            ids += _text(4 + 3 * len(prompts), random)
        prompts.append(ids)
    longest = max(map(len, prompts))
    grids = torch.tensor([block for blocks in sizes for block in blocks])
    count = int(grids.prod(-1).sum())
    batch = {
        "input_ids": torch.tensor([[0] * (longest - len(ids)) + ids for ids in prompts]),
        "attention_mask": torch.tensor(
            [[0] * (longest - len(ids)) + [1] * len(ids) for ids in prompts]
        ),
        "pixel_values_videos": torch.randn(count, 588, generator=random)
        .view(count, 3, 1, 196)
        .expand(-1, -1, 2, -1)
        .reshape(count, 1176),
        "video_grid_thw": grids,
    }
    settings = config.spatial_settings
    if settings is not None:
        values = torch.randn(count, settings.channels, generator=random)
        if settings.source == "points":
            values[torch.rand(count, generator=random) > known] = torch.nan
        batch["spatial_values"] = values
    return batch


def _text(length: int, random: torch.Generator) -> list[int]:
    return torch.randint(1, 400, (length,), generator=random).tolist()


def train_away_from_start(model: Any, seed: int = 0) -> None:
    """Spatial weights as if trained: no spatial token equals its visual token."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.spatial.parameters():
            weight += 0.2 * torch.randn(weight.shape, generator=random).to(weight)
