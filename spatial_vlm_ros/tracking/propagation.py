"""What follows masks from image to image: a network, or whatever stands in for one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Followed:
    """Where a thing is in the present image.

    logits: (h, w) float32, above 0 where it is; the grid is stretched over the image and may be
    coarser than it. presence: 0..1, how sure it is that the thing is in view at all.
    """

    logits: Floats
    presence: float


@dataclass(frozen=True)
class Candidate:
    """A mask that a prompt gives, of a thing that is not followed (yet).

    logits: as above. quality: 0..1, how well the network thinks it fits a thing (its IoU).
    """

    logits: Floats
    quality: float


class MaskPropagator(Protocol):
    """What looks at one image after the other and follows things by number.

    All grids (h, w) of one image have the same size. Numbers are chosen by the caller.
    """

    def step(self, rgb: NDArray[np.uint8]) -> Mapping[int, Followed]:
        """The next image (H, W, 3): where every thing is that is followed, in view or not."""
        ...

    def at_points(self, points: Floats) -> list[Candidate]:
        """What may be at points (n, 2), (u, v) pixels of the present image; several for each."""
        ...

    def in_boxes(self, boxes: Floats) -> list[Candidate]:
        """What is in boxes (n, 4), (u_min, v_min, u_max, v_max) of the present image; one each."""
        ...

    def follow(self, number: int, logits: Floats) -> None:
        """Follow what is in this mask of the present image, from the next image on.

        A number that is followed already is corrected: the mask is remembered beside the first.
        """
        ...

    def drop(self, numbers: Iterable[int]) -> None:
        """Forget these; those that are not followed are ignored."""
        ...

    def reset(self) -> None:
        """Forget everything."""
        ...

    @property
    def size(self) -> int:
        """Bytes of what is remembered."""
        ...
