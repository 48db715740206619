"""VGGT's tokens as maps: which layer, which patch, and what is kept in memory."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from spatial_vlm_ros.models.spatial_branch import SpatialSettings
from spatial_vlm_ros.models.spatial_features import Frames, spatial_features
from spatial_vlm_ros.models.vggt_tokens import VggtTokens

WIDTH, SPECIAL = 6, 5


class PatchMeans(nn.Module):
    """Called like VGGT's aggregator. Patch tokens of layer i: i, 0, 0, then the patch's colour."""

    def __init__(self, layers: int = 24) -> None:
        super().__init__()
        self.layers = layers
        self.scale = nn.Parameter(torch.ones(()))
        self.was: dict[str, object] = {}

    def forward(self, images: Tensor) -> tuple[list[Tensor], int]:
        self.was = {"shape": images.shape, "training": self.training, "dtype": images.dtype}
        frames, height, width = images.shape[1], images.shape[3] // 14, images.shape[4] // 14
        patches = images.view(1, frames, 3, height, 14, width, 14).mean((4, 6)).flatten(3)
        colours = patches.transpose(2, 3) * self.scale
        tokens = []
        for layer in range(self.layers):
            told = torch.cat([torch.zeros_like(colours), colours], dim=-1)
            told[..., 0] = layer
            tokens.append(torch.cat([torch.full((1, frames, SPECIAL, WIDTH), -1.0), told], dim=2))
        return tokens, SPECIAL


def images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def test_maps_are_of_the_layer_and_row_by_row():
    frames = images(3, 3, 56, 84)
    aggregator = PatchMeans().train()
    maps = VggtTokens(aggregator, width=WIDTH).maps(Frames(frames))
    assert maps.shape == (3, 4, 6, WIDTH)
    assert not maps.requires_grad
    assert aggregator.was["shape"] == (1, 3, 3, 56, 84)  # one scene
    assert not aggregator.was["training"]
    assert torch.equal(maps[..., 0], torch.full((3, 4, 6), 22.0))  # the 23rd
    for frame, row, column in [(0, 0, 0), (1, 2, 5), (2, 3, 1)]:
        patch = frames[frame, :, 14 * row : 14 * row + 14, 14 * column : 14 * column + 14]
        assert torch.allclose(maps[frame, row, column, 3:], patch.mean((1, 2)), atol=1e-6)
    other = VggtTokens(aggregator, layer=3, width=WIDTH).maps(Frames(frames))
    assert torch.equal(other[..., 0], torch.full((3, 4, 6), 3.0))


def test_what_does_not_fit_is_said():
    good = Frames(images(1, 3, 28, 28))
    with pytest.raises(ValueError, match="layer 22 of an aggregator with 12"):
        VggtTokens(PatchMeans(12), width=WIDTH).maps(good)
    with pytest.raises(ValueError, match=r"\(1, 4, 6\), not \(1, 4, 2048\)"):
        VggtTokens(PatchMeans()).maps(good)
    with pytest.raises(ValueError, match="images of 0..1, not"):
        VggtTokens(PatchMeans(), width=WIDTH).maps(Frames(255 * good.images))
    with pytest.raises(ValueError, match="30 x 28 pixels"):
        VggtTokens(PatchMeans(), width=WIDTH).maps(Frames(images(1, 3, 28, 30)))


def test_without_the_package_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "vggt", None)
    monkeypatch.setitem(sys.modules, "vggt.models.aggregator", None)
    assert spatial_features(SpatialSettings("points")) is not None  # needs no package
    with pytest.raises(ValueError, match=r"pip install git\+https://github.com/facebookresearch/"):
        spatial_features(SpatialSettings("vggt"))


@pytest.fixture
def real():
    """VGGT's own aggregator, small and with random weights."""
    aggregator = pytest.importorskip("vggt.models.aggregator")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        small = aggregator.Aggregator(
            img_size=56, embed_dim=32, depth=6, num_heads=4, patch_embed="conv", init_values=1.0
        )
    return small.eval()


@pytest.mark.parametrize("layer", [0, 3, 4, 5])
def test_vggts_own_aggregator_gives_the_same_maps(real, layer):
    frames = images(3, 3, 56, 84)
    with torch.no_grad():
        listed, first = real(frames[None])
    assert first == SPECIAL
    maps = VggtTokens(real, layer, width=64).maps(Frames(frames))
    assert maps.std() > 0.1
    assert torch.equal(maps.flatten(1, 2), listed[layer][0, :, first:])


def test_one_square_lights_its_token_of_vggts_own_aggregator(real):
    frames = images(2, 3, 84, 112) / 2
    bright = frames.clone()
    bright[1, :, 28:42, 70:84] = 1.0  # patch row 2, column 5
    features = VggtTokens(real, layer=4, width=64)
    change = (features.maps(Frames(bright)) - features.maps(Frames(frames))).norm(dim=-1)
    assert [int(i) for i in torch.unravel_index(change.argmax(), change.shape)] == [1, 2, 5]


def test_only_the_layer_is_kept_in_memory_and_none_is_run_behind_it(real):
    ran = []
    for number, block in enumerate(real.global_blocks):
        block.register_forward_hook(lambda *_, number=number: ran.append(number))
    listed = []
    real.register_forward_hook(lambda _module, _args, out: listed.extend(out[0]))
    VggtTokens(real, layer=3, width=64).maps(Frames(images(2, 3, 28, 28)))
    assert ran == [0, 1, 2, 3]
    assert [layer.numel() for layer in listed] == [0, 0, 0, 2 * (SPECIAL + 4) * 64]
    assert len(real(images(1, 2, 3, 28, 28))[0]) == 6  # afterwards as before
    assert "_process_frame_attention" not in vars(real)


def test_vggt_computes_in_lower_precision_where_asked(real):
    frames = Frames(images(2, 3, 28, 28))
    exact = VggtTokens(real, layer=3, width=64).maps(frames)
    lower = VggtTokens(real, layer=3, width=64, dtype=torch.bfloat16).maps(frames)
    assert not torch.equal(exact, lower.float())
    assert (exact - lower.float()).abs().max() < 0.1 * exact.std() + 0.2
    half = VggtTokens(real.to(torch.bfloat16), layer=3, width=64).maps(frames)
    assert half.dtype == torch.bfloat16


def save_vggt(folder: Path, weights: dict[str, Tensor]) -> None:
    sizes = {"img_size": 56, "embed_dim": 32, "depth": 6, "num_heads": 4, "patch_embed": "conv"}
    (folder / "config.json").write_text(json.dumps(sizes))
    save_file(weights, folder / "model.safetensors")


def test_a_checkpoint_is_read_without_its_heads(real, tmp_path):
    weights = {f"aggregator.{name}": tensor for name, tensor in real.state_dict().items()}
    save_vggt(tmp_path, weights | {"camera_head.weight": torch.zeros(3)})
    frames = Frames(images(2, 3, 28, 42))
    features = spatial_features(SpatialSettings("vggt", layer=2, width=64), str(tmp_path))
    assert torch.equal(features.maps(frames), VggtTokens(real, 2, 64).maps(frames))
    weights.pop("aggregator.camera_token")
    save_vggt(tmp_path, weights)
    with pytest.raises(ValueError, match="camera_token"):
        VggtTokens.open(str(tmp_path))


def test_a_vggt_that_was_not_fetched_is_named(real):
    with pytest.raises(ValueError, match="fetch it first.*nobody/no-vggt"):
        VggtTokens.open("nobody/no-vggt")
