"""Following things with SAM 2 for long, and what the tracker adds to the network.

The model is SAM 2.1's, for images of 256 x 256 instead of 1024 x 1024 and with fewer channels, in
float32 on the CPU. Its weights are random, which changes neither time nor memory. The rival is
transformers' own streaming session, given the same images and things.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import Sam2VideoConfig, Sam2VideoModel
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

from bench.harness import Row, benchmark, median_ms
from spatial_vlm_ros.tracking.config import TrackerConfig
from spatial_vlm_ros.tracking.network import Network
from spatial_vlm_ros.tracking.propagation import Candidate, Floats, Followed
from spatial_vlm_ros.tracking.sam2 import Sam2Propagator
from spatial_vlm_ros.tracking.tracker import Tracker
from spatial_vlm_ros.vision.images import IMAGENET_MEAN, IMAGENET_STD

SIZE, HIDDEN, THINGS, IMAGES = 256, 128, 8, 60
RIVAL = "transformers' streaming session"
COLOURS = [list(IMAGENET_MEAN), list(IMAGENET_STD)]
HIERA = {
    "model_type": "sam2_hiera_det_model",
    "hidden_size": 16,
    "image_size": [SIZE, SIZE],
    "blocks_per_stage": [1, 1, 2, 1],
    "embed_dim_per_stage": [16, 32, 64, 128],
    "num_attention_heads_per_stage": [1, 2, 2, 4],
    "global_attention_blocks": [3],
}


@lru_cache(maxsize=1)
def _model() -> Any:
    torch.manual_seed(0)
    config = Sam2VideoConfig(
        vision_config={
            "model_type": "sam2_vision_model",
            "backbone_config": HIERA,
            "backbone_channel_list": [128, 64, 32, 16],
            "backbone_feature_sizes": [[SIZE // 4] * 2, [SIZE // 8] * 2, [SIZE // 16] * 2],
            "fpn_hidden_size": HIDDEN,
        },
        prompt_encoder_config={"hidden_size": HIDDEN, "image_size": SIZE},
        mask_decoder_config={"hidden_size": HIDDEN, "mlp_dim": 128, "num_attention_heads": 2},
        image_size=SIZE,
        memory_attention_hidden_size=HIDDEN,
        memory_attention_feed_forward_hidden_size=128,
        memory_attention_rope_feat_sizes=[SIZE // 16] * 2,
        memory_encoder_hidden_size=HIDDEN,
        mask_downsampler_embed_dim=HIDDEN,
        memory_fuser_embed_dim=HIDDEN,
        memory_fuser_intermediate_dim=128,
    )
    return Sam2VideoModel(config).eval().requires_grad_(False)


def _image() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)


def _masks() -> list[Floats]:
    side = SIZE // 4
    masks = np.full((THINGS, side, side), -8.0, np.float32)
    for number, mask in enumerate(masks):
        mask[6 * number : 6 * number + 8, 4:40] = 8
    return list(masks)


@lru_cache(maxsize=1)
def _ours() -> tuple[Sam2Propagator, Callable[[], Any]]:
    propagator = Sam2Propagator(Network(_model()), COLOURS, 16)
    propagator.step(_image())
    for number, mask in enumerate(_masks()):
        propagator.follow(number, mask)
    for _ in range(IMAGES):
        propagator.step(_image())
    return propagator, lambda: propagator.step(_image())


@lru_cache(maxsize=1)
def _theirs() -> tuple[Any, Callable[[], Any]]:
    pixels = _ours()[0].pixels(_image())
    session = Sam2VideoInferenceSession(dtype=torch.float32)
    session.add_new_frame(pixels)
    for number, mask in enumerate(_masks()):
        index = session.obj_id_to_idx(number)
        large = np.kron(mask > 0, np.ones((4, 4), bool))
        session.add_mask_inputs(index, 0, torch.from_numpy(large[None, None]).float())
        session.obj_with_new_inputs.append(number)
    _model()(session, frame_idx=0)
    for _ in range(IMAGES):
        _model()(session, frame=pixels)
    return session, lambda: _model()(session, frame=_ours()[0].pixels(_image()))


def _bytes(value: Any) -> dict[int, int]:
    """The storages of all tensors in dictionaries and lists, by address."""
    if isinstance(value, torch.Tensor):
        storage = value.untyped_storage()
        return {storage.data_ptr(): storage.nbytes()}
    found: dict[int, int] = {}
    parts: Iterable[Any] = value.values() if isinstance(value, dict) else value
    for part in parts if isinstance(value, (dict, list, tuple)) else ():
        found |= _bytes(part)
    return found


@benchmark("SAM 2: 8 things in the next image")
def next_image() -> Row:
    """After 60 images; things of one age are a batch."""
    return Row(median_ms(_ours()[1], 5, 1), "ms", RIVAL, median_ms(_theirs()[1], 5, 1))


@benchmark("SAM 2: kept of 60 images with 8 things")
def kept() -> Row:
    """Ours would be the same after a day."""
    session = _theirs()[0]
    theirs = _bytes([session.processed_frames, session.output_dict_per_obj])
    return Row(_ours()[0].size / 1e6, "MB", RIVAL, sum(theirs.values()) / 1e6)


class _Still:
    """A network that takes no time, and sees 32 things where they were."""

    size = 0

    def __init__(self) -> None:
        self._things = [np.full((256, 256), -8.0, np.float32) for _ in range(32)]
        for number, logits in enumerate(self._things):
            v, u = 60 * (number // 8), 28 * (number % 8)
            logits[v : v + 50, u : u + 50] = 8
        self._followed: dict[int, Floats] = {}

    def step(self, rgb: NDArray[np.uint8]) -> dict[int, Followed]:
        return {number: Followed(logits, 0.9) for number, logits in self._followed.items()}

    def at_points(self, points: Floats) -> list[Candidate]:
        return [Candidate(logits, 0.9) for logits in self._things]

    def in_boxes(self, boxes: Floats) -> list[Candidate]:
        return []

    def follow(self, number: int, logits: Floats) -> None:
        self._followed[number] = logits

    def drop(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._followed.pop(number, None)

    def reset(self) -> None:
        self._followed.clear()


@benchmark("tracker without its network, 32 things, 640x480")
def logic() -> Row:
    """Masks of 256 x 256, as SAM 2 makes them, to a label image."""
    config = TrackerConfig(births=32, max_overlap=1.0, duplicate=1.0, confirm_after=1)
    tracker = Tracker(config, _Still())
    rgb = np.zeros((480, 640, 3), np.uint8)
    tracker.see(rgb)
    if tracker.followed != 32:
        raise ValueError(f"{tracker.followed} things are followed, not 32")
    return Row(median_ms(lambda: tracker.see(rgb), 30), "ms", bound=100.0)
