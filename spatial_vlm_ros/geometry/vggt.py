"""VGGT: depth and cameras of a window of images, and its tokens, by one pass."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spatial_vlm_ros.geometry.config import VggtConfig
from spatial_vlm_ros.geometry.prediction import Prediction
from spatial_vlm_ros.models.spatial_features import PATCH
from spatial_vlm_ros.models.vggt_aggregator import filled, known, open_aggregator, tokens
from spatial_vlm_ros.scene_frame import inverse
from spatial_vlm_ros.vision.checkpoint import Checkpoint
from spatial_vlm_ros.vision.device import device_of, dtype_of
from spatial_vlm_ros.vision.images import as_tensor, resized

_LAYERS = 24  # of the aggregator for which the depth head's own list of layers is made


class Vggt:
    """A :class:`~spatial_vlm_ros.geometry.prediction.Predictor`; the point and track heads of VGGT
    are neither read nor built.

    The aggregator computes in ``config.dtype``, the heads in float32, as VGGT itself does. layer:
    of the aggregator, from 0, whose tokens come back as features; None for none of them.
    """

    def __init__(
        self,
        aggregator: nn.Module,
        camera_head: nn.Module,
        depth_head: nn.Module,
        config: VggtConfig,
        layer: int | None = None,
    ) -> None:
        last = len(aggregator.frame_blocks) - 1  # type: ignore[arg-type]
        if layer is not None and not 0 <= layer <= last:
            raise ValueError(f"layer {layer} of a VGGT with {last + 1}, from 0")
        self._aggregator, self._camera, self._depth = aggregator, camera_head, depth_head
        weight = next(aggregator.parameters())
        self._dtype = dtype_of(config.dtype, weight.device)
        self._width, self._layer = config.width, layer
        read: Sequence[int] = depth_head.intermediate_layer_idx  # type: ignore[assignment]
        self.layers = frozenset({*read, last} | ({layer} if layer is not None else set()))

    @classmethod
    def open(cls, config: VggtConfig, layer: int | None = None) -> Vggt:
        """Of a VGGT in a folder, or of the hub and fetched; nothing is fetched here.

        ``ValueError`` when the package, the weights or the device are not on this machine, or do
        not fit together.
        """
        device = device_of(config.device, "geometry.vggt")
        aggregator = open_aggregator(config.checkpoint, device)
        from vggt.heads.camera_head import CameraHead  # type: ignore[import-not-found]
        from vggt.heads.dpt_head import DPTHead  # type: ignore[import-not-found]

        checkpoint = Checkpoint.find(config.checkpoint)
        settings = checkpoint.settings()
        common = {"dim_in": 2 * int(settings.get("embed_dim", 1024)), "patch_size": PATCH}
        as_published = {"output_dim": 2, "activation": "exp", "conf_activation": "expp1"}
        of_depth = common | as_published | settings.get("depth_head", {})
        layers = of_depth.get("intermediate_layer_idx") or _read(DPTHead, aggregator)
        of_camera = common | settings.get("camera_head", {})
        camera = CameraHead(**known(CameraHead, of_camera))
        depth = DPTHead(**known(DPTHead, of_depth | {"intermediate_layer_idx": list(layers)}))
        heads = [
            filled(head, checkpoint, prefix).to(device)
            for head, prefix in ((camera, "camera_head."), (depth, "depth_head."))
        ]
        return cls(aggregator, heads[0], heads[1], config, layer)

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> Prediction:
        """See :class:`Predictor`. The images are made ``config.width`` wide, and a multiple of 14
        high, so that nothing is cut off; the two focal lengths may then differ.
        """
        from vggt.utils.pose_enc import (  # type: ignore[import-not-found]
            pose_encoding_to_extri_intri,
        )

        if not images or any(image.shape != images[0].shape for image in images):
            raise ValueError(f"VGGT takes images of one size, not {[i.shape for i in images]}")
        size = seen_size(images[0].shape[0], images[0].shape[1], self._width)
        seen = torch.stack([resized(as_tensor(image), size) for image in images]).float() / 255
        listed, first = tokens(self._aggregator, seen, self.layers, self._dtype)
        device = listed[-1].device
        features = None if self._layer is None else _map(listed[self._layer], first, size)
        listed = [layer.float() for layer in listed]
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            depth, confidence = self._depth(listed, seen[None].to(device), first)
            encoded = self._camera(listed)[-1]
            extrinsics, intrinsics = pose_encoding_to_extri_intri(encoded, size)
        return Prediction(
            depth=_array(depth).reshape(len(images), *size),
            confidence=_array(confidence).reshape(len(images), *size),
            T_window_camera=_cameras(_array(extrinsics[0])),
            intrinsics=_array(intrinsics[0]).astype(np.float64),
            features=features,
        )


def seen_size(height: int, width: int, seen_width: int) -> tuple[int, int]:
    """(height, width) at which images are seen: multiples of 14, and as long as wide as before."""
    columns = max(1, seen_width // PATCH)
    return PATCH * max(1, round(columns * height / width)), PATCH * columns


def _read(head: Any, aggregator: nn.Module) -> list[int]:
    """The layers that the depth head reads; in a smaller VGGT those that lie as deep."""
    layers = len(aggregator.frame_blocks)  # type: ignore[arg-type]
    own = inspect.signature(head).parameters["intermediate_layer_idx"].default
    return [max(0, (layer + 1) * layers // _LAYERS - 1) for layer in own]


def _map(layer: Tensor, first: int, size: tuple[int, int]) -> Tensor:
    """(n, h/14, w/14, C) the patches' tokens of a layer (1, n, first + patches, C)."""
    return layer[0, :, first:].reshape(layer.shape[1], size[0] // PATCH, size[1] // PATCH, -1)


def _array(values: Tensor) -> NDArray[np.float32]:
    return values.float().cpu().numpy()


def _cameras(T_camera_world: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, 4, 4) T_window_camera, of VGGT's extrinsics (n, 3, 4); the first camera is the window."""
    T = np.tile(np.eye(4), (len(T_camera_world), 1, 1))
    T[:, :3] = T_camera_world
    return np.stack([T[0] @ inverse(own) for own in T])
