"""Features that stand for an object's number and for its category (Proxy3D section 3.2).

Both are what the vision encoder makes of a simplified image: e_id of a number, e_sem of a symbol.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from spatial_vlm_ros.files import replaced
from spatial_vlm_ros.vision.encoder import VisionEncoder
from spatial_vlm_ros.vision.identifiers import draw_number
from spatial_vlm_ros.vision.symbols import draw_symbol, symbol_name

#: Cells of the encoder along a side of a drawing.
_NUMBER_CELLS, _SYMBOL_CELLS = 2, 4
_METADATA = "encoder"

_log = logging.getLogger(__name__)


class ReferenceFeatures:
    """Features (D,) float32 on the CPU, each drawn and encoded when it is first asked for.

    They are kept in one file of ``folder`` for each encoder, every one with a seal that fits it
    and its drawing. What is damaged, or drawn otherwise today, is encoded anew.
    """

    def __init__(self, encoder: VisionEncoder, folder: Path | None) -> None:
        self._encoder = encoder
        self._path = None if folder is None else folder / _file_name(encoder.name)
        self._features, self._seals = self._load()
        self._current: set[str] = set()

    def identifier(self, number: int) -> Tensor:
        """(D,) of a number. ``ValueError`` outside of 0..999."""
        return self.identifiers([number])[0]

    def identifiers(self, numbers: Sequence[int]) -> Tensor:
        """(n, D) of numbers. ``ValueError`` where one is outside of 0..999."""
        return self._stacked([f"identifier/{number:03d}" for number in numbers])

    def semantic(self, category: str) -> Tensor:
        """(D,) of a category. ``ValueError`` when it has no letter or digit."""
        return self.semantics([category])[0]

    def semantics(self, categories: Sequence[str]) -> Tensor:
        """(n, D) of categories, the same for synonyms. ``ValueError`` as of one."""
        return self._stacked([f"semantic/{symbol_name(category)}" for category in categories])

    def _stacked(self, keys: Sequence[str]) -> Tensor:
        new = [key for key in dict.fromkeys(keys) if key not in self._current]
        drawings = {key: self._drawing(key) for key in new}
        absent = [key for key in new if key not in self._features]
        stale = [
            key
            for key in new
            if key in self._features
            and self._seals.get(key) != _seal(drawings[key], self._features[key])
        ]
        if stale:
            _log.warning("%s: encoding anew, damaged or of other drawings: %s", self._path, stale)
        for key in absent + stale:
            self._features[key] = self._encoded(drawings[key], key)
            self._seals[key] = _seal(drawings[key], self._features[key])
        self._current.update(new)
        if absent or stale:
            self._save()
        rows = [self._features[key] for key in keys]
        return torch.stack(rows) if rows else torch.empty(0, self._encoder.dimension)

    def _drawing(self, key: str) -> NDArray[np.uint8]:
        kind, _, what = key.partition("/")
        if kind == "identifier":
            return draw_number(int(what), _NUMBER_CELLS * self._encoder.cell)
        return draw_symbol(what, _SYMBOL_CELLS * self._encoder.cell)

    def _encoded(self, drawing: NDArray[np.uint8], key: str) -> Tensor:
        """(D,) mean over the drawing's cells."""
        feature = self._encoder.encode(drawing).detach().mean(dim=(0, 1)).cpu()
        if not torch.isfinite(feature).all():
            raise ValueError(f"{self._encoder.name} makes no finite feature of {key}")
        return feature

    def _load(self) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Features and seals of the file; none, with a warning, when it cannot be used."""
        if self._path is None or not self._path.exists():
            return {}, {}
        try:
            with safe_open(self._path, "pt") as file:
                seals = file.metadata() or {}
                features = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as reason:
            _log.warning("%s cannot be read and is made anew: %s", self._path, reason)
            return {}, {}
        kinds = {(*feature.shape, feature.dtype) for feature in features.values()}
        name, dimension = self._encoder.name, self._encoder.dimension
        if seals.pop(_METADATA, None) != name or kinds - {(dimension, torch.float32)}:
            _log.warning("%s is not of %s with D = %d: made anew", self._path, name, dimension)
            return {}, {}
        return features, seals

    def _save(self) -> None:
        """Write the file and put it in the place of the old one when all of it is there."""
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(self._path) as file:
            file.write(save(self._features, {_METADATA: self._encoder.name, **self._seals}))


def _file_name(encoder: str) -> str:
    """A file name of its own for each name of an encoder, whatever its characters."""
    digest = hashlib.sha256(encoder.encode()).hexdigest()[:8]
    return f"{re.sub('[^A-Za-z0-9.-]+', '_', encoder)[:80]}-{digest}.safetensors"


def _seal(drawing: NDArray[np.uint8], feature: Tensor) -> str:
    """A digest that fits this drawing with this feature and no other."""
    return hashlib.sha256(drawing.tobytes() + feature.numpy().tobytes()).hexdigest()
