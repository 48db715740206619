"""VGGT's aggregator: opened by itself, and run with only those layers kept that are read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from spatial_vlm_ros.vision.checkpoint import Checkpoint

INSTALL = "pip install git+https://github.com/facebookresearch/vggt"

Module = TypeVar("Module", bound=nn.Module)


def open_aggregator(name: str, device: torch.device | str) -> nn.Module:
    """Of a VGGT in a folder, or of the hub and fetched; its heads are neither read nor built.

    ``ValueError`` when the package or the weights are not on this machine, or do not fit.
    """
    try:
        from vggt.models.aggregator import Aggregator  # type: ignore[import-not-found]
    except ImportError as error:
        raise ValueError(f"VGGT needs its package: {INSTALL}") from error
    checkpoint = Checkpoint.find(name)
    aggregator: nn.Module = Aggregator(**known(Aggregator, checkpoint.settings()))
    return filled(aggregator, checkpoint, "aggregator.").to(device)


def known(kind: Callable[..., Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Those of the settings that this version of a class has."""
    return {name: settings[name] for name in inspect.signature(kind).parameters if name in settings}


def filled(module: Module, checkpoint: Checkpoint, prefix: str) -> Module:
    """The module, to compute only, with the weights that the checkpoint has under the prefix."""
    try:
        module.load_state_dict(checkpoint.tensors((prefix,)), assign=True)
    except RuntimeError as error:
        raise ValueError(f"VGGT {checkpoint.name}: {error}") from error
    return module.eval().requires_grad_(False)


def tokens(
    aggregator: nn.Module, images: Tensor, layers: Collection[int], dtype: torch.dtype | None = None
) -> tuple[list[Tensor], int]:
    """The tokens of images (n, 3, H, W) in 0..1, in its types: ``(of each layer, first_patch)``.

    Each (1, n, first_patch + patches, width); what belongs to other layers may be empty. dtype: in
    which it computes; None for that of its weights.
    """
    weight = next(aggregator.parameters())
    dtype = dtype or weight.dtype
    lower = torch.autocast(weight.device.type, dtype, enabled=dtype != weight.dtype)
    with torch.no_grad(), lower, only(aggregator, layers):
        listed, first = aggregator(images[None].to(weight))
    return listed, first


@contextmanager
def only(aggregator: nn.Module, layers: Collection[int]) -> Iterator[None]:
    """Keep but these layers in memory, and leave out the blocks behind them, where VGGT lets us.

    It makes a list of all layers, 0.2 GB each of 32 frames of 336 x 448. So the steps of its loop
    give back nothing to be listed but of these layers.
    """
    steps = ("_process_frame_attention", "_process_global_attention")
    loop = ("aa_block_num", "aa_block_size")
    changed: dict[str, Any] = {}
    if all(hasattr(aggregator, name) for name in steps + loop):
        blocks: int = aggregator.aa_block_num  # type: ignore[assignment]
        together: int = aggregator.aa_block_size  # type: ignore[assignment]
        changed = {name: _thinned(getattr(aggregator, name), layers) for name in steps}
        changed["aa_block_num"] = min(blocks, max(layers) // together + 1)
    before = {name: vars(aggregator)[name] for name in changed if name in vars(aggregator)}
    vars(aggregator).update(changed)
    try:
        yield
    finally:
        for name in changed:
            del vars(aggregator)[name]
        vars(aggregator).update(before)


def _thinned(step: Callable[..., Any], layers: Collection[int]) -> Callable[..., Any]:
    """A step of the loop: (tokens, next block, intermediates of this step's blocks)."""

    def thinned(*given: Any, **options: Any) -> tuple[Tensor, int, list[Tensor]]:
        tokens, after, listed = step(*given, **options)
        first = after - len(listed)
        listed = [t if first + i in layers else t[..., :0] for i, t in enumerate(listed)]
        return tokens, after, listed

    return thinned
