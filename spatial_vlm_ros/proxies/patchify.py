"""Images to patch triplets: one feature, one point and one group per cell of the feature map."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from spatial_vlm_ros.proxies.triplets import PatchTriplets

_DENSE = 1 << 20  # ids this far apart are looked up in a table


def patchify(
    features: Tensor, points_scene: Tensor, valid: Tensor, groups: Tensor
) -> PatchTriplets:
    """The patches of one image.

    features: (h, w, D), the encoder's map. points_scene: (H, W, 3) metres; valid: (H, W) bool,
    where they are confident; groups: (H, W) integer ids. H and W need not be multiples of h and w.

    A cell's group is the one with the largest area in it, of equal ones the lowest id. Its point
    is the mean of the confident points of that group in the cell (of three points their median,
    which one stray cannot move). Cells without a confident point are dropped.
    """
    h, w, dimension = features.shape
    cell = _cells(groups.shape, (h, w), groups.device)
    ids, label = _numbered(groups)
    area = torch.bincount((cell * len(ids) + label).flatten(), minlength=h * w * len(ids))
    # A key that orders by area, then by lower id: argmax alone leaves ties to the device.
    rank = torch.arange(len(ids) - 1, -1, -1, device=area.device)
    winner = len(ids) - 1 - (area.view(h * w, -1) * len(ids) + rank).amax(1) % len(ids)
    own = torch.nonzero((valid & (label == winner[cell])).flatten())[:, 0]
    cells, points = cell.flatten()[own], points_scene.reshape(-1, 3)[own].to(torch.float32)
    count = torch.bincount(cells, minlength=h * w)
    point = _centres(points, cells, count)
    kept = torch.nonzero(count)[:, 0]
    return PatchTriplets(
        features.reshape(-1, dimension)[kept], point[kept], ids[winner][kept].long()
    )


def upsample(features: Tensor, factor: int) -> Tensor:
    """A feature map (h, w, D) at ``factor`` times its resolution, bilinear (Table 4)."""
    if factor == 1:
        return features
    h, w, dimension = features.shape
    rows = _finer(h, factor).to(features) @ features.reshape(h, w * dimension)
    return _finer(w, factor).to(features) @ rows.view(h * factor, w, dimension)


def _finer(length: int, factor: int) -> Tensor:
    """(length * factor, length) weights of the samples of a line in one that is finer.

    A product with it takes a fifth of the time of ``interpolate``, which wants channels first.
    """
    line = torch.eye(length)[None]
    return interpolate(line, scale_factor=factor, mode="linear", align_corners=False)[0].T


def _cells(image: torch.Size, grid: tuple[int, int], device: torch.device) -> Tensor:
    """(H, W) index of the cell of the grid (h, w) that each pixel lies in."""
    if image[0] < grid[0] or image[1] < grid[1]:
        raise ValueError(f"an image of {tuple(image)} has fewer pixels than the grid {grid} cells")
    rows, columns = (
        (2 * torch.arange(pixels, device=device) + 1) * cells // (2 * pixels)  # of pixel centres
        for pixels, cells in zip(image, grid, strict=True)
    )
    return rows[:, None] * grid[1] + columns


def _numbered(groups: Tensor) -> tuple[Tensor, Tensor]:
    """The ids there are, ascending, and which of them each pixel has."""
    low, high = (int(end) for end in torch.aminmax(groups))
    if high - low > _DENSE:
        return torch.unique(groups, return_inverse=True)
    from_low = groups.long() - low  # a table is many times faster than sorting all pixels
    there = torch.zeros(high - low + 1, dtype=torch.bool, device=groups.device)
    there[from_low.flatten()] = True
    return (torch.nonzero(there)[:, 0] + low).to(groups.dtype), (there.cumsum(0) - 1)[from_low]


def _centres(points: Tensor, cells: Tensor, count: Tensor) -> Tensor:
    """(cells, 3) mean of the points (n, 3) in each cell (n,); the median where they are three."""
    total = points.new_zeros(len(count), 3).index_add_(0, cells, points)
    mean = total / count.clamp(min=1)[:, None]
    three = torch.nonzero((count == 3)[cells])[:, 0]
    three = three[torch.argsort(cells[three], stable=True)].view(-1, 3)
    mean[cells[three[:, 0]]] = points[three].median(dim=1).values
    return mean
