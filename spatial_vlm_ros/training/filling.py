"""Filling a folder with what models take in of scenes: by several processes, and resumable."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from tqdm import tqdm

from spatial_vlm_ros.config import EncoderConfig, MemoryConfig
from spatial_vlm_ros.data.row import Rejected
from spatial_vlm_ros.data.scenes import AnnotatedScene, read_scenes, write_scenes
from spatial_vlm_ros.data.unusable import Unusable, rejected
from spatial_vlm_ros.models.spatial_branch import SpatialSettings
from spatial_vlm_ros.models.spatial_features import spatial_features
from spatial_vlm_ros.proxies.opening import open_encoder
from spatial_vlm_ros.training.precompute import (
    FrameMaker,
    FrameSettings,
    ProxyMaker,
    Scene,
)
from spatial_vlm_ros.training.store import FrameStore, ProxyStore, SceneStore
from spatial_vlm_ros.vision.checkpoint import Checkpoint

SCENES = "scenes.jsonl"
_WRITE_EVERY = 16  # scenes; those since the last time are computed again after a kill


class Source(Protocol):
    """Where a scene comes from; it travels to another process before it is opened."""

    @property
    def name(self) -> str:
        """Of the scene."""
        ...

    def open(self) -> Scene:
        """``ValueError``: it cannot be used; ``Unusable``: others still can."""
        ...


class Plan(Protocol):
    """What to compute of scenes; it travels to other processes, where it loads what it needs."""

    @property
    def maker(self) -> Any:
        """Called with a :class:`Scene` it gives what is stored. ``ValueError``: a checkpoint or
        device cannot be used.
        """
        ...

    def store(self, folder: Path) -> SceneStore[Any]:
        """The folder to fill. ``ValueError``: it holds something else."""
        ...


@dataclass(frozen=True)
class ProxyPlan:
    """Proxies of the features of a checkpoint's vision tower."""

    checkpoint: str
    device: str = "auto"
    dtype: str = "auto"
    memory: MemoryConfig = field(default_factory=MemoryConfig)

    @cached_property
    def maker(self) -> ProxyMaker:
        """See :class:`Plan`."""
        encoder = EncoderConfig(self.checkpoint, self.device, self.dtype)
        return ProxyMaker(open_encoder(encoder), self.memory)

    def store(self, folder: Path) -> SceneStore[Any]:
        """See :class:`Plan`."""
        pixels = getattr(self.maker.encoder, "pixels", None)
        settings = {"proxies": asdict(self.memory.proxies), "pixels": pixels}
        return ProxyStore.create(folder, self.maker.encoder.name, settings)


@dataclass(frozen=True)
class FramePlan:
    """Frames with their geometry; spatial None: without."""

    settings: FrameSettings = field(default_factory=FrameSettings)
    spatial: SpatialSettings | None = None
    vggt: str = "facebook/VGGT-1B"
    device: str = "cpu"
    memory: MemoryConfig = field(default_factory=MemoryConfig)

    @cached_property
    def maker(self) -> FrameMaker:
        """See :class:`Plan`."""
        features = None
        if self.spatial is not None:
            features = spatial_features(self.spatial, self.vggt, self.device)
        return FrameMaker(features, self.settings, self.memory)

    def store(self, folder: Path) -> SceneStore[Any]:
        """See :class:`Plan`."""
        spatial = None if self.spatial is None else self.spatial.source
        settings = {**asdict(self.settings), "spatial": spatial}
        if spatial == "vggt" and self.spatial is not None:
            settings |= {"layer": self.spatial.layer, "width": self.spatial.width}
        return FrameStore.create(folder, "", settings)


def plan_of(checkpoint: str) -> Plan:
    """What the reasoner of a checkpoint would be given by a mapper."""
    settings = Checkpoint.find(checkpoint).settings()
    if settings.get("model_type") == "proxy3d":
        return ProxyPlan(checkpoint, "cpu", "float32")
    spatial = settings.get("spatial")
    branch = None if spatial is None else SpatialSettings.of(spatial)
    return FramePlan(FrameSettings.of(checkpoint), branch)


class Filled(NamedTuple):
    """How many scenes were computed, and which could not be."""

    computed: int
    rejected: list[Rejected]


def fill(
    folder: Path, plan: Plan, sources: Sequence[Source], workers: int = 1, progress: bool = True
) -> Filled:
    """Compute the scenes that are not in the folder yet.

    Beside the store it writes the annotations of all its scenes, ``scenes.jsonl``. ``workers``
    above 1 start processes, so a program calling this at its top level needs the usual
    ``if __name__ == "__main__"``. ``ValueError``: the folder holds something else, a scene cannot
    be used and is not :class:`Unusable`, or none can be used.
    """
    store, path = plan.store(folder), folder / SCENES
    scenes = read_scenes(path) if path.exists() else {}
    wanted = [each for each in sources if each.name not in scenes or each.name not in store]
    left: list[Rejected] = []
    bar = tqdm(
        total=len(sources),
        initial=len(sources) - len(wanted),
        desc=store.kind,
        unit="scene",
        disable=None if progress else True,
    )
    try:
        with bar, _computed(folder, plan, wanted, workers) as done:
            for number, scene in enumerate(done, 1):
                bar.update()
                if isinstance(scene, Rejected):
                    left.append(scene)
                    continue
                scenes[scene.name] = scene
                if number % _WRITE_EVERY == 0:
                    write_scenes(path, scenes.values())
    finally:
        write_scenes(path, scenes.values())
    if left and len(left) == len(sources):
        first = left[0]
        raise ValueError(
            f"none of {len(sources)} scenes can be used; {first.source}: {first.reason}: "
            f"{first.detail}"
        )
    return Filled(len(wanted) - len(left), left)


@contextmanager
def _computed(
    folder: Path, plan: Plan, sources: Sequence[Source], workers: int
) -> Iterator[Iterator[AnnotatedScene | Rejected]]:
    """The annotations of scenes, each once it is in the store, or why it is not."""
    if workers == 1 or len(sources) < 2:
        worker = _Worker(folder, plan)
        yield map(worker.compute, sources)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(workers, len(sources)), _open, (folder, plan)) as pool:
        yield pool.imap(_compute, sources)


class _Worker:
    def __init__(self, folder: Path, plan: Plan) -> None:
        self._make, self._store = plan.maker, plan.store(folder)

    def compute(self, source: Source) -> AnnotatedScene | Rejected:
        try:
            scene = source.open()
            self._store.put(source.name, self._make(scene))
        except Unusable as error:
            return rejected(error, source.name)
        return scene.annotation


_worker: _Worker  # of this process


def _open(folder: Path, plan: Plan) -> None:
    global _worker
    torch.set_num_threads(1)
    _worker = _Worker(folder, plan)


def _compute(source: Source) -> AnnotatedScene | Rejected:
    return _worker.compute(source)
