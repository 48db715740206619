"""Metric depth of single images by a network, and frames that get theirs from it."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spatial_vlm_ros.errors import first_line
from spatial_vlm_ros.frame import Frame, Intrinsics
from spatial_vlm_ros.geometry.config import GeometryConfig, MetricDepthConfig
from spatial_vlm_ros.geometry.depth_networks import KINDS, DepthNetwork
from spatial_vlm_ros.geometry.prediction import MetricNetwork
from spatial_vlm_ros.vision.checkpoint import Checkpoint
from spatial_vlm_ros.vision.images import as_tensor
from spatial_vlm_ros.vision.networks import load_network

_INSTEAD = "take for instance depth-anything/Depth-Anything-V2-Metric-Indoor-Small-hf"
_PREPROCESSOR = "preprocessor_config.json"
_READY = 4  # frames that may wait to be taken


class MetricDepth:
    """A network that sees metres in single images."""

    def __init__(self, kind: DepthNetwork, network: Any, name: str) -> None:
        self._kind, self._network = kind, network
        self.name = name

    @staticmethod
    def open(config: MetricDepthConfig) -> MetricDepth:
        """Depth Anything (metric), Depth Pro or ZoeDepth; nothing is fetched.

        ``ValueError`` says what to change: the checkpoint is not there, not whole, or gives no
        metres, or the device is not there or too small.
        """
        if not config.checkpoint:
            raise ValueError(f"metric_depth.checkpoint is not set; {_INSTEAD}")
        checkpoint = Checkpoint.find(config.checkpoint)
        kind = _kind(config.checkpoint, checkpoint.settings())
        settings = checkpoint.optional(_PREPROCESSOR)
        if not settings:
            raise ValueError(f"{checkpoint.folder / _PREPROCESSOR} is missing; {checkpoint.remedy}")
        network = load_network(kind.architecture, checkpoint, config, "metric depth")
        return MetricDepth(kind(settings), network, checkpoint.name)

    @torch.inference_mode()
    def depth(self, rgb: NDArray[np.uint8], intrinsics: Intrinsics) -> NDArray[np.float32]:
        """(H, W) metres along the optical axis of an image (H, W, 3); 0 where there are none.

        ``ValueError``: it is no image of that camera. ``RuntimeError``: out of memory, or nothing
        in it has a depth.
        """
        image = as_tensor(rgb)
        if rgb.shape[:2] != (intrinsics.height, intrinsics.width):
            raise ValueError(
                f"an image is {rgb.shape[1]}x{rgb.shape[0]}, its camera "
                f"{intrinsics.width}x{intrinsics.height}"
            )
        inputs = self._kind.inputs(image).to(self._network.device, self._network.dtype)
        output = self._network(pixel_values=inputs).predicted_depth
        metres = self._kind.metres(output, intrinsics)
        known = torch.isfinite(metres) & (metres > 0)
        if not bool(known.any()):
            raise RuntimeError(f"{self.name} gave no depth; set metric_depth.dtype to float32")
        depth: NDArray[np.float32] = metres.where(known, 0).float().cpu().numpy()
        return depth


def _kind(name: str, settings: dict[str, Any]) -> type[DepthNetwork]:
    """By model_type. ``ValueError``: its depth has no unit, or it is another kind of model."""
    kind = settings.get("model_type")
    if kind == "depth_anything" and settings.get("depth_estimation_type") != "metric":
        raise ValueError(
            f"checkpoint {name} sees which things are nearer, not how many metres; {_INSTEAD}"
        )
    if kind == "prompt_depth_anything":
        raise ValueError(f"checkpoint {name} needs a depth camera's image too; {_INSTEAD}")
    if kind not in KINDS:
        raise ValueError(
            f"checkpoint {name} has model_type {kind}, which is none of {', '.join(KINDS)}; "
            f"{_INSTEAD}"
        )
    return KINDS[kind]


class MetricDepthGeometry:
    """A :class:`~spatial_vlm_ros.geometry.source.GeometrySource`: depth by a network, poses by TF.

    The newest frame is next: those that came while the network was busy are passed over. The
    spread of the scale is what the settings say of the network.
    """

    def __init__(self, config: GeometryConfig, network: MetricNetwork) -> None:
        self.problem = ""
        self._spread = config.metric_depth.spread
        self._network = network
        self._lock = threading.Lock()
        self._run = 0  # grows with each reset: what was begun before it is not given out
        self._done = self._passed_over = self._failed = 0
        self._next: Frame | None = None
        self._ready: deque[Frame] = deque(maxlen=_READY)

    def offer(self, frame: Frame) -> None:
        """See :class:`GeometrySource`."""
        with self._lock:
            self._passed_over += self._next is not None
            self._next = frame

    def compute(self) -> bool:
        """See :class:`GeometrySource`; a frame that fails is dropped, and ``problem`` says why."""
        with self._lock:
            frame, self._next = self._next, None
            run = self._run
        if frame is None:
            return False
        try:
            depth = self._network.depth(frame.rgb, frame.intrinsics)
        except (RuntimeError, ValueError) as error:
            with self._lock:
                self._failed += 1
                self.problem = f"metric depth of an image failed: {first_line(error)}"
            return True
        with self._lock:
            self.problem = ""
            if run == self._run:
                self._done += 1
                self._passed_over += len(self._ready) == _READY
                self._ready.append(replace(frame, depth=depth, scale_spread=self._spread))
        return True

    def finish(self) -> None:
        """See :class:`GeometrySource`; there is nothing to end."""

    def take(self) -> Frame | None:
        """See :class:`GeometrySource`."""
        with self._lock:
            return self._ready.popleft() if self._ready else None

    def reset(self) -> None:
        """See :class:`GeometrySource`."""
        with self._lock:
            self._run += 1
            self._next = None
            self._ready.clear()

    def values(self) -> dict[str, str]:
        """See :class:`GeometrySource`."""
        with self._lock:
            return {
                "frames with depth": str(self._done),
                "frames passed over": str(self._passed_over),
                "frames that failed": str(self._failed),
            }
