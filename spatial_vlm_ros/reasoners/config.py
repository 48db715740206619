"""Settings of the reasoners that run a model."""

from __future__ import annotations

from dataclasses import dataclass

from spatial_vlm_ros import shipped
from spatial_vlm_ros.config import EncoderConfig
from spatial_vlm_ros.settings import device_setting, dtype_setting, setting

#: Who may answer; all but the first run a model.
NAMES = ("geometric", "proxy3d", "ssr", "chat")


@dataclass(frozen=True)
class ModelConfig:
    """Which model answers, and where it runs."""

    checkpoint: str = setting(
        "",
        "Folder of the model, its hub name if it was fetched before, or the name of one that "
        "ships; empty: the small one for proxy3d or ssr",
        read_only=True,
    )
    device: str = device_setting()
    dtype: str = dtype_setting()


@dataclass(frozen=True)
class AnsweringConfig:
    """What a model is told, and how long it may talk."""

    max_tokens: int = setting(512, "Longest answer, in tokens", low=1, high=8192)
    max_seconds: float = setting(
        60.0, "An answer that takes longer is cut off [s]", low=0.1, high=3600.0
    )
    scene_tokens: int = setting(
        2000, "chat: the scene as text has at most so many tokens", low=100, high=200_000
    )
    key_images: int = setting(
        4, "chat: at most so many images of what is asked about are shown", low=0, high=64
    )
    frames: int = setting(
        32, "ssr: images of the scene, spread over all there are", low=1, high=256
    )
    image_pixels: int = setting(
        336 * 448,
        "ssr, chat: an image is made smaller when it has more pixels than this",
        low=56 * 56,
        high=4_000_000,
    )
    vggt: str = setting(
        "facebook/VGGT-1B",
        "ssr: VGGT's folder, or its hub name if fetched before; for checkpoints that use it",
        read_only=True,
    )


def encoder_for(reasoner: str, checkpoint: str) -> str:
    """The mapper's ``encoder.checkpoint`` for a reasoner of this name and checkpoint, "" for none.

    Proxy3D reads features of its own vision tower only; to others it does not matter.
    """
    own = (checkpoint or shipped.default(reasoner)) if reasoner == "proxy3d" else ""
    return own or EncoderConfig.checkpoint
