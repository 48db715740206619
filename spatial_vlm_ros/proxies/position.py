"""Where a proxy is, told to a language model (Proxy3D eq. 4, after LEO-VL).

``h = R(z) f + phi(x, y)``: the feature is rotated by its height and a learnable embedding of its
place on the floor is added. Positions are reckoned with in float32 whatever the type of the
weights: in 16 bits ten metres would be known to a few centimetres only.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

_METADATA = "position_embedding"


@dataclass(frozen=True)
class PositionConfig:
    """Shape of a position embedding.

    dimension: D of the features. rotated: how many of the first channels are rotated (even).
    fourier, hidden: sizes of the Fourier features and of the layer behind them (Li et al. 2021).
    gamma: metres over which a Fourier feature turns by about one radian when training starts.
    height_step: metres of one step of the rotation. base: of the rotary frequencies.
    initial_gate: what the learnable factor of all angles is when training starts: 1 is the paper's
    rotation; at 0 a model that has not been trained on rotated features gets them as they are.
    """

    dimension: int
    rotated: int
    fourier: int = 768
    hidden: int = 512
    gamma: float = 10.0
    height_step: float = 0.1
    base: float = 10000.0
    initial_gate: float = 1.0


class PositionEmbedding(nn.Module):
    """Adds 3D positions to proxy features; at first only rotates them, phi starts at zero."""

    def __init__(self, config: PositionConfig) -> None:
        super().__init__()
        if config.rotated % 2 or not 0 <= config.rotated <= config.dimension:
            raise ValueError(f"rotated is {config.rotated}, not even or not 0..{config.dimension}")
        if config.fourier % 2 or config.fourier < 2:
            raise ValueError(f"fourier is {config.fourier}, not even and positive")
        self.config = config
        self.gate = nn.Parameter(torch.empty(1))
        self.directions = nn.Linear(2, config.fourier // 2, bias=False)
        last = nn.Linear(config.hidden, config.dimension)
        self.mlp = nn.Sequential(nn.Linear(config.fourier, config.hidden), nn.GELU(), last)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """As they are when training starts."""
        nn.init.constant_(self.gate, self.config.initial_gate)
        nn.init.normal_(self.directions.weight, std=1 / self.config.gamma)
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):
                layer.reset_parameters()
        for weights in self.mlp[-1].parameters():
            nn.init.zeros_(weights)

    def forward(self, features: Tensor, points: Tensor, floor: Tensor | float = 0.0) -> Tensor:
        """(..., D) features with their positions.

        features: (..., D). points: (..., 3) metres in a frame whose z is up. floor: z of the
        floor, from which the height is counted in whole steps.
        """
        steps = torch.floor((points[..., 2].float() - floor) / self.config.height_step)
        return self._rotated(features, steps) + self.place(points).to(features.dtype)

    def place(self, points: Tensor) -> Tensor:
        """(..., D) phi of the points' x and y."""
        directions = self.directions.weight.float()  # (fourier / 2, 2)
        turns = (points[..., None, :2].float() * directions).sum(-1)
        waves = torch.cat([turns.cos(), turns.sin()], dim=-1) / math.sqrt(self.config.fourier)
        place: Tensor = self.mlp(waves.to(self.gate.dtype))
        return place

    def _rotated(self, features: Tensor, steps: Tensor) -> Tensor:
        """Channel pairs (2m, 2m+1) turned by gate * steps * base^(-2m/d)."""
        pair = torch.arange(self.config.rotated // 2, device=steps.device)
        frequencies = self.config.base ** (-2 * pair / max(self.config.rotated, 1))
        angle = self.gate.float() * steps[..., None] * frequencies
        cos, sin = angle.cos(), angle.sin()
        turned = features[..., : self.config.rotated].float()
        even, odd = turned[..., 0::2], turned[..., 1::2]
        pairs = torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1)
        rest = features[..., self.config.rotated :]
        return torch.cat([pairs.flatten(-2).to(features.dtype), rest], dim=-1)

    def save(self, path: Path) -> None:
        """Weights and configuration as one safetensors file."""
        save_file(self.state_dict(), path, {_METADATA: json.dumps(asdict(self.config))})

    @classmethod
    def load(cls, path: Path) -> PositionEmbedding:
        """What :meth:`save` wrote. ``ValueError`` when it is something else."""
        with safe_open(path, "pt") as file:
            written = (file.metadata() or {}).get(_METADATA)
        if written is None:
            raise ValueError(f"{path} is no position embedding")
        module = cls(PositionConfig(**json.loads(written)))
        module.load_state_dict(load_file(path))
        return module
