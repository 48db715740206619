"""Simulated images with what each patch of them shows: what the small vision tower learns from."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spatial_vlm_ros.simulation.furniture import CATALOGUE
from spatial_vlm_ros.simulation.palette import COLOURS
from spatial_vlm_ros.simulation.views import take_views
from spatial_vlm_ros.vision.images import resized

PATCH = 14
OBJECTS = tuple(sorted({style.category for style in CATALOGUE.values()}))
#: What a pixel can show: objects, surroundings, and at last what is none of them.
CATEGORIES = (*OBJECTS, "floor", "wall", "none")
#: Colours of objects; the last is of what is no object.
PAINTS = (*COLOURS, "none")


@dataclass(frozen=True, eq=False)
class LabelledViews:
    """Images of rooms with what is in them.

    images: (n, 3, H, W) uint8. categories: (n, H/14, W/14, len(CATEGORIES)) uint8, of each patch
    the share of its pixels times 255. paints: the same of its colours.
    """

    images: Tensor
    categories: Tensor
    paints: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def image(self, index: int, shrunk: bool = False) -> Tensor:
        """(3, H, W) uint8; shrunk: made smaller by a third."""
        image = self.images[index]
        if not shrunk:
            return image
        return resized(image, (2 * image.shape[1] // 3, 2 * image.shape[2] // 3))

    def some(self, indices: Tensor, flipped: bool = False) -> LabelledViews:
        """Those of indices (k,); flipped: as in a mirror."""
        parts = [self.images[indices], self.categories[indices], self.paints[indices]]
        if flipped:
            parts = [parts[0].flip(3), parts[1].flip(2), parts[2].flip(2)]
        return LabelledViews(*parts)

    @staticmethod
    def concatenate(parts: Sequence[LabelledViews]) -> LabelledViews:
        """All of several."""
        return LabelledViews(
            torch.cat([part.images for part in parts]),
            torch.cat([part.categories for part in parts]),
            torch.cat([part.paints for part in parts]),
        )


def labelled_views(
    seeds: Sequence[int], views: int, width: int, height: int, workers: int = 1
) -> Iterator[LabelledViews]:
    """One room after the other, rendered by ``workers`` processes.

    More than one start processes, so a program calling this at its top level needs the usual
    ``if __name__ == "__main__"``. Sides are multiples of 14.
    """
    label = partial(of_room, views=views, width=width, height=height)
    if workers == 1:
        yield from map(label, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(workers, _alone) as pool:
        yield from pool.imap(label, seeds)


def of_room(seed: int, views: int, width: int, height: int) -> LabelledViews:
    """Those of the room of this seed."""
    taken = take_views(seed, most=views, width=width, height=height)
    colours = {item.id: item.colour for item in taken.scene.objects}
    names = taken.frames[0].labels.names  # type: ignore[union-attr]
    category = np.full(max(names) + 1, len(CATEGORIES) - 1)
    paint = np.full(max(names) + 1, len(PAINTS) - 1)
    for number, name in names.items():
        if name in CATEGORIES:
            category[number] = CATEGORIES.index(name)
        if number in colours:
            paint[number] = PAINTS.index(colours[number])
    ids = np.stack([frame.labels.ids for frame in taken.frames])  # type: ignore[union-attr]
    images = np.stack([frame.rgb for frame in taken.frames]).transpose(0, 3, 1, 2)
    return LabelledViews(
        torch.from_numpy(np.ascontiguousarray(images)),
        torch.from_numpy(_shares(category[ids], len(CATEGORIES))),
        torch.from_numpy(_shares(paint[ids], len(PAINTS))),
    )


def _shares(classes: NDArray[np.int64], count: int) -> NDArray[np.uint8]:
    """(n, h, w, count) share of each class of pixels (n, H, W) in each patch, times 255."""
    n, height, width = classes.shape
    h, w = height // PATCH, width // PATCH
    patch = np.arange(n * h * w).reshape(n, h, w).repeat(PATCH, 1).repeat(PATCH, 2)
    counts = np.bincount((patch * count + classes).ravel(), minlength=n * h * w * count)
    shares = counts.reshape(n, h, w, count) * (255 / PATCH**2)
    return shares.round().astype(np.uint8)


def _alone() -> None:
    cv2.setNumThreads(1)
