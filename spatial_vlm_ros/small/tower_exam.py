"""How well the small vision tower sees rooms that it has never seen."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from spatial_vlm_ros.small.labelled_views import OBJECTS, LabelledViews
from spatial_vlm_ros.small.tower_losses import cell_shares
from spatial_vlm_ros.small.tower_training import MERGE, SHRUNK_MERGE, Pixels, TowerTrainer, pixels

_SURE = 0.5  # share of a cell that one object or colour has for the cell to show it


def examine(trainer: TowerTrainer, views: LabelledViews) -> dict[str, float]:
    """Shares that are right, by what was asked.

    cells: what most of a cell shows, surroundings too. objects, colours: of cells that show mostly
    one object, or one colour. The same of images made smaller by a third. numbers, symbols: of the
    drawings.
    """
    found: dict[str, float] = {}
    with torch.inference_mode():
        for shrunk in (False, True):
            images = [pixels(views.image(index, shrunk)) for index in range(len(views))]
            features = torch.cat([_features(trainer, [image]) for image in images])
            side = SHRUNK_MERGE if shrunk else MERGE
            categories = cell_shares(views.categories, side)
            paints = cell_shares(views.paints, side)
            named = trainer.readings.category(features).argmax(1) == categories.argmax(1)
            painted = trainer.readings.paint(features).argmax(1) == paints.argmax(1)
            end = " of small images" if shrunk else ""
            shown = categories[:, : len(OBJECTS)].amax(1) > _SURE
            coloured = paints[:, :-1].amax(1) > _SURE
            found[f"cells{end}"] = _share(named)
            found[f"objects{end}"] = _share(named[shown])
            found[f"colours{end}"] = _share(painted[coloured])
        read = trainer.readings
        found["numbers"] = _read(trainer, read.number, trainer.numbers)
        found["symbols"] = _read(trainer, read.category, trainer.symbols)
    return found


def _features(trainer: TowerTrainer, images: Sequence[Pixels]) -> Tensor:
    """(cells, D) float32 of all images."""
    return torch.cat(trainer.features(images)).float()


def _read(trainer: TowerTrainer, reading: torch.nn.Module, drawings: Sequence[Pixels]) -> float:
    means = torch.stack([part.float().mean(0) for part in trainer.features(drawings)])
    return _share(reading(means).argmax(1) == torch.arange(len(means)))


def _share(right: Tensor) -> float:
    return float(right.float().mean())
