"""What is read from the small tower's features, and how wrong the readings are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from spatial_vlm_ros.small.labelled_views import CATEGORIES, OBJECTS, PAINTS

#: Features of objects that get identifiers, of one step.
_FUSED = 256


class Readings(nn.Module):
    """What is read from features (n, D), each by one linear layer."""

    def __init__(self, dimension: int, numbers: int) -> None:
        super().__init__()
        self.category = nn.Linear(dimension, len(CATEGORIES))
        self.paint = nn.Linear(dimension, len(PAINTS))
        self.number = nn.Linear(dimension, numbers)


@dataclass(frozen=True)
class Seen:
    """Features (n, D) of parts of images with the shares of what they show, (n, C)."""

    features: Tensor
    categories: Tensor
    paints: Tensor


@dataclass(frozen=True)
class Drawn:
    """Features of drawings: identifiers (k, D) of numbers (k,), symbols (m, D) of classes (m,)."""

    identifiers: Tensor
    numbers: Tensor
    symbols: Tensor
    classes: Tensor


def losses(
    read: Readings, seen: Seen, drawn: Drawn, rarity: Tensor, random: torch.Generator
) -> dict[str, Tensor]:
    """By what they are of. rarity: (classes,) how much each category counts."""
    objects = torch.nonzero(seen.categories[:, : len(OBJECTS)].sum(1) > 0.5)[:, 0]
    where = objects[torch.randperm(len(objects), generator=random)[:_FUSED]]
    which = torch.randint(len(drawn.identifiers), (len(where),), generator=random)
    fused = with_numbers(seen.features, where, drawn.identifiers, which)
    drawings = torch.cat([drawn.identifiers, drawn.symbols])
    return {
        "category": cross_entropy(read.category(seen.features), seen.categories, rarity),
        "paint": cross_entropy(read.paint(seen.features), seen.paints),
        "symbol": 0.2 * cross_entropy(read.category(drawn.symbols), drawn.classes),
        "number": 0.2 * cross_entropy(read.number(drawn.identifiers), drawn.numbers),
        "fused number": 0.5 * cross_entropy(read.number(fused), drawn.numbers[which]),
        "fused category": 0.2 * cross_entropy(read.category(fused), seen.categories[where], rarity),
        "fused paint": 0.5 * cross_entropy(read.paint(fused), seen.paints[where]),
        "apart": _alikeness(drawn.identifiers, drawn.numbers),
        "length": 0.5 * (_length(drawings) - _length(seen.features)).square(),
    }


def rarity(categories: Tensor) -> Tensor:
    """(C,) how much each class counts, of shares (..., C): by the root of how rare it is, 1 in the
    mean over what is shown. Small things would else count as little as their few pixels.
    """
    share = categories.flatten(0, -2).float().mean(0)
    share = share / share.sum()
    weights = share.clamp_min(1e-5).rsqrt()
    return weights / (share * weights).sum()


def cell_shares(shares: Tensor, side: int) -> Tensor:
    """(cells, C) float32 shares in cells of ``side`` x ``side`` patches, of patches (n, h, w, C)
    uint8; image by image, row by row.
    """
    n, height, width, count = shares.shape
    parts = shares.float().view(n, height // side, side, width // side, side, count).mean((2, 4))
    flat = parts.flatten(0, 2)
    return flat / flat.sum(1, keepdim=True).clamp_min(1e-6)


def with_numbers(features: Tensor, where: Tensor, identifiers: Tensor, which: Tensor) -> Tensor:
    """Some features with identifiers as long as they, as ``proxies/fusion.py`` adds them."""
    ratio = features.norm(dim=1).mean() / identifiers.norm(dim=1).mean().clamp_min(1e-6)
    return features[where] + ratio * identifiers[which]


def _alikeness(features: Tensor, numbers: Tensor) -> Tensor:
    """() mean squared cosine of features (n, D) of different numbers (n,)."""
    unit = normalize(features, dim=1)
    other = numbers[:, None] != numbers
    return (unit @ unit.T)[other].square().mean()


def _length(features: Tensor) -> Tensor:
    """() logarithm of the mean norm of features (n, D)."""
    return features.norm(dim=1).mean().clamp_min(1e-6).log()
