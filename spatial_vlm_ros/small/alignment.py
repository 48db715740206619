"""Features turned so that each channel speaks for one thing: a category, a number, a colour.

What a small language model shall find in features is a small part of how they vary, and what it is
shown is not what the tower has learnt from: proxies are means of many patches, with a number added.
So the last layer of the tower is turned, once it is trained, by what proxies and cells of images
show (``small/layout.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from spatial_vlm_ros.small.labelled_views import OBJECTS
from spatial_vlm_ros.small.layout import (
    CATEGORY,
    COLOUR,
    LEVEL,
    NUMBER,
    NUMBERS,
    PLACE,
    REST,
    TEXT,
    WIDTH,
)
from spatial_vlm_ros.small.tower_losses import with_numbers

#: What a channel says, before the softmax, for each unit of a feature about 1.
_LOUD = 3.0
#: Of each step: objects, surroundings, symbols; all by whose length numbers are measured.
_OBJECTS, _AROUND, _SYMBOLS, _MEASURED = 448, 192, 128, 256
_RATE, _DECAY, _SPARING = 3e-3, 0.05, 0.02
_REST = 0.2  # deviation of what nothing is known of


@dataclass(frozen=True)
class Shown:
    """Features (n, D) of parts of scenes; the categories (n, C) bool that each may be of, one or
    several, in the order of ``CATEGORIES``; its colours (n,) in that of ``PAINTS``.
    """

    features: Tensor
    possible: Tensor
    paints: Tensor

    @property
    def objects(self) -> Tensor:
        """(n,) bool: those that are of an object."""
        return self.possible[:, : len(OBJECTS)].any(1)

    def some(self, chosen: Tensor) -> Shown:
        """Those chosen, (k,) indices or (n,) bool."""
        return Shown(self.features[chosen], self.possible[chosen], self.paints[chosen])


def aligned(
    cells: Shown,
    proxies: Shown | None,
    numbers: Tensor,
    symbols: Tensor,
    steps: int = 2000,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """(192, D) weight and (192,) bias that bring features into the layout.

    cells: of images. proxies: without numbers, which are added here as ``proxies/fusion.py`` adds
    them; None where there are only cells. numbers: (64, D) identifiers. symbols: (26, D), of
    ``OBJECTS``. ``ValueError``: there are no objects, or no surroundings.
    """
    sources = [(cells, 1.0)] if proxies is None else [(cells, 0.3), (proxies, 1.0)]
    for part, _ in sources:
        if bool(part.objects.all()) or not bool(part.objects.any()):
            raise ValueError("features are turned by objects and surroundings: one of them lacks")
    random = torch.Generator().manual_seed(seed)
    turn = _Turn(numbers.shape[1], random)
    optimiser = torch.optim.AdamW(turn.parameters(), lr=_RATE, weight_decay=_DECAY)
    slower = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.02, max(steps, 1))
    drawn = [(part, weight, _Chances(part, random)) for part, weight in sources]
    for _ in range(steps):
        loss = _of_drawings(turn, numbers, symbols, random)
        for part, weight, chances in drawn:
            loss = loss + weight * _of_scenes(turn, part, chances, numbers, random)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        slower.step()
    kept = cells if proxies is None else proxies
    return _whole(turn, kept.features[kept.objects])


class _Turn(nn.Module):
    """(n, D) features as (n, 192) in the layout, less what else they differ in."""

    def __init__(self, dimension: int, random: torch.Generator) -> None:
        super().__init__()
        rows = COLOUR.stop - PLACE.stop
        self.weight = nn.Parameter(0.02 * torch.randn(rows, dimension, generator=random))
        self.bias = nn.Parameter(torch.zeros(rows))

    def forward(self, features: Tensor) -> Tensor:
        level = torch.zeros(len(features), PLACE.stop)
        level[:, ::2] = LEVEL
        nothing = torch.zeros(len(features), WIDTH - COLOUR.stop)
        told = features @ self.weight.T + self.bias
        return torch.cat([level, told, nothing], dim=1)


class _Chances:
    """Which parts of scenes are drawn: objects of rare categories more often."""

    def __init__(self, shown: Shown, random: torch.Generator) -> None:
        self._random = random
        self._around = torch.nonzero(~shown.objects)[:, 0]
        self._objects = torch.nonzero(shown.objects)[:, 0]
        possible = shown.possible[self._objects].float()
        self._rarity = possible @ possible.sum(0).clamp_min(1).rsqrt()

    def objects(self, count: int) -> Tensor:
        picked = torch.multinomial(self._rarity, count, replacement=True, generator=self._random)
        return self._objects[picked]

    def around(self, count: int) -> Tensor:
        return _any(self._around, count, self._random)


def _of_scenes(
    turn: _Turn, shown: Shown, chances: _Chances, numbers: Tensor, random: torch.Generator
) -> Tensor:
    """() how wrong readings are of objects with numbers, of the same without, of surroundings."""
    objects = shown.some(chances.objects(_OBJECTS))
    around = shown.some(chances.around(_AROUND))
    all_of_them = _any(torch.arange(len(shown.features)), _MEASURED, random)
    which = torch.randint(NUMBERS, (_OBJECTS,), generator=random)
    identifiers, features = turn(numbers), turn(objects.features)
    ratio = _length(turn(shown.features[all_of_them])) / _length(identifiers)
    worn = features + ratio * identifiers[which]
    none = torch.full((_OBJECTS + _AROUND,), NUMBERS)
    plain = torch.cat([features, turn(around.features)])
    possible = torch.cat([objects.possible, around.possible])
    paints = torch.cat([objects.paints, around.paints])
    return (
        _wrong(worn, objects.possible, which, objects.paints)
        + 0.5 * _wrong(plain, possible, none, paints)
        + _SPARING * (features.square().mean() + identifiers.square().mean()) / LEVEL**2
    )


def _of_drawings(turn: _Turn, numbers: Tensor, symbols: Tensor, random: torch.Generator) -> Tensor:
    """() how wrong readings are of symbols, of numbers, and of symbols with numbers."""
    identifiers, signs = turn(numbers), turn(symbols)
    what = torch.randint(len(symbols), (_SYMBOLS,), generator=random)
    which = torch.randint(NUMBERS, (_SYMBOLS,), generator=random)
    worn = with_numbers(signs, what, identifiers, which)
    read, alone = _read(worn), _read(signs)
    return (
        0.5 * (cross_entropy(read[0], what) + cross_entropy(read[1], which))
        + 0.3 * cross_entropy(alone[0], torch.arange(len(symbols)))
        + 0.3 * cross_entropy(_read(identifiers)[1], torch.arange(NUMBERS))
        + _SPARING * signs.square().mean() / LEVEL**2
    )


def _wrong(turned: Tensor, possible: Tensor, which: Tensor, paints: Tensor) -> Tensor:
    category, number, paint = _read(turned)
    likely = category.log_softmax(1).masked_fill(~possible, -torch.inf).logsumexp(1)
    return -likely.mean() + cross_entropy(number, which) + 0.3 * cross_entropy(paint, paints)


def _read(turned: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What a language model reads, after its norm: scores of categories, of numbers and at last
    of none, of colours.
    """
    seen = _LOUD * turned / (turned.square().mean(1, keepdim=True) + 1e-6).sqrt()
    none = torch.zeros(len(turned), 1)
    return seen[:, CATEGORY], torch.cat([seen[:, NUMBER], none], dim=1), seen[:, COLOUR]


def _whole(turn: _Turn, objects: Tensor) -> tuple[Tensor, Tensor]:
    """All rows: beside what was learnt, in what else objects (n, D) differ most."""
    dimension = objects.shape[1]
    weight, bias = torch.zeros(WIDTH, dimension), torch.zeros(WIDTH)
    bias[PLACE][::2] = LEVEL
    learnt = slice(PLACE.stop, COLOUR.stop)
    weight[learnt], bias[learnt] = turn.weight.detach(), turn.bias.detach()
    mean = objects.mean(0)
    told = torch.linalg.qr(weight[learnt].T)[0]
    other = (objects - mean) - (objects - mean) @ told @ told.T
    directions = torch.linalg.svd(other, full_matrices=False)[2][: TEXT - REST.start]
    found = directions * (_REST / (other @ directions.T).std(0).clamp_min(1e-6))[:, None]
    rows = slice(REST.start, REST.start + len(found))
    weight[rows], bias[rows] = found, -found @ mean
    return weight, bias


def turn_tower(tower: nn.Module, weight: Tensor, bias: Tensor) -> None:
    """Let the last layer of a tower give turned features."""
    last: Any = tower.merger.mlp[2]  # type: ignore[union-attr, index]
    with torch.no_grad():
        last.bias.copy_(weight @ last.bias + bias)
        last.weight.copy_(weight @ last.weight)


def _length(features: Tensor) -> Tensor:
    """() mean norm."""
    return features.norm(dim=1).mean()


def _any(indices: Tensor, count: int, random: torch.Generator) -> Tensor:
    """(count,) of indices (n,), as they come."""
    return indices[torch.randint(max(len(indices), 1), (count,), generator=random)]
