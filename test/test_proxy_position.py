"""Position embedding of proxies: turned by height, moved by place, saved and loaded."""

from __future__ import annotations

import math

import pytest
import torch
from safetensors.torch import save_file

from spatial_vlm_ros.proxies.position import PositionConfig, PositionEmbedding

SMALL = PositionConfig(dimension=6, rotated=4, fourier=8, hidden=5)


def trained(config=SMALL) -> PositionEmbedding:
    """With all weights away from their first values."""
    torch.manual_seed(0)
    module = PositionEmbedding(config)
    for weights in module.parameters():
        torch.nn.init.normal_(weights)
    return module


def test_rotation_by_hand():
    """At 0.25 m above the floor two steps of 0.1 m: pair 0 turns by 2, pair 1 by 2 * 10000^-0.5."""
    feature = torch.tensor([[1.0, 0.0, 0.0, 2.0, 7.0, 8.0]])
    found = PositionEmbedding(SMALL)(feature, torch.tensor([[0.0, 0.0, -0.95]]), floor=-1.2)
    a, b = 2.0, 0.02
    expected = [math.cos(a), math.sin(a), -2 * math.sin(b), 2 * math.cos(b), 7.0, 8.0]
    torch.testing.assert_close(found, torch.tensor([expected]))


def test_at_first_only_the_height_counts():
    module, feature = PositionEmbedding(SMALL), torch.randn(3, 6)
    assert torch.equal(module(feature, torch.tensor([[9.0, -4.0, 0.05]] * 3)), feature)
    assert not torch.equal(module(feature, torch.tensor([[9.0, -4.0, 0.15]] * 3)), feature)


def test_place_by_hand():
    """One direction (1, 2), fourier = 2: r = [cos t, sin t] / sqrt(2)."""
    module = PositionEmbedding(PositionConfig(dimension=2, rotated=0, fourier=2, hidden=2))
    with torch.no_grad():
        module.directions.weight.copy_(torch.tensor([[1.0, 2.0]]))
        for layer in (module.mlp[0], module.mlp[2]):
            layer.weight.copy_(torch.eye(2))
            layer.bias.zero_()
    t = 0.3 + 2 * 0.4
    gelu = torch.nn.functional.gelu(torch.tensor([math.cos(t), math.sin(t)]) / math.sqrt(2))
    torch.testing.assert_close(module.place(torch.tensor([0.3, 0.4, 5.0])), gelu)


def test_turning_keeps_lengths_and_relative_angles():
    module = PositionEmbedding(PositionConfig(dimension=16, rotated=16, fourier=8, hidden=5))
    a, b = torch.randn(2, 16)
    up = lambda f, z: module(f, torch.tensor([0.0, 0.0, z + 0.05]))  # noqa: E731
    torch.testing.assert_close(up(a, 1.0).norm(), a.norm())
    torch.testing.assert_close(up(a, 1.0) @ up(b, 1.5), up(a, 0.2) @ up(b, 0.7))


def test_the_gate_scales_the_angle():
    """Half of 2 and of 2 * 10000^-0.5."""
    module = PositionEmbedding(PositionConfig(6, 4, 8, 5, initial_gate=0.5))
    feature = torch.tensor([[1.0, 0.0, 0.0, 2.0, 7.0, 8.0]])
    found = module(feature, torch.tensor([[0.0, 0.0, 0.25]]))
    a, b = 1.0, 0.01
    expected = [math.cos(a), math.sin(a), -2 * math.sin(b), 2 * math.cos(b), 7.0, 8.0]
    torch.testing.assert_close(found, torch.tensor([expected]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_with_a_shut_gate_features_are_left_as_they_are(dtype):
    module = PositionEmbedding(PositionConfig(6, 6, 8, 5, initial_gate=0.0)).to(dtype)
    feature = (100 * torch.randn(50, 6)).to(dtype)
    found = module(feature, 100 * torch.randn(50, 3))
    assert found.dtype == dtype
    assert torch.equal(found, feature)


def test_a_shut_gate_can_be_learnt_to_open():
    """The target is turned: the gradient at 0 points to it, however the heights are."""
    torch.manual_seed(0)
    module = PositionEmbedding(PositionConfig(6, 6, 8, 5, initial_gate=0.0))
    target = PositionEmbedding(PositionConfig(6, 6, 8, 5, initial_gate=0.02))
    feature, points = torch.randn(40, 6), 2 * torch.rand(40, 3)
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-3)
    for _ in range(100):
        loss = (module(feature, points) - target(feature, points).detach()).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert module.gate.item() == pytest.approx(0.02, abs=2e-3)


def test_places_are_reckoned_in_float32_whatever_the_weights():
    """A hundred metres away a step of 0.2 m is less than bfloat16 can tell; the angles tell it."""
    exact = trained(PositionConfig(6, 4, 64, 5)).bfloat16().float()
    half = PositionEmbedding(exact.config).bfloat16()
    half.load_state_dict(exact.state_dict())
    points = torch.stack([100 + 0.2 * torch.arange(40), torch.zeros(40), torch.zeros(40)], dim=1)
    expected = exact.place(points)
    rounded = exact.place(points.bfloat16())
    scale = expected.std()
    assert (rounded - expected).abs().max() > 0.5 * scale
    assert (half.place(points).float() - expected).abs().max() < 0.05 * scale
    with torch.autocast("cpu", torch.bfloat16):
        assert (exact.place(points).float() - expected).abs().max() < 0.05 * scale


def test_training_starts_anew():
    module = trained(PositionConfig(6, 4, 8, 5, initial_gate=0.25))
    module.reset_parameters()
    assert module.gate.item() == 0.25
    assert not module.place(torch.rand(3, 3)).any()
    assert all(weights.any() for weights in module.mlp[0].parameters())


def test_half_precision_stays_half_and_agrees():
    module, feature = trained(), torch.randn(4, 6)
    points = torch.rand(4, 3)
    half = module(feature.half(), points)
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.float(), module(feature, points), atol=0.02, rtol=0.01)


def test_all_parts_learn():
    module = trained()
    module(torch.randn(4, 6), torch.rand(4, 3)).square().sum().backward()
    assert all(weights.grad.abs().sum() > 0 for weights in module.parameters())


def test_saved_and_loaded(tmp_path):
    module = trained(PositionConfig(6, 4, 8, 5, gamma=2.5, height_step=0.2, initial_gate=0.5))
    module.save(tmp_path / "position.safetensors")
    again = PositionEmbedding.load(tmp_path / "position.safetensors")
    assert again.config == module.config
    feature, points = torch.randn(4, 6), torch.rand(4, 3)
    assert torch.equal(again(feature, points), module(feature, points))


def test_another_file_is_named(tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"other\.safetensors is no position embedding"):
        PositionEmbedding.load(tmp_path / "other.safetensors")


@pytest.mark.parametrize(("rotated", "fourier"), [(3, 8), (8, 8), (-2, 8), (4, 7), (4, 0)])
def test_shapes_that_cannot_be(rotated, fourier):
    with pytest.raises(ValueError, match="not even"):
        PositionEmbedding(PositionConfig(6, rotated, fourier, 5))
