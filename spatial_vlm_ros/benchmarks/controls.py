"""What is kept from a model, to find out what its answers rest on.

A model that answers as well without geometry, or with that of other places, does not use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import torch
from torch import Tensor

from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.training.scenes import Scenes, Shown

#: By how much lengths are multiplied where the scale is wrong.
WRONG_SCALE = 2.0


class Control(Enum):
    """What is changed."""

    NONE = "none"
    BLIND = "blind"
    NO_GEOMETRY = "geometry-off"
    SHUFFLED = "shuffled"
    WRONG_SCALE = "wrong-scale"


def controlled(shown: Shown, control: Control) -> Shown:
    """What is shown instead of a scene. ``ValueError``: the model is shown no such thing."""
    if control is Control.NONE:
        return shown
    if control is Control.BLIND:
        return Shown()
    inputs = dict(shown.inputs)
    if "proxy_positions" in inputs:
        inputs["proxy_positions"] = _changed(inputs["proxy_positions"], control)
    elif shown.geometry and "spatial_values" in inputs:
        if control is Control.NO_GEOMETRY:  # as for a scene of which none is known
            return replace(shown, geometry=False)
        values = inputs["spatial_values"]
        if control is Control.WRONG_SCALE and values.shape[-1] != 3:
            raise ValueError("control wrong-scale is for points in metres: the model reads none")
        maps = values.view(int(inputs["video_grid_thw"][0, 0]), -1, values.shape[-1])
        inputs["spatial_values"] = _changed(maps, control).flatten(0, 1)
    else:
        raise ValueError(f"control {control.value}: the model is shown no geometry")
    return replace(shown, inputs=inputs)


@dataclass(frozen=True)
class ControlledScenes:
    """Scenes of which something is kept from the model that they are shown to."""

    scenes: Scenes
    control: Control

    def __contains__(self, scene: str) -> bool:
        """See :class:`Scenes`."""
        return scene in self.scenes

    def objects(self, scene: str) -> Sequence[int]:
        """See :class:`Scenes`."""
        return self.scenes.objects(scene)

    def shown(self, scene: str, numbering: Numbering) -> Shown:
        """See :class:`Scenes`, and :func:`controlled`."""
        return controlled(self.scenes.shown(scene, numbering), self.control)

    def positions(self, ids: Tensor, shown: Shown) -> Tensor:
        """See :class:`Scenes`."""
        return self.scenes.positions(ids, shown)


def _shuffled(values: Tensor) -> Tensor:
    """Rows in a random order, the same each time for as many."""
    order = torch.randperm(len(values), generator=torch.Generator().manual_seed(len(values)))
    return values[order]


def _changed(values: Tensor, control: Control) -> Tensor:
    """Positions of proxies, or maps of frames."""
    if control is Control.SHUFFLED:
        return _shuffled(values)
    if control is Control.WRONG_SCALE:
        return values * WRONG_SCALE
    return torch.zeros_like(values)
