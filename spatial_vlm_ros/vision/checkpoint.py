"""Checkpoints on this machine: their settings, and some of their weights without the others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers.utils.hub import cached_file

from spatial_vlm_ros import shipped
from spatial_vlm_ros.vision.images import CLIP_MEAN, CLIP_STD

_SETTINGS = "config.json"
_WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"


@dataclass(frozen=True)
class Checkpoint:
    """The files of a model, in the layout of the Hugging Face hub.

    name: last part of the folder's or the model's name. remedy: what to do when a file is missing.
    Every error is a ``ValueError`` that names the file.
    """

    name: str
    folder: Path
    remedy: str

    @staticmethod
    def find(name: str) -> Checkpoint:
        """One that ships, a folder, or a model of the hub that has been fetched before.

        Names of those that ship go first, so that they mean the same wherever a program is
        started: a folder of such a name is ``./name``.
        """
        if name in shipped.names():
            return Checkpoint(name, shipped.FOLDER / name, "install spatial_vlm_ros again")
        folder = Path(name).expanduser()
        if folder.is_dir():
            return Checkpoint(folder.resolve().name, folder, "copy all files of the checkpoint")
        fetch = f"spatial-vlm fetch-models {name}"
        try:
            settings = cached_file(name, _SETTINGS, local_files_only=True)
        except OSError:
            settings = None
        if settings is None:
            ship = ", ".join(shipped.names()) or "none"
            raise ValueError(
                f"there is no folder {name}; models that ship: {ship}; if it is one of the hub, "
                f"fetch it first: {fetch}"
            )
        return Checkpoint(name.split("/")[-1], Path(settings).parent, f"fetch it again: {fetch}")

    def settings(self) -> dict[str, Any]:
        """config.json."""
        return self._json(_SETTINGS)

    def optional(self, file: str) -> dict[str, Any]:
        """A JSON file; empty when there is none."""
        return self._json(file) if (self.folder / file).is_file() else {}

    def tensors(self, prefixes: tuple[str, ...]) -> dict[str, Tensor]:
        """The weights whose names begin with one of the prefixes, which the names here lack.

        Others are not read. Only safetensors: a pickle could run any program.
        """
        found: dict[str, Tensor] = {}
        for path in self._weights(prefixes):
            try:
                with safe_open(path, "pt") as file:
                    for name in file.keys():  # noqa: SIM118
                        short = _without(name, prefixes)
                        if short in found:
                            raise ValueError(f"{path} has a second tensor {name}")
                        if short is not None:
                            found[short] = file.get_tensor(name)
            except SafetensorError as error:
                raise ValueError(f"{path} is damaged ({error}); {self.remedy}") from error
        return found

    @property
    def size(self) -> int:
        """Bytes of all weights."""
        return sum(path.stat().st_size for path in self._weights(("",)))

    def colours(self) -> list[Sequence[float]]:
        """Mean and deviation of red, green and blue in the images it was trained with."""
        images = self.optional("preprocessor_config.json")
        return [images.get("image_mean", CLIP_MEAN), images.get("image_std", CLIP_STD)]

    def pixels(self, most: int) -> int:
        """Pixels to which larger images are made smaller: ``most``, or fewer where the checkpoint's
        preprocessor_config.json says so.
        """
        return min(most, int(self.optional("preprocessor_config.json").get("max_pixels") or most))

    def _weights(self, prefixes: tuple[str, ...]) -> list[Path]:
        """The files with such weights."""
        if (self.folder / _WEIGHTS).is_file():
            return [self.folder / _WEIGHTS]
        if (self.folder / _INDEX).is_file():
            shards = self._json(_INDEX).get("weight_map", {})
            names = {shards[name] for name in shards if _without(name, prefixes) is not None}
            return [self._path(name) for name in sorted(names)]
        for pickled in sorted(self.folder.glob("*.bin")):
            raise ValueError(f"{pickled} can run any program; only {_WEIGHTS} is read")
        return [self._path(_WEIGHTS)]

    def _json(self, file: str) -> dict[str, Any]:
        path = self._path(file)
        try:
            content = json.loads(path.read_text())
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is no JSON ({error}); {self.remedy}") from error
        if not isinstance(content, dict):
            raise ValueError(f"{path} is no JSON object; {self.remedy}")
        return content

    def _path(self, file: str) -> Path:
        path = self.folder / file
        if not path.is_file():
            raise ValueError(f"{path} is missing; {self.remedy}")
        return path


def fingerprint(settings: object, tensors: Mapping[str, Tensor]) -> str:
    """12 hex digits that stand for settings (of JSON) and the values of weights.

    Where the weights are, in which files or on which device, and of which type, changes nothing.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().float().cpu().flatten().numpy().data)
    return digest.hexdigest()[:12]


def _without(name: str, prefixes: tuple[str, ...]) -> str | None:
    """The name less its prefix; None when it has none of them."""
    return next((name[len(start) :] for start in prefixes if name.startswith(start)), None)
