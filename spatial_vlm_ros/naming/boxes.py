"""From what networks say of many boxes to the few that are detections."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spatial_vlm_ros.frame import Detection
from spatial_vlm_ros.naming.config import DetectorConfig
from spatial_vlm_ros.vision.boxes import Floats, ious

_THIN = 1.0  # pixels; what is narrower within the image is none of it


def corners(boxes: Tensor) -> Tensor:
    """(..., 4) left, top, right, bottom of boxes (..., 4) given by centre and size."""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def best_of(scores: Tensor, owners: Sequence[int], names: int) -> Tensor:
    """(n, names) best scores of each name's phrases, of scores (n, phrases)."""
    index = torch.tensor(owners, device=scores.device).expand(scores.shape)
    empty = scores.new_full((len(scores), names), -torch.inf)
    return empty.scatter_reduce(1, index, scores, "amax")


def detections(
    names: Sequence[str],
    labels: Tensor,
    scores: Tensor,
    boxes: Tensor,
    size: tuple[int, int],
    config: DetectorConfig,
) -> tuple[Detection, ...]:
    """The surest boxes that are of different things, the surest first, cut to the image.

    labels, scores, boxes: (n,) indices into ``names``, (n,) 0..1, (n, 4) pixels left, top, right,
    bottom. size: height and width of the image.
    """
    sure = (scores >= config.min_score).nonzero()[:, 0]
    order = sure[scores[sure].argsort(descending=True, stable=True)]
    height, width = size
    cut = boxes[order].double().cpu().numpy().clip(0, [width, height, width, height])
    chosen, likely = labels[order].cpu().numpy(), scores[order].double().cpu().numpy()
    wide = np.all(cut[:, 2:] - cut[:, :2] >= _THIN, axis=1)
    cut, chosen, likely = cut[wide], chosen[wide], likely[wide]
    return tuple(
        Detection(names[chosen[k]], float(likely[k]), *map(float, cut[k]))
        for k in _distinct(cut, chosen, config)
    )


def _distinct(boxes: Floats, labels: NDArray[np.int64], config: DetectorConfig) -> list[int]:
    """Indices of boxes, the surest first, that no surer one covers."""
    kept: list[int] = []
    left = np.arange(len(boxes))
    while len(left) and len(kept) < config.maximum:
        first, left = left[0], left[1:]
        kept.append(int(first))
        same = labels[left] == labels[first]
        most = np.where(same, config.overlap, config.overlap_of_others)
        left = left[ious(boxes[first], boxes[left]) <= most]
    return kept
