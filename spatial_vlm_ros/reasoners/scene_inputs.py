"""What models get of a scene, the same when they are asked as when they are trained."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from spatial_vlm_ros.proxies.fusion import fuse
from spatial_vlm_ros.vision.checkpoint import Checkpoint
from spatial_vlm_ros.vision.images import normalised, patches


def block(config: Any, placeholders: Iterable[int]) -> list[int]:
    """Ids of a scene in a prompt: its placeholders between a begin and an end."""
    return [config.vision_start_token_id, *placeholders, config.vision_end_token_id]


def proxy_inputs(
    features: Tensor,
    groups: Tensor,
    points_scene: Tensor,
    floor: float,
    references: Mapping[int, Tensor],
) -> dict[str, Tensor]:
    """Of Proxy3D: proxies told which object they are of, and where they are over the floor.

    features: (K, D). groups: (K,) int64. points_scene: (K, 3) metres. floor: its height in the
    scene frame. references: e_id (D,) of the groups that have a number.
    """
    return {
        "proxy_features": fuse(features.float(), groups, references),
        "proxy_positions": points_scene - torch.tensor([0.0, 0.0, floor]),
    }


def of_other_objects(groups: Tensor, known: Collection[int]) -> tuple[int, ...]:
    """Objects among the groups (K,) of proxies that are not known, ascending."""
    return tuple(
        group for group in torch.unique(groups).tolist() if group > 0 and group not in known
    )


def colours(checkpoint: Checkpoint) -> tuple[Tensor, Tensor]:
    """(3,) mean and (3,) deviation of red, green and blue that the tower was trained with."""
    mean, deviation = (torch.tensor(part) for part in checkpoint.colours())
    return mean, deviation


def seen_frames(checkpoint: Checkpoint, most: int) -> int:
    """Images of a scene that are shown: ``most``, or fewer where ``frames`` of the checkpoint's
    config.json says so.
    """
    return min(most, int(checkpoint.settings().get("frames") or most))


def frame_inputs(
    images: Sequence[Tensor] | Tensor, vision: Any, mean: Tensor, deviation: Tensor
) -> dict[str, Tensor]:
    """Of SSR: frames (3, H, W) uint8 of one size, which divides into cells, as one block.

    vision: the tower's configuration.
    """
    patch, merge = vision.patch_size, vision.spatial_merge_size
    pixels = [
        patches(normalised(image, mean, deviation), patch, merge, vision.temporal_patch_size)
        for image in images
    ]
    height, width = images[0].shape[1:]
    grid = [len(images), height // patch, width // patch]
    return {"pixel_values_videos": torch.cat(pixels), "video_grid_thw": torch.tensor([grid])}
