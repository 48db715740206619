"""What a model is shown of the scenes it learns about, from where it was precomputed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.models.ssr_positions import FrameLayout
from spatial_vlm_ros.perception.groups import UNKNOWN
from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.reasoners.scene_inputs import frame_inputs, proxy_inputs
from spatial_vlm_ros.training.lessons import numbered
from spatial_vlm_ros.training.store import FrameStore, ProxyStore


@dataclass(frozen=True)
class Shown:
    """A scene in a prompt: ids of its placeholders, and what the model's forward takes for them.

    geometry: False where none is known, though the inputs have something in its place. groups:
    (K,) int64, what each of K proxies is of; None where there are no proxies.
    """

    placeholders: Sequence[int] = ()
    inputs: dict[str, Tensor] = field(default_factory=dict)
    geometry: bool = True
    groups: Tensor | None = None


class Scenes(Protocol):
    """Scenes by name."""

    def __contains__(self, scene: str) -> bool:
        """Whether it can be shown."""
        ...

    def objects(self, scene: str) -> Sequence[int]:
        """Their numbers."""
        ...

    def shown(self, scene: str, numbering: Numbering) -> Shown:
        """With its objects known by these numbers. ``ValueError``: it cannot be shown."""
        ...

    def positions(self, ids: Tensor, shown: Shown) -> Tensor:
        """(3, n) M-RoPE positions of a prompt's ids (n,) up to the question."""
        ...


class ProxyScenes:
    """Scenes as precomputed proxies.

    identifiers: (n, D) e_id of the numbers. scenes: annotated ones, which say what objects there
    are; of others those that have proxies count.
    """

    def __init__(
        self,
        store: ProxyStore,
        identifiers: Tensor,
        placeholder: int,
        scenes: Mapping[str, AnnotatedScene],
    ) -> None:
        self._store, self._scenes = store, scenes
        self._identifiers, self._placeholder = identifiers, placeholder
        self._found: dict[str, list[int]] = {}

    def __contains__(self, scene: str) -> bool:
        return scene in self._store

    def objects(self, scene: str) -> Sequence[int]:
        """See :class:`Scenes`."""
        if scene in self._scenes:
            return [item.id for item in self._scenes[scene].objects]
        if scene not in self._found:
            stored = self._store[scene]
            groups = set(stored.groups.tolist())
            self._found[scene] = sorted(group - stored.shift for group in groups if group > UNKNOWN)
        return self._found[scene]

    def shown(self, scene: str, numbering: Numbering) -> Shown:
        """See :class:`Scenes`."""
        stored = self._store[scene]
        inputs = proxy_inputs(
            stored.features,
            stored.groups,
            stored.points_scene,
            stored.floor_z,
            {item + stored.shift: self._identifiers[n] for item, n in numbered(numbering).items()},
        )
        placeholders = [self._placeholder] * len(stored.features)
        return Shown(placeholders, inputs, groups=stored.groups)

    def positions(self, ids: Tensor, shown: Shown) -> Tensor:
        """See :class:`Scenes`: as text."""
        return text_positions(ids)


class FrameScenes:
    """Scenes as frames of the store, and their geometry where ``channels`` are read of it.

    vision: the tower's configuration. colours: mean and deviation, (3,) each.
    """

    def __init__(
        self,
        store: FrameStore,
        layout: FrameLayout,
        vision: Any,
        colours: tuple[Tensor, Tensor],
        channels: int | None,
    ) -> None:
        self._store, self._layout, self._vision = store, layout, vision
        self._colours, self._channels = colours, channels

    def __contains__(self, scene: str) -> bool:
        return scene in self._store

    def objects(self, scene: str) -> Sequence[int]:
        """See :class:`Scenes`: images do not show numbers."""
        return ()

    def shown(self, scene: str, numbering: Numbering) -> Shown:
        """See :class:`Scenes`."""
        stored = self._store[scene]
        inputs = frame_inputs(stored.images, self._vision, *self._colours)
        if self._channels is not None:
            if stored.spatial is None or stored.spatial.shape[-1] != self._channels:
                had = None if stored.spatial is None else stored.spatial.shape[-1]
                raise ValueError(
                    f"scene {scene} of {self._store.folder} has {had or 'no'} channels of geometry,"
                    f" the model reads {self._channels}: precompute it with the model's source"
                )
            inputs["spatial_values"] = stored.spatial.flatten(0, 2).float()
        return Shown(self._layout.tokens(*inputs["video_grid_thw"][0].tolist()), inputs)

    def positions(self, ids: Tensor, shown: Shown) -> Tensor:
        """See :class:`Scenes`."""
        return frame_positions(self._layout, ids, shown)


class NoScenes:
    """Nothing is shown of any scene: how much of the answers is in the questions.

    scenes: annotated ones, whose objects still have numbers.
    """

    def __init__(self, scenes: Mapping[str, AnnotatedScene]) -> None:
        self._scenes = scenes

    def __contains__(self, scene: str) -> bool:
        return True

    def objects(self, scene: str) -> Sequence[int]:
        """See :class:`Scenes`."""
        return [item.id for item in self._scenes[scene].objects] if scene in self._scenes else ()

    def shown(self, scene: str, numbering: Numbering) -> Shown:
        """See :class:`Scenes`."""
        return Shown()

    def positions(self, ids: Tensor, shown: Shown) -> Tensor:
        """See :class:`Scenes`: as text."""
        return text_positions(ids)


def frame_positions(layout: FrameLayout, ids: Tensor, shown: Shown) -> Tensor:
    """(3, n) M-RoPE positions of a prompt (n,) with frames; as text where none are shown."""
    if "video_grid_thw" not in shown.inputs:
        return text_positions(ids)
    return layout.positions(ids[None], None, shown.inputs["video_grid_thw"])[:, 0]


def text_positions(ids: Tensor) -> Tensor:
    """(3, n) M-RoPE positions of text (n,)."""
    return torch.arange(len(ids)).expand(3, -1)
