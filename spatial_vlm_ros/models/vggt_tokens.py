"""VGGT's aggregator tokens as spatial features (section 3.1, equation 1)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from spatial_vlm_ros.models.spatial_features import Frames
from spatial_vlm_ros.vision.checkpoint import Checkpoint

INSTALL = "pip install git+https://github.com/facebookresearch/vggt"


class VggtTokens:
    """A :class:`spatial_vlm_ros.models.spatial_features.SpatialFeatures` of frames alone.

    aggregator: VGGT's, or what is called like it: ``tokens_of_layers, first_patch = aggregator(
    images (B, S, 3, H, W) in 0..1)``, tokens (B, S, first_patch + patches, width) of each layer,
    which begin with the frame's camera and registers. layer: from 0. width: twice that of its
    blocks, whose frame and global attention stand beside each other. dtype: in which it computes;
    None for its own.
    """

    def __init__(
        self,
        aggregator: nn.Module,
        layer: int = 22,
        width: int = 2048,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.channels = width
        self._aggregator, self._layer, self._dtype = aggregator.eval(), layer, dtype

    @classmethod
    def open(
        cls,
        name: str,
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
        layer: int = 22,
        width: int = 2048,
    ) -> VggtTokens:
        """Of a VGGT in a folder, or of the hub and fetched; nothing is fetched here.

        ``ValueError`` when the package or the weights are not on this machine, or do not fit. The
        heads of VGGT (depth, cameras, tracks) are neither read nor built.
        """
        try:
            from vggt.models.aggregator import Aggregator  # type: ignore[import-not-found]
        except ImportError as error:
            raise ValueError(f"spatial features of VGGT need its package: {INSTALL}") from error
        checkpoint = Checkpoint.find(name)
        settings = checkpoint.settings()
        known = inspect.signature(Aggregator).parameters
        aggregator = Aggregator(**{key: settings[key] for key in known if key in settings})
        try:
            aggregator.load_state_dict(checkpoint.tensors(("aggregator.",)), assign=True)
        except RuntimeError as error:
            raise ValueError(f"VGGT {name}: {error}") from error
        return cls(aggregator.to(device).requires_grad_(False), layer, width, dtype)

    def maps(self, frames: Frames) -> Tensor:
        """See :class:`SpatialFeatures`; on the aggregator's device.

        ``ValueError`` when the images are not of 0..1, and when the aggregator has no such layer,
        or not one token of the width for each patch.
        """
        rows, columns = frames.patches
        low, high = (float(value) for value in frames.images.aminmax())
        if low < 0 or high > 1:
            raise ValueError(f"VGGT takes images of 0..1, not {low:g}..{high:g}")
        weight = next(self._aggregator.parameters())
        dtype = self._dtype or weight.dtype
        lower = torch.autocast(weight.device.type, dtype, enabled=dtype != weight.dtype)
        with torch.no_grad(), lower, _only(self._aggregator, self._layer):
            layers, first = self._aggregator(frames.images[None].to(weight))
        if self._layer >= len(layers):
            raise ValueError(f"layer {self._layer} of an aggregator with {len(layers)}, from 0")
        tokens = layers[self._layer][0, :, first:]
        expected = (len(frames.images), rows * columns, self.channels)
        if tokens.shape != expected:
            raise ValueError(f"VGGT gives tokens {tuple(tokens.shape)}, not {expected}")
        return tokens.unflatten(1, (rows, columns))


@contextmanager
def _only(aggregator: nn.Module, layer: int) -> Iterator[None]:
    """Keep but one layer in memory, and leave out the blocks behind it, where VGGT lets us.

    It makes a list of all layers, 0.2 GB each of 32 frames of 336 x 448. So the steps of its loop
    give back nothing to be listed but of the one layer.
    """
    steps = ("_process_frame_attention", "_process_global_attention")
    loop = ("aa_block_num", "aa_block_size")
    changed: dict[str, Any] = {}
    if all(hasattr(aggregator, name) for name in steps + loop):
        blocks: int = aggregator.aa_block_num  # type: ignore[assignment]
        together: int = aggregator.aa_block_size  # type: ignore[assignment]
        changed = {name: _thinned(getattr(aggregator, name), layer) for name in steps}
        changed["aa_block_num"] = min(blocks, layer // together + 1)
    before = {name: vars(aggregator)[name] for name in changed if name in vars(aggregator)}
    vars(aggregator).update(changed)
    try:
        yield
    finally:
        for name in changed:
            del vars(aggregator)[name]
        vars(aggregator).update(before)


def _thinned(step: Callable[..., Any], layer: int) -> Callable[..., Any]:
    """A step of the loop: (tokens, next block, intermediates of this step's blocks)."""

    def thinned(*given: Any, **options: Any) -> tuple[Tensor, int, list[Tensor]]:
        tokens, after, listed = step(*given, **options)
        first = after - len(listed)
        listed = [t if first + i == layer else t[..., :0] for i, t in enumerate(listed)]
        return tokens, after, listed

    return thinned
