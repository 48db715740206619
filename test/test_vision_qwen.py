"""The vision tower of Qwen2.5-VL: its features are transformers' own, each in its place."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, save_file
from small_qwen import save_small_qwen
from transformers import Qwen2_5_VLForConditionalGeneration

from spatial_vlm_ros.config import EncoderConfig
from spatial_vlm_ros.vision.images import CLIP_MEAN, CLIP_STD, as_tensor, fit_size, resized
from spatial_vlm_ros.vision.qwen import QwenTower

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
CELL = 28


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """Not to be written to."""
    folder = tmp_path_factory.mktemp("checkpoints") / "small"
    save_small_qwen(folder)
    return folder


@pytest.fixture
def copy(small, tmp_path) -> Path:
    return Path(shutil.copytree(small, tmp_path / "copy"))


def opened(folder: Path | str, **settings) -> QwenTower:
    return QwenTower.open(EncoderConfig(checkpoint=str(folder), device="cpu", **settings))


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)


def write_json(path: Path, **changes) -> None:
    before = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**before, **changes}))


def rewrite(folder: Path, change) -> None:
    """Put what ``change`` makes of the dictionary of all weights into their place."""
    save_file(change(load((folder / WEIGHTS).read_bytes())), folder / WEIGHTS)


def slow_patches(rgb: np.ndarray, mean=CLIP_MEAN, std=CLIP_STD) -> torch.Tensor:
    """What the tower expects of an image whose sides are multiples of 28, value by value."""
    patches = []
    for row in range(0, rgb.shape[0], CELL):
        for column in range(0, rgb.shape[1], CELL):
            for top in (row, row + 14):
                for left in (column, column + 14):
                    patch = [
                        (rgb[top + y, left + x, colour] / 255 - mean[colour]) / std[colour]
                        for colour in range(3)
                        for _frame in range(2)
                        for y in range(14)
                        for x in range(14)
                    ]
                    patches.append(patch)
    return torch.tensor(patches, dtype=torch.float32)


def features_of_the_whole_model(folder: Path, patches: torch.Tensor, rows: int, columns: int):
    """(rows, columns, D) by transformers, with the language model beside it."""
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        grid = torch.tensor([[1, 2 * rows, 2 * columns]])
        found = model.model.visual(patches, grid_thw=grid).pooler_output
    return found.reshape(rows, columns, -1)


def test_features_are_those_of_the_whole_model(small):
    """5 x 6 cells: four windows of attention, three of them cut off by the border."""
    rgb = noise(5 * CELL, 6 * CELL)
    tower = opened(small)
    found = tower.encode(rgb)
    expected = features_of_the_whole_model(small, slow_patches(rgb), 5, 6)
    assert found.shape == (5, 6, 24)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert (tower.dimension, tower.cell) == (24, 28)


@pytest.mark.parametrize(("height", "width"), [(140, 168), (150, 201), (37, 300), (480, 640)])
def test_features_are_those_of_the_processor_and_the_model(small, height, width):
    pytest.importorskip("torchvision")
    from transformers import Qwen2VLImageProcessor

    rgb, pixels = noise(height, width), 200 * CELL**2
    processor = Qwen2VLImageProcessor.from_pretrained(small, min_pixels=3136, max_pixels=pixels)
    seen = processor(images=[torch.from_numpy(rgb).permute(2, 0, 1)], return_tensors="pt")
    _, rows, columns = (seen["image_grid_thw"][0] // 2).tolist()
    expected = features_of_the_whole_model(small, seen["pixel_values"], rows, columns)
    found = opened(small, pixels=pixels).encode(rgb)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_lit_square_changes_the_feature_in_its_place_most(small):
    """In 9 x 6 cells, of 3 x 2 windows of at most 4 x 4."""
    tower = opened(small)
    dark = np.full((9 * CELL, 6 * CELL, 3), 90, np.uint8)
    before = tower.encode(dark)
    for row, column in [(2, 3), (3, 4), (4, 3), (5, 1), (8, 5), (0, 5)]:
        lit = dark.copy()
        lit[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = 230
        change = (tower.encode(lit) - before).norm(dim=2)
        assert divmod(int(change.argmax()), 6) == (row, column)
        assert change[row, column] > 1.5 * change.flatten().sort().values[-2]


def test_a_lit_square_of_an_image_that_is_made_smaller(small):
    """448 x 672 pixels in 4 x 6 cells: the lit quarter of the width is columns 4.5 to 6."""
    tower = opened(small, pixels=4 * 6 * CELL**2)
    dark = np.full((448, 672, 3), 90, np.uint8)
    lit = dark.copy()
    lit[112:224, -168:] = 230
    change = (tower.encode(lit) - tower.encode(dark)).norm(dim=2)
    assert change.shape == (4, 6)
    assert {divmod(int(i), 6) for i in change.flatten().topk(2).indices} == {(1, 4), (1, 5)}


def test_weights_in_several_files(small, tmp_path):
    save_small_qwen(tmp_path, max_shard_size="50KB")
    shards = set(json.loads((tmp_path / INDEX).read_text())["weight_map"].values())
    assert len(shards) > 3
    rgb = noise(56, 84)
    assert torch.equal(opened(tmp_path).encode(rgb), opened(small).encode(rgb))


def test_the_language_model_is_not_read(small, tmp_path):
    save_small_qwen(tmp_path, max_shard_size="10KB")
    where = json.loads((tmp_path / INDEX).read_text())["weight_map"]
    needed = {where[name] for name in where if "visual." in name}
    others = set(where.values()) - needed
    assert others
    for shard in others:
        (tmp_path / shard).unlink()
    rgb = noise(56, 84)
    assert torch.equal(opened(tmp_path).encode(rgb), opened(small).encode(rgb))


def test_the_other_spelling_of_the_names(small, copy):
    rewrite(copy, lambda weights: {f"model.{name}": weights[name] for name in weights})
    rgb = noise(56, 84)
    assert torch.equal(opened(copy).encode(rgb), opened(small).encode(rgb))


def test_name_tells_weights_apart_and_not_files(small, copy, tmp_path):
    def digits(folder: Path) -> str:
        return opened(folder).name[-12:]

    name = opened(small).name
    assert name == f"small-{digits(small)}"
    assert set(digits(small)) <= set("0123456789abcdef")
    assert opened(copy).name == f"copy-{digits(small)}"
    save_small_qwen(tmp_path / "sharded", max_shard_size="50KB")
    assert digits(tmp_path / "sharded") == digits(small)
    rewrite(copy, lambda weights: {f"model.{name}": 2 * weights[name] for name in weights})
    doubled = digits(copy)
    rewrite(copy, lambda weights: {name: weights[name] / 2 for name in weights})
    assert digits(copy) == digits(small)
    write_json(copy / "preprocessor_config.json", image_mean=[0.5, 0.5, 0.5])
    other_mean = digits(copy)
    save_small_qwen(tmp_path / "seed", seed=1)
    assert len({digits(small), doubled, other_mean, digits(tmp_path / "seed")}) == 4


def test_the_language_model_does_not_change_the_name(small, copy):
    rewrite(copy, lambda weights: weights | {"lm_head.weight": 2 * weights["lm_head.weight"]})
    assert opened(copy).name[-12:] == opened(small).name[-12:]


@pytest.mark.parametrize("model_type", ["proxy3d", "ssr"])
def test_models_built_on_qwen_have_its_tower(small, copy, model_type):
    """Whatever else is in their files."""
    write_json(copy / "config.json", model_type=model_type, position={"rotated": 2})
    rewrite(copy, lambda weights: weights | {"position.gate": torch.zeros(1)})
    rgb = noise(56, 84)
    assert torch.equal(opened(copy).encode(rgb), opened(small).encode(rgb))
    assert opened(copy).name[-12:] == opened(small).name[-12:]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_tower_that_is_loaded_already(small, copy, dtype):
    """Has the features and the name that it has when it is opened from its files."""
    rewrite(copy, lambda weights: {name: weights[name].to(dtype) for name in weights})
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(copy, dtype=torch.float32)
    tower = QwenTower.of(model.model.visual, "copy", 200 * CELL**2)
    rgb = noise(140, 168)
    assert torch.equal(tower.encode(rgb), opened(copy).encode(rgb))
    assert tower.name == opened(copy).name
    assert (tower.name[-12:] == opened(small).name[-12:]) == (dtype == torch.float32)
    model.model.visual.get_parameter(NORM.removeprefix("visual.")).data *= 2
    assert QwenTower.of(model.model.visual, "copy", 200 * CELL**2).name != tower.name


def test_a_loaded_tower_with_other_colours(small, copy):
    mean, std = (0.5, 0.4, 0.3), (0.5, 0.25, 0.125)
    write_json(copy / "preprocessor_config.json", image_mean=mean, image_std=std)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(copy, dtype=torch.float32)
    tower = QwenTower.of(model.model.visual, "copy", 10**6, (mean, std))
    rgb = noise(56, 84)
    assert torch.equal(tower.encode(rgb), opened(copy).encode(rgb))
    assert tower.name == opened(copy).name


def test_settings_that_say_no_more_do_not_change_the_name(small, copy):
    settings = json.loads((copy / "config.json").read_text())
    vision = settings["vision_config"] | {"spatial_patch_size": 14, "in_chans": 3}
    write_json(copy / "config.json", vision_config=vision)
    assert opened(copy).name[-12:] == opened(small).name[-12:]
    write_json(copy / "config.json", vision_config=vision | {"window_size": 56})
    assert opened(copy).name[-12:] != opened(small).name[-12:]


def test_mean_and_deviation_are_those_of_the_checkpoint(copy):
    mean, std = [0.5, 0.4, 0.3], [0.5, 0.25, 0.125]
    write_json(copy / "preprocessor_config.json", image_mean=mean, image_std=std)
    rgb = noise(56, 84)
    expected = features_of_the_whole_model(copy, slow_patches(rgb, mean, std), 2, 3)
    torch.testing.assert_close(opened(copy).encode(rgb), expected, rtol=1e-4, atol=1e-4)


def test_without_a_preprocessor_the_mean_is_that_of_clip(small, copy):
    (copy / "preprocessor_config.json").unlink()
    rgb = noise(56, 84)
    assert torch.equal(opened(copy).encode(rgb), opened(small).encode(rgb))


def test_weights_of_sixteen_bits(small):
    """The rotary frequencies keep 32: rounded, they would change places beyond the 256th."""
    rgb = noise(56, 30 * CELL)
    exact = opened(small).encode(rgb)
    found = opened(small, dtype="bfloat16").encode(rgb)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(small, dtype=torch.bfloat16)
    with torch.no_grad():
        grid = torch.tensor([[1, 4, 60]])
        expected = model.model.visual(slow_patches(rgb), grid_thw=grid).pooler_output
    assert found.dtype == torch.float32
    assert torch.equal(found, expected.float().reshape(2, 30, -1))
    assert 0 < (found - exact).norm() < 0.05 * exact.norm()


def test_any_image_of_bytes_is_taken(small):
    """Read-only, upside down, of odd sides: the size of the map follows from the image's."""
    tower = opened(small)
    rgb = noise(61, 99)
    assert tower.encode(rgb).shape == (2, 4, 24)
    seen = tower.encode(np.ascontiguousarray(rgb[::-1, ::-1, ::-1]))
    assert torch.equal(tower.encode(rgb[::-1, ::-1, ::-1]), seen)
    rgb.flags.writeable = False
    assert torch.equal(tower.encode(rgb), tower.encode(rgb.copy()))
    assert tower.encode(noise(1, 1)).shape == (2, 2, 24)
    assert tower.encode(noise(3, 600)).shape == (1, 29, 24)


def test_features_can_be_written_to_and_learnt_from(small):
    features = opened(small).encode(noise(56, 84))
    features += 1.0
    scale = torch.ones(24, requires_grad=True)
    (features * scale).sum().backward()
    torch.testing.assert_close(scale.grad, features.sum((0, 1)))


@pytest.mark.parametrize(
    "rgb",
    [
        np.zeros((56, 56), np.uint8),
        np.zeros((56, 56, 1), np.uint8),
        np.zeros((56, 56, 4), np.uint8),
        np.zeros((56, 56, 3), np.float32),
        np.zeros((0, 56, 3), np.uint8),
    ],
    ids=lambda rgb: f"{rgb.shape}-{rgb.dtype}",
)
def test_what_is_no_image_is_refused(small, rgb):
    with pytest.raises(ValueError, match=r"not \(H, W, 3\) and uint8"):
        opened(small).encode(rgb)


def test_a_ribbon_is_refused(small):
    with pytest.raises(ValueError, match="201 x 1 pixels"):
        opened(small).encode(noise(1, 201))


@pytest.mark.parametrize(
    ("image", "pixels", "expected"),
    [
        ((448, 588), 448 * 588, (448, 588)),
        ((480, 640), 448 * 588, (420, 588)),  # / sqrt(307200 / 263424): 444.5 and 592.7
        ((480, 640), 10**6, (476, 644)),  # 17.1 and 22.9 cells
        ((70, 98), 10**6, (56, 112)),  # 2.5 and 3.5 cells: halves go to the even neighbour
        ((10, 10), 10**6, (56, 56)),  # to four cells
        ((14, 560), 10**6, (28, 364)),  # no cell high: * sqrt(3136 / 7840), 8.9 and 354.2
        ((28, 5600), 3136, (28, 784)),  # / sqrt(50): 3.96, kept at a cell, and 791.96
        ((5600, 28), 3136, (784, 28)),
    ],
)
def test_size_by_hand(image, pixels, expected):
    assert fit_size(*image, CELL, pixels) == expected


def test_size_of_other_cells():
    assert fit_size(100, 200, 32, 10**6) == (96, 192)
    assert fit_size(100, 200, 32, 96 * 96) == (64, 128)


def cubic_shares(before: int, after: int) -> np.ndarray:
    """(after, before) share of each old pixel in each new one: Keys' cubic, wider to shrink."""
    stretch = max(1.0, before / after)
    old, new = np.arange(before) + 0.5, (np.arange(after) + 0.5) * before / after
    x = np.abs(old - new[:, None]) / stretch
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    share = np.where(x < 1, near, np.where(x < 2, far, 0.0))
    return share / share.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("size", [(56, 84), (28, 140), (84, 168)])
def test_resizing_is_bicubic_and_smooths_what_shrinks(size):
    """Within rounding twice of the sum over all pixels; without smoothing up to 73 off."""
    rgb = noise(73, 150) // 2 + 64  # no sum is beyond 0..255
    rows, columns = cubic_shares(73, size[0]), cubic_shares(150, size[1])
    expected = np.einsum("ij,jlc,kl->cik", rows, rgb.astype(float), columns, optimize=True)
    found = resized(as_tensor(rgb), size)
    assert found.dtype == torch.uint8
    assert np.abs(found.numpy() - expected).max() < 1.5


def test_size_that_is_right_is_kept():
    image = as_tensor(noise(56, 84))
    assert torch.equal(resized(image, (56, 84)), image)


def test_missing_folder():
    with pytest.raises(
        ValueError, match=r"no folder /no/such; .* spatial-vlm fetch-models /no/such"
    ):
        opened("/no/such")


def test_hub_name_is_looked_up_on_this_machine_only(small, tmp_path, monkeypatch):
    def refuse(*_args, **_named):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ValueError, match=r"fetch it first: spatial-vlm fetch-models acme/tiny$"):
        opened("acme/tiny")
    repository = tmp_path / "models--acme--tiny"
    revision = "0123456789abcdef0123456789abcdef01234567"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(revision)
    snapshot = shutil.copytree(small, repository / "snapshots" / revision)
    assert opened("acme/tiny").name == opened(small).name.replace("small", "tiny")
    (snapshot / WEIGHTS).unlink()
    with pytest.raises(
        ValueError, match=rf"{WEIGHTS} is missing; .*: spatial-vlm fetch-models acme/tiny$"
    ):
        opened("acme/tiny")


def test_missing_files_are_named(copy, tmp_path):
    (copy / WEIGHTS).unlink()
    with pytest.raises(ValueError, match=rf"copy/{WEIGHTS} is missing"):
        opened(copy)
    (copy / "config.json").unlink()
    with pytest.raises(ValueError, match=r"copy/config\.json is missing"):
        opened(copy)
    sharded = tmp_path / "sharded"
    save_small_qwen(sharded, max_shard_size="50KB")
    where = json.loads((sharded / INDEX).read_text())["weight_map"]
    shard = next(where[name] for name in where if "visual." in name)
    (sharded / shard).unlink()
    with pytest.raises(ValueError, match=f"{shard} is missing"):
        opened(sharded)


def test_pickles_are_refused(copy):
    (copy / WEIGHTS).rename(copy / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"pytorch_model\.bin can run any program"):
        opened(copy)


def test_another_model_is_refused(copy):
    write_json(copy / "config.json", model_type="qwen2_vl")
    with pytest.raises(ValueError, match="has model_type qwen2_vl, not qwen2_5_vl"):
        opened(copy)


@pytest.mark.parametrize("file", ["config.json", WEIGHTS])
def test_damaged_files_are_named(copy, file):
    whole = (copy / file).read_bytes()
    (copy / file).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=rf"copy/{file} is"):
        opened(copy)


NORM = "visual.blocks.1.norm1.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: {name: w[name] for name in w if name != NORM}, f"1 tensors .* missing.* {NORM}"),
        (
            lambda w: w | {"visual.pos.weight": w[NORM].clone()},
            r"not known, first visual\.pos\.",
        ),
        (lambda w: w | {NORM: w[NORM][:7].clone()}, rf"{NORM} has shape \(7,\), not \(32,\)"),
        (lambda w: w | {f"model.{NORM}": w[NORM].clone()}, f"has a second tensor .*{NORM}"),
    ],
    ids=["missing", "unknown", "shape", "twice"],
)
def test_wrong_weights_are_named(copy, change, message):
    rewrite(copy, change)
    with pytest.raises(ValueError, match=message):
        opened(copy)


@pytest.mark.parametrize("device", ["cuda:99", "abacus", "meta"])
def test_missing_device(small, device):
    with pytest.raises(ValueError, match=f"device {device} .* set device to auto or cpu"):
        QwenTower.open(EncoderConfig(checkpoint=str(small), device=device))


@pytest.mark.skipif(torch.cuda.is_available(), reason="auto is the GPU")
def test_auto_is_the_cpu_in_full_precision(small):
    tower = QwenTower.open(EncoderConfig(checkpoint=str(small)))
    rgb = noise(56, 84)
    assert torch.equal(tower.encode(rgb), opened(small, dtype="float32").encode(rgb))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_auto_is_the_gpu(small):
    rgb = noise(140, 168)
    found = QwenTower.open(EncoderConfig(checkpoint=str(small), device="auto")).encode(rgb)
    assert found.device.type == "cuda"
    exact = opened(small).encode(rgb)
    assert (found.cpu() - exact).norm() < 0.05 * exact.norm()
