"""Where things are in a label image, and what is cut out of the image to look at one of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class View(NamedTuple):
    """The box around a thing, pixels, half-open, and how many pixels of it the thing covers."""

    u_min: int
    v_min: int
    u_max: int
    v_max: int
    area: int

    @property
    def sides(self) -> tuple[int, int]:
        """Width and height."""
        return self.u_max - self.u_min, self.v_max - self.v_min

    @property
    def centre(self) -> tuple[float, float]:
        """Its middle (u, v)."""
        return (self.u_min + self.u_max) / 2, (self.v_min + self.v_max) / 2


def views_of(ids: NDArray[np.int32]) -> dict[int, View]:
    """What a label image (H, W) shows, by id; 0 is nothing.

    By runs of equal pixels in rows, of which there are far fewer than pixels.
    """
    begins = np.ones(ids.shape, np.bool_)
    begins[:, 1:] = ids[:, 1:] != ids[:, :-1]
    starts = np.flatnonzero(begins)
    lengths = np.diff(starts, append=ids.size)
    rows, left = np.divmod(starts, ids.shape[1])
    numbers = ids.ravel()[starts]
    order = np.argsort(numbers, kind="stable")
    known, first = np.unique(numbers[order], return_index=True)
    columns = [
        np.minimum.reduceat(left[order], first),
        rows[order][first],  # in a stable order the upper rows come first
        np.maximum.reduceat((left + lengths)[order], first),
        np.maximum.reduceat(rows[order], first) + 1,
        np.add.reduceat(lengths[order], first),
    ]
    views = zip(known.tolist(), *(column.tolist() for column in columns), strict=True)
    return {number: View(*places) for number, *places in views if number != 0}


def crop(
    rgb: NDArray[np.uint8], mask: NDArray[np.bool_], view: View, margin: float, surroundings: float
) -> NDArray[np.uint8]:
    """(s, s, 3) the square around a thing with its surroundings faded to the thing's mean colour.

    mask: (H, W) where it is. margin: share of its longer side that is added at each side.
    surroundings: how much of them is left, 0..1. Square, since networks cut or stretch what is not.
    Faded, since a crop with nothing around a thing is nothing they have learnt from, and one with
    all of it is often named by what stands beside it. What lies outside the image has the thing's
    mean colour too.
    """
    across, down = view.sides
    side = max(1, round(max(across, down) * (1 + 2 * margin)))
    left, top = (round(middle - side / 2) for middle in view.centre)
    height, width = mask.shape
    rows = slice(max(top, 0), min(top + side, height))
    columns = slice(max(left, 0), min(left + side, width))
    inside, seen = mask[rows, columns], rgb[rows, columns]
    mean = seen[inside].mean(axis=0) if inside.any() else seen.mean(axis=(0, 1))
    faded = surroundings * seen + (1 - surroundings) * mean
    square = np.empty((side, side, 3), np.uint8)
    square[:] = np.rint(mean)
    square[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = (
        np.where(inside[..., None], seen, np.rint(faded))
    )
    return square
