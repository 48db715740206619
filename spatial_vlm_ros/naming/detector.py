"""The one interface of detectors: an image and words in, boxes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.frame import Detection


class TextDetector(Protocol):
    """What finds the things that words name."""

    def find(self, rgb: NDArray[np.uint8]) -> tuple[Detection, ...]:
        """Boxes in the pixels of an image (H, W, 3), within it, the surest first.

        Their labels are names of the vocabulary. ``ValueError`` when it is no image.
        """
        ...

    def set_vocabulary(self, words: Sequence[str]) -> None:
        """From now on look for these, by the rules of :class:`naming.vocabulary.Vocabulary`.

        May be called while :meth:`find` runs in another thread, which ends with the words it began
        with. ``ValueError`` names a word that cannot be looked for; the old ones stay.
        """
        ...
