"""Training the small vision tower: to name what each cell of an image shows, and to read drawings.

A language model of this size cannot learn to see as well. Linear readings of the tower's features
are trained, so that whoever reads the features later finds all of this in them:

- the category and colour that each patch shows, in shares of its pixels, rare ones counting more;
- the category of a symbol, by the same reading, so that symbols look like what they stand for;
- the number of an identifier, alone and added to a cell's features as ``proxies/fusion.py`` does,
  where neither may hide the other.

Drawings are held to features as long as those of images, and numbers to features that differ from
each other: simplified scenes look like real ones, and no number like another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLVisionConfig
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
    Qwen2_5_VisionTransformerPretrainedModel,
)

from spatial_vlm_ros.files import replaced
from spatial_vlm_ros.proxies.patchify import upsample
from spatial_vlm_ros.small.alignment import Shown, aligned, turn_tower
from spatial_vlm_ros.small.labelled_views import OBJECTS, PATCH, LabelledViews
from spatial_vlm_ros.small.layout import NUMBERS, WIDTH
from spatial_vlm_ros.small.tower_losses import Drawn, Readings, Seen, cell_shares, losses, rarity
from spatial_vlm_ros.vision.identifiers import draw_number
from spatial_vlm_ros.vision.images import (
    CLIP_MEAN,
    CLIP_STD,
    as_tensor,
    normalised,
    patches,
)
from spatial_vlm_ros.vision.symbols import draw_symbol

#: The vision_config of the small models.
TOWER: dict[str, Any] = {
    "depth": 4,
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_heads": 2,
    "out_hidden_size": WIDTH,
    "fullatt_block_indexes": [0, 1, 2, 3],  # images are small: windows would only cost time
    "tokens_per_second": 2,
}
#: Cells along a side of a number and of a symbol, as in ``vision/reference_features.py``.
_NUMBER, _SYMBOL = 2, 4
#: Patches along a cell's side; and of an image to be shrunk by a third, before that.
MERGE, SHRUNK_MERGE = 2, 3
_FRAMES, _CELL = 2, 28
#: Images by which features are aligned; share of a cell that what it shows has.
_ALIGNED, _MOSTLY = 480, 0.5

#: Patches of an image as the tower takes them, and how many there are along its sides.
Pixels = tuple[Tensor, tuple[int, int]]


@dataclass(frozen=True)
class TowerTraining:
    """How the tower is trained.

    images, drawings: of each step; drawings are of numbers and half as many symbols. shrunk: share
    of steps whose images are made smaller by a third, as SSR sees them; flipped: of those whose
    left and right change places.
    """

    steps: int = 2400
    images: int = 12
    drawings: int = 16
    numbers: int = 100
    rate: float = 2e-3
    decay: float = 0.05
    warmup: int = 200
    shrunk: float = 0.33
    flipped: float = 0.5
    seed: int = 0


class TowerTrainer:
    """The tower, its readings and what they learn from.

    bfloat16: compute in it, which CPUs with AMX or AVX512-BF16 do several times faster.
    """

    def __init__(self, views: LabelledViews, config: TowerTraining, bfloat16: bool = True) -> None:
        torch.manual_seed(config.seed)
        self.config, self._views, self._bfloat16 = config, views, bfloat16
        vision = Qwen2_5_VLVisionConfig(**TOWER)
        vision._attn_implementation = "sdpa"
        self.tower = Qwen2_5_VisionTransformerPretrainedModel(vision)
        self.readings = Readings(vision.out_hidden_size, config.numbers)
        self._parameters = [*self.tower.parameters(), *self.readings.parameters()]
        self._optimiser = torch.optim.AdamW(
            self._parameters, lr=config.rate, weight_decay=config.decay, betas=(0.9, 0.95)
        )
        self._random = torch.Generator().manual_seed(config.seed)
        self.numbers = _numbers(config.numbers)
        self.symbols = [pixels(as_tensor(draw_symbol(name, _SYMBOL * _CELL))) for name in OBJECTS]
        self._rarity = rarity(views.categories)
        self._odds = torch.tensor([config.shrunk, config.flipped])
        self._step = 0

    def step(self) -> dict[str, float]:
        """Learn once; the losses by what they are of."""
        config = self.config
        for group in self._optimiser.param_groups:
            group["lr"] = config.rate * _schedule(self._step, config.warmup, config.steps)
        shrunk, flipped = (torch.rand(2, generator=self._random) < self._odds).tolist()
        views = self._views.some(self._draw(len(self._views), config.images), flipped)
        numbers = self._draw(config.numbers, config.drawings)
        classes = self._draw(len(self.symbols), config.drawings // 2)
        images = [pixels(views.image(index, shrunk)) for index in range(len(views))]
        drawings = [self.numbers[n] for n in numbers.tolist()]
        drawings += [self.symbols[n] for n in classes.tolist()]
        with torch.autocast("cpu", torch.bfloat16, enabled=self._bfloat16):
            features = [part.float() for part in self.features(images + drawings)]
        means = torch.stack([part.mean(0) for part in features[len(images) :]])
        drawn = Drawn(means[: len(numbers)], numbers, means[len(numbers) :], classes)
        seen = _seen(features[: len(images)], views, shrunk)
        parts = losses(self.readings, seen, drawn, self._rarity, self._random)
        loss = torch.stack(list(parts.values())).sum()
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimiser.step()
        self._step += 1
        return {name: value.item() for name, value in parts.items()}

    def features(self, images: Sequence[Pixels]) -> list[Tensor]:
        """(cells, D) of each image."""
        grids = torch.tensor([[1, *size] for _, size in images])
        out = self.tower(torch.cat([values for values, _ in images]), grid_thw=grids)
        sizes = (grids.prod(1) // MERGE**2).tolist()
        return list(out.pooler_output.split(sizes))

    def align(self, proxies: Shown | None = None, steps: int = 2000) -> None:
        """Bring features into the layout of ``small/layout.py``, once the tower is trained.

        proxies: of rooms, by the tower as it is. Readings read the old features, so they are to be
        examined before. ``ValueError``: images or proxies show no objects, or nothing else.
        """
        chosen = torch.linspace(0, len(self._views) - 1, min(len(self._views), _ALIGNED)).long()
        views = self._views.some(chosen)
        with torch.no_grad():
            parts = [self._shown(views, shrunk) for shrunk in (False, True)]
            numbers, symbols = (
                torch.stack([self.features([drawing])[0].mean(0) for drawing in drawings])
                for drawings in (_numbers(NUMBERS), self.symbols)
            )
        cells = Shown(
            torch.cat([part.features for part in parts]),
            torch.cat([part.possible for part in parts]),
            torch.cat([part.paints for part in parts]),
        )
        weight, bias = aligned(cells, proxies, numbers, symbols, steps, self.config.seed)
        turn_tower(self.tower, weight, bias)

    def _shown(self, views: LabelledViews, shrunk: bool) -> Shown:
        """The cells of images that show mostly one thing."""
        side = SHRUNK_MERGE if shrunk else MERGE
        images = [pixels(views.image(index, shrunk)) for index in range(len(views))]
        features = torch.cat([self.features([image])[0] for image in images])
        categories, paints = cell_shares(views.categories, side), cell_shares(views.paints, side)
        shown = Shown(features, categories > _MOSTLY, paints.argmax(1))
        return shown.some(shown.possible.any(1))

    def _draw(self, count: int, number: int) -> Tensor:
        return torch.randperm(count, generator=self._random)[:number]


def _seen(features: Sequence[Tensor], views: LabelledViews, shrunk: bool) -> Seen:
    """What each part of the images shows: of shrunk ones each cell, else each patch, whose features
    are those of a map made twice as fine, as the mapper makes it.
    """
    if shrunk:
        side, found = SHRUNK_MERGE, torch.cat(list(features))
    else:
        height, width = views.images.shape[2] // _CELL, views.images.shape[3] // _CELL
        maps = [upsample(part.view(height, width, -1), MERGE) for part in features]
        side, found = 1, torch.cat([part.flatten(0, 1) for part in maps])
    return Seen(found, cell_shares(views.categories, side), cell_shares(views.paints, side))


def _schedule(step: int, warmup: int, steps: int) -> float:
    """Up in a line, then down in a line to a twentieth."""
    if step < warmup:
        return (step + 1) / warmup
    return max(0.05, 1 - 0.95 * (step - warmup) / max(steps - warmup, 1))


def pixels(image: Tensor) -> Pixels:
    """Of an image (3, H, W) uint8, whose sides are multiples of 28."""
    seen = normalised(image, torch.tensor(CLIP_MEAN), torch.tensor(CLIP_STD))
    size = image.shape[1] // PATCH, image.shape[2] // PATCH
    return patches(seen, PATCH, MERGE, _FRAMES), size


def _numbers(count: int) -> list[Pixels]:
    """Drawings of the first numbers."""
    return [pixels(as_tensor(draw_number(n, _NUMBER * _CELL))) for n in range(count)]


def save_tower(tower: nn.Module, path: Path) -> None:
    """Its weights as one safetensors file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path) as file:
        file.write(save({name: part.contiguous() for name, part in tower.state_dict().items()}))
