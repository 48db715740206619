"""A small VGGT with random weights in the published format, made of the package's own parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

AGGREGATOR = {"img_size": 56, "embed_dim": 32, "depth": 6, "num_heads": 4, "patch_embed": "conv"}
CAMERA = {"trunk_depth": 1, "num_heads": 4}
DEPTH = {"features": 16, "out_channels": [8, 8, 16, 16]}
READ = [0, 2, 3, 5]  # of six layers, those as deep as 4, 11, 17 and 23 of 24


def small_vggt() -> tuple[Any, ...]:
    """VGGT's aggregator, camera head and depth head; the test is skipped where it is not."""
    aggregator = pytest.importorskip("vggt.models.aggregator").Aggregator
    camera = pytest.importorskip("vggt.heads.camera_head").CameraHead
    depth = pytest.importorskip("vggt.heads.dpt_head").DPTHead
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = (
            aggregator(**AGGREGATOR, init_values=1.0),
            camera(dim_in=64, **CAMERA),
            depth(
                dim_in=64,
                output_dim=2,
                activation="exp",
                conf_activation="expp1",
                intermediate_layer_idx=READ,
                **DEPTH,
            ),
        )
    return tuple(part.eval().requires_grad_(False) for part in parts)


def save_small_vggt(folder: Path, parts: tuple[nn.Module, ...] | None = None) -> Path:
    """With the heads that are not to be read."""
    prefixes = ("aggregator.", "camera_head.", "depth_head.")
    weights = {
        prefix + name: tensor
        for prefix, part in zip(prefixes, parts or small_vggt(), strict=True)
        for name, tensor in part.state_dict().items()
    }
    weights |= {"point_head.norm.weight": torch.zeros(3), "track_head.x": torch.zeros(3)}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "model.safetensors")
    settings = {**AGGREGATOR, "camera_head": CAMERA, "depth_head": DEPTH}
    (folder / "config.json").write_text(json.dumps(settings))
    return folder
