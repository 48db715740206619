"""Scenes of one token an object, e_sem + e_id: stages 1 to 3 of Proxy3D (section 3.3).

The number's part is as long beside the category's as it will be beside what proxies are of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from spatial_vlm_ros.config import ProxyConfig
from spatial_vlm_ros.data.scenes import AnnotatedObject, AnnotatedScene
from spatial_vlm_ros.proxies.serialisation import serialise
from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.reasoners.scene_inputs import proxy_inputs
from spatial_vlm_ros.training.lessons import numbered
from spatial_vlm_ros.training.scenes import Shown, text_positions
from spatial_vlm_ros.vision.reference_features import ReferenceFeatures

#: What stands for a category without a letter or digit.
_UNNAMED = "object"


class SymbolScenes:
    """Annotated scenes as one token an object, in the order of proxies.

    features: of the model's own tower; those of all numbers and categories are computed at once.
    numbers: how many object numbers the model knows. placed: with the objects' centres, heights
    over the floor; else all are at the origin, where a new position embedding adds nothing.
    """

    def __init__(
        self,
        scenes: Mapping[str, AnnotatedScene],
        features: ReferenceFeatures,
        numbers: int,
        placeholder: int,
        placed: bool,
    ) -> None:
        self._scenes, self._placeholder, self._placed = scenes, placeholder, placed
        self._identifiers = features.identifiers(range(numbers))
        names = sorted({_category(item) for scene in scenes.values() for item in scene.objects})
        self._symbols = dict(zip(names, features.semantics(names), strict=True))

    def __contains__(self, scene: str) -> bool:
        return scene in self._scenes

    def objects(self, scene: str) -> Sequence[int]:
        """See :class:`spatial_vlm_ros.training.scenes.Scenes`."""
        return [item.id for item in self._scenes[scene].objects]

    def shown(self, scene: str, numbering: Numbering) -> Shown:
        """See :class:`spatial_vlm_ros.training.scenes.Scenes`."""
        annotated = self._scenes[scene]
        centres = np.array([item.box.center for item in annotated.objects], np.float32)
        centres = centres.reshape(-1, 3)
        ids = np.array([item.id for item in annotated.objects], np.int64)
        order = serialise(centres, ids)
        symbols = [self._symbols[_category(annotated.objects[i])] for i in order]
        dimension = self._identifiers.shape[1]
        inputs = proxy_inputs(
            torch.stack(symbols) if symbols else torch.zeros(0, dimension),
            torch.from_numpy(ids[order]),
            torch.from_numpy(centres[order]),
            floor_of(annotated),
            {item: self._identifiers[n] for item, n in numbered(numbering).items()},
        )
        if not self._placed:
            inputs["proxy_positions"] = torch.zeros_like(inputs["proxy_positions"])
        return Shown([self._placeholder] * len(order), inputs)

    def positions(self, ids: Tensor, shown: Shown) -> Tensor:
        """See :class:`spatial_vlm_ros.training.scenes.Scenes`: as text, but spread as proxies are,
        so that questions begin where they will begin behind proxies.
        """
        positions, symbols = text_positions(ids), ids == self._placeholder
        count = max(int(symbols.sum()), 1)
        spread = max(ProxyConfig.budget - count, 0) / count
        return positions + (symbols.cumsum(0) * spread).round().long()


def floor_of(scene: AnnotatedScene) -> float:
    """Height of the floor in the scene frame; where it is not annotated, of the lowest box."""
    if scene.floor_z is not None:
        return scene.floor_z
    return min((item.box.bottom for item in scene.objects), default=0.0)


def _category(item: AnnotatedObject) -> str:
    return item.category if any(letter.isalnum() for letter in item.category) else _UNNAMED
