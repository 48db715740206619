"""What the variants of an ablation are shown of simulated rooms, computed once for all of them.

Proxies are clustered at once from the patches of all images (``proxies/sequence.py``), as in the
paper; the memory of a robot that drives clusters image by image, and always by groups. So rooms are
rendered and encoded once for each resolution of the maps, and patches are kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from zlib import crc32

import torch

from bench.ablation_starts import spatial_of
from bench.ablation_variants import Variant
from spatial_vlm_ros.config import EncoderConfig, MemoryConfig, ProxyConfig
from spatial_vlm_ros.data.scenes import AnnotatedScene, read_scenes
from spatial_vlm_ros.proxies.opening import open_encoder
from spatial_vlm_ros.proxies.patchify import patchify, upsample
from spatial_vlm_ros.proxies.sequence import build
from spatial_vlm_ros.proxies.triplets import PatchTriplets
from spatial_vlm_ros.training.filling import SCENES, FramePlan, fill
from spatial_vlm_ros.training.precompute import (
    FrameSettings,
    Scene,
    annotated,
    keyframes,
    true_groups,
)
from spatial_vlm_ros.training.sources import Simulated
from spatial_vlm_ros.training.store import ProxyStore, SceneStore, StoredProxies
from spatial_vlm_ros.vision.encoder import VisionEncoder

#: Objects of a room that are asked about, where all questions are about one.
ASKED_OF_ROOM = 4
_ASKED = "/asked-"

Seeds = Sequence[int]


def store_of(
    folder: Path, variant: Variant, checkpoint: str, seeds: Seeds, workers: int = 1
) -> Path:
    """A folder with the rooms of these seeds as a variant is shown them; what is there is kept.

    ``ValueError``: the checkpoint cannot be used.
    """
    rooms = [Simulated(seed) for seed in seeds]
    if variant.kind == "ssr":
        frames = folder / "frames"
        fill(
            frames, FramePlan(FrameSettings.of(checkpoint), spatial_of(checkpoint)), rooms, workers
        )
        return frames
    patches = folder / f"patches-x{variant.proxies.upsample}"
    fill(patches, PatchPlan(checkpoint, variant.proxies.upsample), rooms, workers)
    known = read_scenes(patches / SCENES)
    plan = ClusteredPlan(patches, variant.proxies, variant.asked)
    proxies = folder / f"proxies-{plan.key}"
    fill(proxies, plan, plan.sources(known[room.name] for room in rooms), workers)
    return proxies


def scenes_of(store: Path, seeds: Seeds) -> dict[str, AnnotatedScene]:
    """The scenes of a store that are of the rooms of these seeds."""
    rooms = {Simulated(seed).name for seed in seeds}
    return {n: s for n, s in read_scenes(store / SCENES).items() if room_of(n)[0] in rooms}


def room_of(scene: str) -> tuple[str, int | None]:
    """Of which room a scene is, and the object asked about where all questions are about one."""
    room, _, number = scene.partition(_ASKED)
    return room, int(number) if number else None


@dataclass(frozen=True)
class PatchPlan:
    """All patches of a room: a store of proxies of which none are clustered."""

    checkpoint: str
    finer: int
    memory: MemoryConfig = field(default_factory=MemoryConfig)

    @cached_property
    def encoder(self) -> VisionEncoder:
        """The checkpoint's vision tower."""
        return open_encoder(EncoderConfig(self.checkpoint, "cpu", "float32"))

    @property
    def maker(self) -> Any:
        """See :class:`spatial_vlm_ros.training.filling.Plan`."""
        return self._make

    def store(self, folder: Path) -> SceneStore[Any]:
        """See :class:`spatial_vlm_ros.training.filling.Plan`."""
        return ProxyStore.create(folder, self.encoder.name, {"patches": self.finer})

    def _make(self, scene: Scene) -> StoredProxies:
        floor, images = scene.annotation.floor_z, []
        for frame, points in keyframes(scene, self.memory):
            groups = true_groups(frame, points, self.memory, floor)
            parts = points.points_scene, points.valid, groups
            features = upsample(self.encoder.encode(frame.rgb), self.finer)
            images.append(patchify(features, *map(torch.from_numpy, parts)))
        found = PatchTriplets.concatenate(images)
        points_scene = found.points_scene.float()
        lowest = float(points_scene[:, 2].min())
        return StoredProxies(
            found.features.half(), points_scene, found.groups, lowest if floor is None else floor
        )


@dataclass(frozen=True)
class ClusteredPlan:
    """Proxies of stored patches. asked: proxies that the object has at least that a scene's name
    says is asked about; 0: scenes are whole rooms, where any is.
    """

    patches: Path
    proxies: ProxyConfig
    asked: int = 0

    @property
    def key(self) -> str:
        """Stands for the settings."""
        return hashlib.sha256(json.dumps(self._settings, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def maker(self) -> Any:
        """See :class:`spatial_vlm_ros.training.filling.Plan`."""
        return self._make

    def store(self, folder: Path) -> SceneStore[Any]:
        """See :class:`spatial_vlm_ros.training.filling.Plan`."""
        return ProxyStore.create(folder, ProxyStore.open(self.patches).encoder, self._settings)

    def sources(self, rooms: Iterable[AnnotatedScene]) -> list[Known]:
        """Of rooms; one for each of some of their objects where they are asked about."""
        if not self.asked:
            return [Known(room) for room in rooms]
        return [
            Known(replace(room, name=f"{room.name}{_ASKED}{number}"))
            for room in rooms
            for number in asked_about(room)
        ]

    @property
    def _settings(self) -> Mapping[str, Any]:
        return {"proxies": asdict(self.proxies), "asked": self.asked}

    def _make(self, scene: Scene) -> StoredProxies:
        room, number = room_of(scene.annotation.name)
        kept: StoredProxies = ProxyStore.open(self.patches)[room]
        patches = PatchTriplets(kept.features.float(), kept.points_scene, kept.groups)
        least = {} if number is None else {number: self.asked}
        found = build(patches, self.proxies, least)
        there = annotated(found.groups, scene)
        return StoredProxies(
            found.features[there].half(),
            found.points_scene[there],
            found.groups[there],
            kept.floor_z,
        )


@dataclass(frozen=True)
class Known:
    """A scene whose patches are stored already."""

    annotation: AnnotatedScene

    @property
    def name(self) -> str:
        """Of the scene."""
        return self.annotation.name

    def open(self) -> Scene:
        """Without images."""
        return Scene(self.annotation, ())


def asked_about(room: AnnotatedScene) -> list[int]:
    """Some objects of a room, by number; the same each time."""
    numbers = [item.id for item in room.objects]
    return sorted(numbers, key=lambda n: crc32(f"{room.name}/{n}".encode()))[:ASKED_OF_ROOM]
