"""The encoder and the proxies that settings ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spatial_vlm_ros.config import EncoderConfig, MemoryConfig

if TYPE_CHECKING:
    from spatial_vlm_ros.proxies.scene_proxies import SceneProxies
    from spatial_vlm_ros.vision.encoder import VisionEncoder

# torch and transformers take seconds to import: only who asks for them waits.


def open_proxies(config: MemoryConfig) -> SceneProxies | None:
    """Proxies yet empty; None when ``encoder.checkpoint`` is "none".

    ``ValueError`` says what is wrong with the checkpoint or the device.
    """
    if config.encoder.checkpoint == "none":
        return None
    import torch

    from spatial_vlm_ros.proxies.scene_proxies import SceneProxies

    torch.set_num_threads(config.encoder.threads)
    return SceneProxies(config.proxies, open_encoder(config.encoder))


def open_encoder(config: EncoderConfig) -> VisionEncoder:
    """The encoder named by ``checkpoint``. ``ValueError`` says what is wrong with it."""
    if config.checkpoint == "descriptors":
        from spatial_vlm_ros.vision.descriptors import Descriptors

        return Descriptors(config.pixels)
    from spatial_vlm_ros.vision.qwen import QwenTower

    return QwenTower.open(config)
