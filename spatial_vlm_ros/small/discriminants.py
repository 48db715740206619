"""Features turned so that what they tell lies open: linear discriminants of what is to be seen.

What a small language model shall find in features is a small part of how they vary. A linear map,
found by least squares, keeps the directions that tell category, colour and number, alone or added
to each other, makes them equally long, and leaves of all others little.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from spatial_vlm_ros.small.tower_losses import with_numbers

#: Of object cells with a number added; of each drawing, how often it counts.
_FUSED, _OFTEN = 8000, 20
_RIDGE = 1e-3  # of the mean variance of features
#: How long is what tells nothing of these; mean of features, in how far they vary.
_REST, _MEAN = 0.1, 0.4


@dataclass(frozen=True)
class Examples:
    """Features (n, D) of cells with shares (n, C) of categories, surroundings last, and (n, P) of
    colours; of drawings: identifiers (k, D) of all numbers, symbols (m, D) of the first categories.
    """

    cells: Tensor
    categories: Tensor
    paints: Tensor
    identifiers: Tensor
    symbols: Tensor


def discriminants(seen: Examples, objects: int, size: float) -> tuple[Tensor, Tensor]:
    """(D, D) weight and (D,) bias of the map. objects: categories that are no surroundings.

    size: root mean square of the new features of cells about their mean.
    """
    cells, dimension = seen.cells.double(), seen.cells.shape[1]
    random = torch.Generator().manual_seed(0)
    what = torch.cat([seen.categories, seen.paints], dim=1).double()
    examples, targets, weights = _table(seen, what, objects, random)
    mean = _mean(examples, weights)
    centred, wanted = examples - mean, targets - _mean(targets, weights)
    spread = centred.T @ (weights[:, None] * centred)
    spread += _RIDGE * spread.diagonal().mean() * torch.eye(dimension)
    found = torch.linalg.solve(spread, centred.T @ (weights[:, None] * wanted))  # (D, targets)
    own = cells[seen.categories[:, :objects].sum(1) > 0.5] - mean
    numbers = seen.identifiers.double() - mean
    parts = [
        found[:, : what.shape[1]] / _rms(own @ found[:, : what.shape[1]]),
        found[:, what.shape[1] :] / _rms(numbers @ found[:, what.shape[1] :]),
    ]
    kept = torch.cat(parts, dim=1)
    basis, sizes, _ = torch.linalg.svd(kept, full_matrices=False)
    basis = basis[:, sizes > 1e-3 * sizes[0]]  # some targets follow from others
    rest = torch.eye(dimension) - basis @ basis.T
    turned = torch.linalg.qr(torch.randn(dimension, dimension, generator=random).double())[0]
    weight = turned[:, : kept.shape[1]] @ kept.T
    weight += _REST * turned @ rest / _rms((cells - mean) @ rest)
    weight *= size / _rms((cells - cells.mean(0)) @ weight.T)
    return weight, _MEAN * size - weight @ cells.mean(0)


def _table(
    seen: Examples, what: Tensor, objects: int, random: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Features (n, D) of cells, cells with numbers, symbols and numbers; their targets; weights."""
    cells, numbers, symbols = (
        part.double() for part in (seen.cells, seen.identifiers, seen.symbols)
    )
    rare = seen.categories.double() @ seen.categories.double().mean(0).clamp_min(1e-4).rsqrt()
    rare = rare / rare.mean()
    shown = torch.nonzero(seen.categories[:, :objects].sum(1) > 0.5)[:, 0]
    picked = shown[torch.randint(len(shown), (_FUSED,), generator=random)]
    which = torch.randint(len(numbers), (_FUSED,), generator=random)

    def targets(told: Tensor, number: Tensor) -> Tensor:
        return torch.cat([told, number.double()], dim=1)

    drawn = torch.zeros(len(symbols), what.shape[1]).double()
    drawn[:, : len(symbols)] = torch.eye(len(symbols))
    nothing = torch.zeros(len(numbers), what.shape[1]).double()
    none = torch.zeros(1, len(numbers))
    parts = [
        (cells, targets(what, none.expand(len(cells), -1)), rare),
        (
            with_numbers(cells, picked, numbers, which),
            targets(what[picked], one_hot(which, len(numbers))),
            rare[picked],
        ),
        (
            symbols,
            targets(drawn, none.expand(len(symbols), -1)),
            torch.full((len(symbols),), _OFTEN),
        ),
        (numbers, targets(nothing, torch.eye(len(numbers))), torch.full((len(numbers),), _OFTEN)),
    ]
    examples, wanted, weights = (torch.cat(column) for column in zip(*parts, strict=True))
    return examples, wanted, weights.double() / weights.sum()


def _mean(rows: Tensor, weights: Tensor) -> Tensor:
    return (rows * weights[:, None]).sum(0)


def _rms(values: Tensor) -> Tensor:
    return values.square().mean().sqrt()
