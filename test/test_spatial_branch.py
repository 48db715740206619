"""The 3D branch of SSR-3D: its equations, which patch meets which, and point maps."""

from __future__ import annotations

import math

import pytest
import torch
from small_vlm import save_small_vlm
from ssr_inputs import POINTS, VGGT, opened, patches_of, train_away_from_start
from torch.nn.functional import gelu

from spatial_vlm_ros.models.point_map_encoder import PointMapEncoder, describe
from spatial_vlm_ros.models.spatial_branch import SpatialSettings, by_cells, cells_of
from spatial_vlm_ros.models.spatial_features import (
    Frames,
    MetricPoints,
    patch_points,
    spatial_features,
)
from spatial_vlm_ros.models.ssr import SSRConfig

#: Of frames in pixels; 112 is a window of Qwen2.5-VL's attention.
SIZES = [(336, 448), (280, 364), (140, 196), (112, 84)]
NAN = math.nan


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    save_small_vlm(folder)
    return folder


@pytest.fixture(scope="module")
def vggt(plain):
    return opened(plain, VGGT)


def grid_of(images: torch.Tensor) -> torch.Tensor:
    frames, _, height, width = images.shape
    return torch.tensor([[frames, height // 14, width // 14]])


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def both(model, images: torch.Tensor, values: torch.Tensor | None = None):
    """Visual and spatial tokens (T, H', W', D)."""
    grid = grid_of(images)
    with torch.no_grad():
        seen = model.model.visual(patches_of(images), grid_thw=grid)
        cells = by_cells(seen.last_hidden_state, grid, model.config.vision_config)
        spatial = model.spatial(cells, values, grid)
    shape = (len(images), images.shape[2] // 28, images.shape[3] // 28, -1)
    return seen.pooler_output.view(shape), spatial.view(shape)


def lit(after: torch.Tensor, before: torch.Tensor) -> tuple[int, ...]:
    """Which token (frame, row, column) has changed most."""
    change = (after - before).norm(dim=-1)
    return tuple(int(i) for i in torch.unravel_index(change.argmax(), change.shape))


@pytest.mark.parametrize("size", SIZES)
def test_one_bright_square_lights_the_same_token_in_both_branches(vggt, size):
    height, width = size
    rows, columns = height // 28, width // 28
    images = noise(2, 3, height, width)
    dark = both(vggt, images)
    moved = 0
    for frame, row, column in [(0, 0, 0), (1, rows - 1, columns - 1), (1, 1, 2), (0, rows - 1, 1)]:
        bright = images.clone()
        bright[frame, :, 28 * row : 28 * row + 28, 28 * column : 28 * column + 28] += 3.0
        visual, spatial = both(vggt, bright)
        assert lit(visual, dark[0]) == (frame, row, column)
        assert lit(spatial, dark[1]) == (frame, row, column)
        with torch.no_grad():  # as the tower leaves them: the test would notice
            grid = grid_of(bright)
            seen = vggt.model.visual(patches_of(bright), grid_thw=grid).last_hidden_state
            before = vggt.model.visual(patches_of(images), grid_thw=grid).last_hidden_state
            cells = vggt.spatial(seen, None, grid), vggt.spatial(before, None, grid)
        moved += lit(*(c.view(2, rows, columns, -1) for c in cells)) != (frame, row, column)
    assert moved >= (width > 112)


@pytest.mark.parametrize("size", SIZES)
def test_one_square_of_geometry_lights_only_its_token(plain, size):
    model = opened(plain, VGGT)
    train_away_from_start(model)
    height, width = size
    images = noise(2, 3, height, width)
    values = noise(2, height // 14, width // 14, 20)
    _, before = both(model, images, values.flatten(0, 2))
    for frame, row, column in [(0, 0, 1), (1, height // 28 - 1, width // 28 - 1), (1, 2, 0)]:
        changed = values.clone()
        changed[frame, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] += noise(2, 2, 20)
        _, after = both(model, images, changed.flatten(0, 2))
        different = (after - before).abs().amax(-1) > 1e-4
        assert different.nonzero().tolist() == [[frame, row, column]]


def test_patches_of_a_cell_keep_their_places():
    maps = torch.arange(24).view(1, 4, 6, 1)  # row i, column j is 6 i + j
    assert cells_of(maps, 2).flatten().tolist() == [
        *(0, 1, 6, 7),
        *(2, 3, 8, 9),
        *(4, 5, 10, 11),
        *(12, 13, 18, 19),
        *(14, 15, 20, 21),
        *(16, 17, 22, 23),
    ]


def test_a_spatial_token_is_what_the_equations_say(plain):
    model = opened(plain, VGGT)
    train_away_from_start(model)
    images, s = noise(1, 3, 112, 168), noise(8, 12, 20)
    grid = grid_of(images)
    spatial = model.spatial
    with torch.no_grad():
        _, found = both(model, images, s.flatten(0, 1))
        row, column = 2, 4
        seen = model.model.visual(patches_of(images), grid_thw=grid).last_hidden_state
        cell = by_cells(seen, grid, model.config.vision_config).view(4, 6, 4, 32)[row, column]
        patches = s[4:6, 8:10].reshape(4, 20)
        normed = patches / (patches.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()
        first, _, second = spatial.transform
        hidden = gelu(normed * spatial.norm.weight @ first.weight.T + first.bias)
        fused = cell + hidden @ second.weight.T + second.bias  # ViT(v) + s'
        fused = fused / (fused.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()
        inner, _, outer = spatial.projector.mlp
        joined = (fused * spatial.projector.ln_q.weight).flatten()  # 2 x 2 patches to one token
        expected = gelu(joined @ inner.weight.T + inner.bias) @ outer.weight.T + outer.bias
    assert torch.allclose(found[0, row, column], expected, atol=1e-4)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("source", [VGGT, POINTS])
def test_before_training_each_spatial_token_equals_its_visual_token_exactly(plain, size, source):
    model = opened(plain, source)
    images = noise(3, 3, *size)
    values = noise(3 * size[0] * size[1] // 196, model.config.spatial_settings.channels)
    visual, spatial = both(model, images, values)
    assert visual.std() > 0.01
    assert torch.equal(visual, spatial)


def test_without_geometry_s_is_zero(plain):
    """Once trained, that is another thing than features of zero, which have a bias."""
    model = opened(plain, VGGT)
    train_away_from_start(model)
    images = noise(1, 3, 112, 112)
    _, off = both(model, images)
    _, zero = both(model, images, torch.zeros(64, 20))
    assert not torch.allclose(off, zero, atol=1e-3)
    with torch.no_grad():
        model.spatial.transform[-1].weight.zero_()
        model.spatial.transform[-1].bias.zero_()
    assert torch.equal(both(model, images, torch.ones(64, 20))[1], off)


def test_settings_are_checked():
    assert SSRConfig(spatial={"source": "vggt"}).spatial == {
        "source": "vggt",
        "layer": 22,
        "width": 2048,
        "insertion": "interleaved",
    }
    assert SSRConfig(spatial={"source": "points"}).spatial_settings.channels == 3
    for wrong, named in (
        ({"source": "lidar"}, "'lidar'"),
        ({"source": "vggt", "insertion": "random"}, "'random'"),
        ({"source": "vggt", "layers": 3}, "layers"),
        ({"source": "vggt", "layer": -1}, "-1"),
        ({"layer": 3}, "source"),
    ):
        with pytest.raises(ValueError, match=named):
            SSRConfig(spatial=wrong)


def encoder() -> PointMapEncoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return PointMapEncoder(16)


def test_unknown_points_leave_no_trace_of_nan():
    points = noise(2, 6, 8, 3)
    points[0, 2, 3] = NAN
    points[0, 4, 4, 1] = NAN  # one coordinate is enough
    points[1] = NAN
    points[0, 0, 0] = math.inf
    network = encoder()
    out = network(points)
    assert out.shape == (2, 6, 8, 16)
    assert out.isfinite().all()
    out.square().sum().backward()
    assert all(weight.grad.isfinite().all() for weight in network.parameters())
    # In a frame where nothing is known every cell that is not at its edge says the same.
    inner = out[1, 1:-1, 1:-1].flatten(0, 1)
    assert torch.allclose(inner, inner[:1].expand_as(inner), atol=1e-6)


def test_an_unknown_point_is_not_the_origin():
    points = noise(1, 5, 5, 3)
    at_origin, unknown = points.clone(), points.clone()
    at_origin[0, 2, 2] = 0.0
    unknown[0, 2, 2] = NAN
    out = encoder()(torch.cat([at_origin, unknown]))
    assert not torch.allclose(out[0, 2, 2], out[1, 2, 2], atol=1e-3)


def test_what_a_point_is_described_by():
    """A floor of 0.1 m per cell along x, one neighbour unknown: by hand."""
    points = torch.zeros(1, 3, 3, 3)
    points[..., 0] = 1.0 + 0.1 * torch.arange(3.0)
    points[0, 0, 2] = NAN
    described = describe(points)[0, 1, 1]
    x = described[:16]  # sines, then cosines, of x = 1.1 m at 0.25, 0.5, 1, ... m
    waves = torch.tensor([2 * math.pi * 1.1 / wave for wave in (0.25, 0.5, 1, 2, 4, 8, 16, 32)])
    assert torch.allclose(x, torch.cat([waves.sin(), waves.cos()]), atol=1e-4)
    offsets, known = described[48:75].view(9, 3), described[75:]
    assert known.tolist() == [1, 1, 0, 1, 1, 1, 1, 1, 1]
    step = math.asinh(1.0)  # 0.1 m
    across = [-step, 0, 0, -step, 0, step, -step, 0, step]
    assert torch.allclose(offsets[:, 0], torch.tensor(across), atol=1e-5)
    assert torch.equal(offsets[:, 1:], torch.zeros(9, 2))


def test_an_unknown_point_is_described_by_its_neighbours_being_known_alone():
    points = 5 + noise(1, 3, 3, 3)
    points[0, 1, 1] = NAN
    described = describe(points)[0, 1, 1]
    assert not described[:75].any()
    assert described[75:].tolist() == [1, 1, 1, 1, 0, 1, 1, 1, 1]


def test_local_shape_is_the_same_anywhere_even_in_half_precision():
    """3 cm steps 20 m away, where bfloat16 counts in steps of 12 cm."""
    points = 0.03 * noise(1, 5, 5, 3)
    near, far = describe(points)[..., 48:], describe(points + 20)[..., 48:]
    assert torch.allclose(near, far, atol=1e-3)
    network = encoder().to(torch.bfloat16)
    assert network(points + 20).dtype == torch.bfloat16
    assert not torch.allclose(network(points + 20), network(points * 0 + 20), atol=1e-2)


def test_points_of_a_patch_are_averaged():
    points = torch.arange(48.0).view(1, 4, 4, 3)
    points[0, 0, 0] = NAN  # three are left
    points[0, 2:, 2:] = NAN  # none is
    found = patch_points(points, 2, 2)
    expected = torch.stack([points[0, 0, 1], points[0, 1, 0], points[0, 1, 1]]).mean(0)
    assert torch.allclose(found[0, 0, 0], expected)
    assert torch.allclose(found[0, 0, 1], points[0, :2, 2:].flatten(0, 1).mean(0))
    assert found[0, 1, 1].isnan().all()


def test_points_count_by_the_area_they_share_with_a_patch():
    """Three cells over two patches, one value per cell."""
    points = torch.tensor([0.0, 3.0, 9.0]).view(1, 1, 3, 1).expand(1, 1, 3, 3)
    found = patch_points(points, 1, 2)
    assert torch.allclose(found[0, 0, :, 0], torch.tensor([1.0, 7.0]))  # (2*0 + 3)/3, (3 + 2*9)/3
    finer = patch_points(points, 2, 6)
    assert finer[0, 1, :, 0].tolist() == [0, 0, 3, 3, 9, 9]


def test_metric_points_line_up_with_patches():
    """The grid of a key frame, 48 x 64, on patches of an image of 336 x 448."""
    rows = torch.arange(48.0).view(48, 1).expand(48, 64)
    columns = torch.arange(64.0).expand(48, 64)
    points = torch.stack([rows, columns, torch.ones(48, 64)], dim=-1)[None]
    features = spatial_features(SpatialSettings("points"))
    assert isinstance(features, MetricPoints)
    maps = features.maps(Frames(torch.zeros(1, 3, 336, 448), points))
    assert maps.shape == (1, 24, 32, features.channels)
    assert maps[0, 5, 7].tolist() == [10.5, 14.5, 1.0]  # cells 10 and 11, 14 and 15
    with pytest.raises(ValueError, match="depth camera"):
        features.maps(Frames(torch.zeros(1, 3, 336, 448)))
    with pytest.raises(ValueError, match="450 x 336 pixels"):
        features.maps(Frames(torch.zeros(1, 3, 336, 450), points))
