"""Frames of a folder of RGB-D images: color/, depth/, pose/ and info.json."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.frame import Frame, Intrinsics


class FolderSource:
    """Iterates over the frames of ``folder`` in stamp order.

    ``info.json`` holds width, height, K (3x3), depth_unit_m and frames: a list of stamp [s] and
    the paths of color (jpg or png), depth (16-bit png) and pose (4x4 text, camera to world,
    optical axes). Errors name the file. There are no labels, so ``instances`` is "geometric".
    ``streams`` and ``poses`` are as of a bag: what is not needed is not read.
    """

    instances = "geometric"

    def __init__(
        self,
        folder: Path,
        *,
        instances: str | None = None,
        fixed_frame: str = "",
        streams: Sequence[str] | None = None,
        poses: bool = True,
    ) -> None:
        self.fixed_frame = "world" if poses else ""
        self.streams = ("depth",) if streams is None else tuple(streams)
        for name in self.streams:
            if name != "depth":
                raise ValueError(f"{folder}: a folder has no {name}")
        if instances not in (None, self.instances):
            raise ValueError(f"{folder}: a folder has no {instances}; instances can be 'geometric'")
        if fixed_frame not in ("", "world"):
            raise ValueError(f"{folder}: a folder's poses are in frame 'world' only")
        self.path = Path(folder)
        self._parts = ["color", *self.streams, *(["pose"] if poses else [])]
        self.dropped: Counter[str] = Counter()
        self.details: dict[str, str] = {}
        info_path = self.path / "info.json"
        try:
            info: dict[str, Any] = json.loads(info_path.read_text())
            K = np.array(info["K"], float)
            self.intrinsics = Intrinsics(
                info["width"], info["height"], K[0, 0], K[1, 1], K[0, 2], K[1, 2]
            )
            self._depth_unit = float(info["depth_unit_m"]) if "depth" in self._parts else 0.0
            self._entries = sorted(info["frames"], key=lambda entry: float(entry["stamp"]))
        except FileNotFoundError:
            raise ValueError(f"{info_path} does not exist") from None
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise ValueError(f"{info_path}: {type(error).__name__} {error}") from None

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Frame]:
        for entry in self._entries:
            yield self._frame(entry)

    def _frame(self, entry: dict[str, Any]) -> Frame:
        try:
            files = {name: self.path / entry[name] for name in self._parts}
        except KeyError as error:
            raise ValueError(f"{self.path / 'info.json'}: a frame has no {error}") from None
        bgr = _read(files["color"], cv2.IMREAD_COLOR)
        depth = self._depth(files["depth"]) if "depth" in files else None
        try:
            return Frame(
                round(float(entry["stamp"]) * 1e9),
                np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8),
                depth,
                self.intrinsics,
                np.loadtxt(files["pose"]).reshape(4, 4) if "pose" in files else None,
            )
        except (ValueError, OSError) as error:
            raise ValueError(f"{', '.join(map(str, files.values()))}: {error}") from None

    def _depth(self, path: Path) -> NDArray[np.float32]:
        raw = _read(path, cv2.IMREAD_UNCHANGED)
        if raw.dtype != np.uint16 or raw.ndim != 2:
            raise ValueError(f"{path}: not a 16-bit single-channel image")
        return np.multiply(raw, self._depth_unit, dtype=np.float32)


def _read(path: Path, flags: int) -> NDArray[Any]:
    image = cv2.imread(str(path), flags)
    if image is None:
        raise ValueError(f"{path}: {'cannot be decoded' if path.exists() else 'does not exist'}")
    return image
