"""What models take in of scenes, computed once: their proxies, or their frames and geometry.

A folder has one safetensors file per scene and ``store.json``, which says of what kind the scenes
are, by which encoder and with which settings.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from spatial_vlm_ros.files import replaced

_FORMAT = "spatial_vlm_ros scene inputs 1"
_HEAD, _END = "store.json", ".safetensors"


@dataclass(frozen=True, eq=False)
class StoredProxies:
    """The proxies of a scene in the order in which they are read.

    features: (K, D) float16 or float32. points_scene: (K, 3) float32 metres. groups: (K,) int64,
    an object's number in its scene + ``shift``, or what :mod:`spatial_vlm_ros.perception.groups`
    says of what is no object. floor_z: the floor's height in the scene frame. shift: 1 for scenes
    that may count from 0, because group 0 is no object.
    """

    features: Tensor
    points_scene: Tensor
    groups: Tensor
    floor_z: float
    shift: int = 0

    def __post_init__(self) -> None:
        count = len(self.features)
        _check("features", self.features, (count, None), torch.float16, torch.float32)
        _check("points_scene", self.points_scene, (count, 3), torch.float32)
        _check("groups", self.groups, (count,), torch.int64)


@dataclass(frozen=True, eq=False)
class StoredFrames:
    """Images of a scene in the order of time.

    images: (T, 3, H, W) uint8, at the size at which the vision tower sees them. spatial: (T, H/14,
    W/14, C), what ``SpatialFeatures.maps`` gives of them; None where geometry is left out.
    """

    images: Tensor
    spatial: Tensor | None = None

    def __post_init__(self) -> None:
        _check("images", self.images, (None, 3, None, None), torch.uint8)
        count, _, height, width = self.images.shape
        if self.spatial is not None:
            shape = count, height // 14, width // 14, None
            _check("spatial", self.spatial, shape, torch.float16, torch.float32)


Stored = TypeVar("Stored", StoredProxies, StoredFrames)
Own = TypeVar("Own", bound="SceneStore[Any]")


class SceneStore(Generic[Stored]):
    """A folder of scenes of one kind.

    encoder: name of what made the features, "" for frames. settings: all else that they depend on.
    """

    kind: ClassVar[str]
    _parts: ClassVar[type[Any]]

    def __init__(self, folder: Path, encoder: str, settings: Mapping[str, Any]) -> None:
        self.folder, self.encoder, self.settings = folder, encoder, dict(settings)

    @classmethod
    def open(cls: type[Own], folder: Path) -> Own:
        """``ValueError``: there is none, or one of another kind or format."""
        path = Path(folder) / _HEAD
        try:
            head = json.loads(path.read_text())
            found = head["format"], head["kind"]
            store = cls(Path(folder), head["encoder"], head["settings"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} cannot be read ({error}): precompute it first") from None
        if found != (_FORMAT, cls.kind):
            raise ValueError(f"{path} is of {found[1]} ({found[0]}), not of {cls.kind} ({_FORMAT})")
        return store

    @classmethod
    def create(cls: type[Own], folder: Path, encoder: str, settings: Mapping[str, Any]) -> Own:
        """A new one, or the one that is there of the same encoder and settings, to go on with.

        ``ValueError``: there is another one.
        """
        folder.mkdir(parents=True, exist_ok=True)
        settings = json.loads(json.dumps(settings))
        if (folder / _HEAD).exists():
            there = cls.open(folder)
            if (there.encoder, there.settings) != (encoder, settings):
                raise ValueError(
                    f"{folder} has {cls.kind} by {there.encoder or 'no encoder'} with settings "
                    f"{there.settings}: choose another folder, or delete it"
                )
            return there
        head = {"format": _FORMAT, "kind": cls.kind, "encoder": encoder, "settings": settings}
        with replaced(folder / _HEAD) as file:
            file.write(json.dumps(head, indent=1).encode() + b"\n")
        return cls(folder, encoder, settings)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all scenes that are there, sorted."""
        files = self.folder.glob(f"*{_END}")
        return tuple(sorted(path.name[: -len(_END)].replace("__", "/") for path in files))

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, scene: str) -> bool:
        return self._path(scene).is_file()

    def __getitem__(self, scene: str) -> Stored:
        """``KeyError``: it is not there. ``ValueError``: its file is damaged."""
        path = self._path(scene)
        if not path.is_file():
            raise KeyError(f"scene {scene} is not in {self.folder}")
        try:
            with safe_open(path, "pt") as file:
                given: dict[str, Any] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                given |= json.loads((file.metadata() or {}).get("numbers", "{}"))
            stored: Stored = self._parts(**given)
        except (SafetensorError, OSError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path} is damaged ({error}): delete it, precompute it again"
            ) from None
        return stored

    def put(self, scene: str, stored: Stored) -> None:
        """Write a scene whole, or not at all where the program is ended."""
        parts = {field.name: getattr(stored, field.name) for field in dataclasses.fields(stored)}
        tensors = {name: part for name, part in parts.items() if isinstance(part, Tensor)}
        numbers = {name: part for name, part in parts.items() if isinstance(part, (int, float))}
        with replaced(self._path(scene)) as file:
            contiguous = {name: part.cpu().contiguous() for name, part in tensors.items()}
            file.write(save(contiguous, {"scene": scene, "numbers": json.dumps(numbers)}))

    def _path(self, scene: str) -> Path:
        if not scene or "__" in scene or scene.startswith("."):
            raise ValueError(f"{scene!r} cannot be a scene's name: it is a file's, with / as __")
        return self.folder / f"{scene.replace('/', '__')}{_END}"


class ProxyStore(SceneStore[StoredProxies]):
    """Scenes as proxies, for Proxy3D."""

    kind = "proxies"
    _parts = StoredProxies


class FrameStore(SceneStore[StoredFrames]):
    """Scenes as frames with spatial features, for SSR."""

    kind = "frames"
    _parts = StoredFrames


def _check(name: str, part: Tensor, shape: tuple[int | None, ...], *types: torch.dtype) -> None:
    """``ValueError`` unless it is of this shape, None being any number, and one of the types."""
    fits = part.ndim == len(shape) and all(
        wanted in (None, given) for wanted, given in zip(shape, part.shape, strict=True)
    )
    if not fits or part.dtype not in types:
        raise ValueError(f"{name} are {tuple(part.shape)} {part.dtype}, not {shape} {types}")
