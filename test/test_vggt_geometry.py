"""VGGT's own code, small and with random weights: what is opened, kept, and handed on."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from small_vggt import save_small_vggt, small_vggt

from spatial_vlm_ros.frame import Frame, Intrinsics
from spatial_vlm_ros.geometry.config import GeometryConfig, VggtConfig
from spatial_vlm_ros.geometry.vggt import Vggt, seen_size
from spatial_vlm_ros.geometry.windows import VggtGeometry
from spatial_vlm_ros.models.spatial_features import Frames
from spatial_vlm_ros.models.vggt_aggregator import only
from spatial_vlm_ros.models.vggt_tokens import VggtTokens
from spatial_vlm_ros.settings import check
from spatial_vlm_ros.vision.images import as_tensor, resized

CONFIG = {"device": "cpu", "width": 84}


@pytest.fixture(scope="module")
def parts():
    """VGGT's aggregator, camera head and depth head."""
    return small_vggt()


@pytest.fixture
def checkpoint(parts, tmp_path):
    return save_small_vggt(tmp_path, parts)


def images(count: int, height: int = 100, width: int = 126) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (height, width, 3)).astype(np.uint8) for _ in range(count)]


def test_images_are_seen_whole_in_multiples_of_14():
    assert seen_size(480, 640, 518) == (392, 518)  # 388.5 rows of 27.75 patches: 28
    assert seen_size(720, 1280, 518) == (294, 518)
    assert seen_size(960, 540, 518) == (924, 518)  # upright
    assert seen_size(20, 2000, 518) == (14, 518)


def test_one_pass_gives_what_vggt_itself_gives(parts):
    aggregator, camera_head, depth_head = parts
    given = images(3)
    seen = torch.stack([resized(as_tensor(image), (70, 84)) for image in given]).float()[None] / 255
    with torch.no_grad():
        layers, first = aggregator(seen)
        depth, confidence = depth_head(layers, seen, first)
        encoded = camera_head(layers)[-1][0].numpy()
    said = Vggt(*parts, VggtConfig(**CONFIG)).predict(given)
    assert seen_size(100, 126, 84) == (70, 84)
    assert np.allclose(said.depth, depth[0, ..., 0], rtol=1e-5)
    assert np.allclose(said.confidence, confidence[0], rtol=1e-5)
    assert said.confidence.min() >= 1
    assert said.depth.dtype == np.float32
    assert said.features is None
    # Translation, quaternion x y z w, field of view over the height and over the width.
    assert np.allclose(said.intrinsics[:, 1, 1], 35 / np.tan(encoded[:, 7] / 2), rtol=1e-4)
    assert np.allclose(said.intrinsics[:, 0, 0], 42 / np.tan(encoded[:, 8] / 2), rtol=1e-4)
    T = [_pose(*encoded[k, :7]) for k in range(3)]
    for k in range(3):
        assert np.allclose(said.T_window_camera[k], T[0] @ np.linalg.inv(T[k]), atol=1e-5)
    assert np.allclose(said.T_window_camera[0], np.eye(4), atol=1e-6)


def _pose(x, y, z, i, j, k, r) -> np.ndarray:
    """(4, 4) T_camera_world, by a turn with a quaternion that need not be of length 1."""
    i, j, k, r = np.array([i, j, k, r], float) / np.linalg.norm([i, j, k, r])
    T = np.eye(4)
    T[:3, 0] = 1 - 2 * (j * j + k * k), 2 * (i * j + k * r), 2 * (i * k - j * r)
    T[:3, 1] = 2 * (i * j - k * r), 1 - 2 * (i * i + k * k), 2 * (j * k + i * r)
    T[:3, 2] = 2 * (i * k + j * r), 2 * (j * k - i * r), 1 - 2 * (i * i + j * j)
    T[:3, 3] = x, y, z
    return T


@pytest.mark.parametrize("layer", [1, 4, 5])
def test_features_are_those_of_the_spatial_branch_on_the_same_images(parts, layer):
    given = images(3, 98, 126)
    said = Vggt(*parts, VggtConfig(**CONFIG | {"width": 126}), layer).predict(given)
    frames = Frames(torch.stack([as_tensor(image) for image in given]) / 255)
    maps = VggtTokens(parts[0], layer, width=64).maps(frames)
    assert maps.shape == (3, 7, 9, 64)
    assert torch.equal(said.features, maps)


def test_only_layers_that_are_read_are_kept(parts):
    listed = []
    hook = parts[0].register_forward_hook(lambda _module, _args, out: listed.extend(out[0]))
    network = Vggt(*parts, VggtConfig(**CONFIG), layer=1)
    network.predict(images(2))
    hook.remove()
    assert network.layers == {0, 1, 2, 3, 5}
    kept = 2 * (5 + 5 * 6) * 64
    assert [layer.numel() for layer in listed] == [kept, kept, kept, kept, 0, kept]
    held = sum(layer.untyped_storage().nbytes() for layer in listed)
    assert held == 5 * kept * 4  # nor does an empty layer hold on to a full one
    with torch.no_grad(), only(parts[0], {2}):
        assert [layer.numel() > 0 for layer in parts[0](torch.zeros(1, 1, 3, 28, 28))[0]] == [
            False, False, True,
        ]  # fmt: skip


def test_long_windows_pass_the_depth_head_in_parts(parts):
    sizes = []
    hook = (
        parts[2]
        .projects[0]
        .register_forward_hook(lambda _module, args, _out: sizes.append(len(args[0])))
    )
    whole = Vggt(*parts, VggtConfig(**CONFIG)).predict(images(11))
    hook.remove()
    assert sizes == [8, 3]
    assert whole.depth.shape == (11, 70, 84)


def test_a_checkpoint_is_read_without_its_other_heads(checkpoint, parts):
    config = VggtConfig(checkpoint=str(checkpoint), **CONFIG)
    opened = Vggt.open(config, layer=4)
    assert opened.layers == {0, 2, 3, 4, 5}
    expected = Vggt(*parts, config, layer=4).predict(images(2))
    said = opened.predict(images(2))
    # init_values is 0.01 in the file's settings and 1 here: weights win.
    assert np.array_equal(said.depth, expected.depth)
    assert np.array_equal(said.T_window_camera, expected.T_window_camera)
    assert torch.equal(said.features, expected.features)


def test_the_published_settings_make_the_published_heads(monkeypatch):
    """config.json of facebook/VGGT-1B names no head: VGGT's own sizes count."""
    head = pytest.importorskip("vggt.heads.dpt_head").DPTHead
    from spatial_vlm_ros.geometry.vggt import _read

    class Deep:
        frame_blocks = range(24)

    assert _read(head, Deep()) == [4, 11, 17, 23]


def test_what_does_not_fit_is_said(checkpoint, parts, monkeypatch):
    config = VggtConfig(checkpoint=str(checkpoint), **CONFIG)
    with pytest.raises(ValueError, match="layer 6 of a VGGT with 6"):
        Vggt.open(config, layer=6)
    with pytest.raises(ValueError, match="of one size"):
        Vggt.open(config).predict([*images(1), *images(1, 98, 126)])
    weights = {f"aggregator.{name}": t for name, t in parts[0].state_dict().items()}
    save_file(weights, checkpoint / "model.safetensors")
    with pytest.raises(ValueError, match="token_norm"):
        Vggt.open(config)
    with pytest.raises(ValueError, match="multiple of 14"):
        check(VggtConfig(width=500))
    with pytest.raises(ValueError, match="overlap: 4 is not less than window"):
        check(VggtConfig(window=4))


def test_without_the_package_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "vggt", None)
    monkeypatch.setitem(sys.modules, "vggt.models.aggregator", None)
    with pytest.raises(ValueError, match=r"pip install git\+https://github.com/facebookresearch/"):
        Vggt.open(VggtConfig(device="cpu"))


def test_lower_precision_is_of_the_aggregator_alone(checkpoint):
    exact = Vggt.open(VggtConfig(checkpoint=str(checkpoint), **CONFIG), layer=3)
    lower = Vggt.open(VggtConfig(checkpoint=str(checkpoint), dtype="bfloat16", **CONFIG), layer=3)
    seen = []
    lower._camera.register_forward_pre_hook(lambda _module, args: seen.append(args[0][-1].dtype))
    one, other = exact.predict(images(2)), lower.predict(images(2))
    assert seen == [torch.float32]
    assert not np.array_equal(one.depth, other.depth)
    assert np.median(np.abs(np.log(one.depth / other.depth))) < 0.05


def test_windows_of_vggts_own_code_come_out_of_the_geometry(checkpoint):
    """Random weights know nothing of the world; that images go in and frames come out is shown."""
    network = Vggt.open(VggtConfig(checkpoint=str(checkpoint), **CONFIG))
    vggt = VggtConfig(window=6, overlap=2, view_overlap=1.0, **CONFIG)
    geometry = VggtGeometry(GeometryConfig(source="vggt", poses="images", vggt=vggt), network, None)
    complete = []
    for number, image in enumerate(images(10)):
        camera = Intrinsics(126, 100, 90.0, 90.0, 62.5, 49.5)
        geometry.offer(Frame(10**9 * number, image, None, camera, None))
        while geometry.compute():
            pass
        complete += list(iter(geometry.take, None))
    windows, dropped = geometry.values()["windows"].split(", ")
    assert int(windows) + int(dropped.split()[0]) >= 2
    for frame in complete:
        assert frame.depth.shape == (100, 126)
        assert frame.T_fixed_camera is not None
        assert frame.scale_spread == np.inf
