"""RepViT, the backbone of EdgeTAM: four maps of features of an image, by convolutions alone.

The published EdgeTAM names the one of timm, which needs torchvision. This one has timm's names, so
the weights fit, computes the same (Wang et al., "RepViT: Revisiting Mobile CNN From ViT
Perspective", the layout of RepViT-M1), and needs nothing but torch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

#: Architectures of timm by name: channels and blocks of each stage.
ARCHITECTURES = {"repvit_m1": ((48, 96, 192, 384), (2, 2, 14, 2))}


class RepVitConfig(PretrainedConfig):
    """channels and blocks: of each stage."""

    model_type = "repvit_features"

    def __init__(
        self,
        channels: tuple[int, ...] = ARCHITECTURES["repvit_m1"][0],
        blocks: tuple[int, ...] = ARCHITECTURES["repvit_m1"][1],
        **kwargs: Any,
    ) -> None:
        self.channels, self.blocks = list(channels), list(blocks)
        super().__init__(**kwargs)

    @classmethod
    def of_timm(cls, settings: dict[str, Any]) -> RepVitConfig:
        """From what config.json says of a backbone of timm. ``ValueError``: it is another one."""
        name = settings.get("architecture", "repvit_m1").partition(".")[0]
        if name not in ARCHITECTURES:
            raise ValueError(f"its backbone is {name}, not {' or '.join(ARCHITECTURES)}")
        changed = settings.get("model_args") or {}
        channels, blocks = ARCHITECTURES[name]
        return cls(changed.get("embed_dim", channels), changed.get("depth", blocks))


class RepVitFeatures(PreTrainedModel):
    """The stages' maps (n, channels, h, w), a quarter of the image's side and half as much each."""

    config_class = RepVitConfig
    main_input_name = "pixel_values"
    _supports_sdpa = True  # it has no attention, so whatever the others have is right

    def __init__(self, config: RepVitConfig) -> None:
        super().__init__(config)
        stages = nn.ModuleDict({"stem": _stem(config.channels[0])})
        before = config.channels[0]
        for number, (channels, blocks) in enumerate(
            zip(config.channels, config.blocks, strict=True)
        ):
            stages[f"stages_{number}"] = _Stage(before, channels, blocks, number > 0)
            before = channels
        self.timm_model = stages
        self.post_init()

    def forward(self, pixel_values: Tensor, **kwargs: Any) -> BaseModelOutput:
        """Of images (n, 3, H, W)."""
        maps: list[Tensor] = []
        x = pixel_values
        for stage in self.timm_model.values():
            x = stage(x)
            maps.append(x)
        return BaseModelOutput(last_hidden_state=maps[1:])


class _Normed(nn.Sequential):
    """A convolution without bias, then batch norm."""

    def __init__(self, before: int, after: int, size: int = 1, stride: int = 1, groups: int = 1):
        super().__init__()
        self.add_module(
            "c", nn.Conv2d(before, after, size, stride, size // 2, groups=groups, bias=False)
        )
        self.add_module("bn", nn.BatchNorm2d(after))


class _TokenMixer(nn.Module):
    """Each channel by itself: what is around it, weighted, and itself twice."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = _Normed(channels, channels, 3, groups=channels)
        self.conv1 = _Normed(channels, channels, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) + self.conv1(x) + x


class _ChannelMixer(nn.Module):
    """Each place by itself."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = _Normed(channels, 2 * channels)
        self.conv2 = _Normed(2 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(nn.functional.gelu(self.conv1(x)))


class _SqueezeExcite(nn.Module):
    """How much each channel counts, by the mean of the whole image."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(8, int(channels / 4 + 4) // 8 * 8)
        self.fc1, self.fc2 = nn.Conv2d(channels, inner, 1), nn.Conv2d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.fc2(torch.relu(self.fc1(mean))))


class _Block(nn.Module):
    def __init__(self, channels: int, squeeze: bool) -> None:
        super().__init__()
        self.token_mixer = _TokenMixer(channels)
        self.se = _SqueezeExcite(channels) if squeeze else nn.Identity()
        self.channel_mixer = _ChannelMixer(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.se(self.token_mixer(x))
        return x + self.channel_mixer(x)


class _Downsample(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.pre_block = _Block(before, False)
        self.spatial_downsample = _Normed(before, before, 3, 2, groups=before)
        self.channel_downsample = _Normed(before, after)
        self.ffn = _ChannelMixer(after)

    def forward(self, x: Tensor) -> Tensor:
        x = self.channel_downsample(self.spatial_downsample(self.pre_block(x)))
        return x + self.ffn(x)


class _Stage(nn.Module):
    def __init__(self, before: int, channels: int, blocks: int, smaller: bool) -> None:
        super().__init__()
        self.downsample = _Downsample(before, channels) if smaller else nn.Identity()
        self.blocks = nn.Sequential(*(_Block(channels, i % 2 == 0) for i in range(blocks)))

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.downsample(x))


def _stem(channels: int) -> nn.Sequential:
    stem = nn.Sequential()
    stem.add_module("conv1", _Normed(3, channels // 2, 3, 2))
    stem.add_module("act1", nn.GELU())
    stem.add_module("conv2", _Normed(channels // 2, channels, 3, 2))
    return stem


AutoConfig.register(RepVitConfig.model_type, RepVitConfig, exist_ok=True)
AutoModel.register(RepVitConfig, RepVitFeatures, exist_ok=True)
