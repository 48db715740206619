"""Metric depth by networks: equal to transformers, end to end, and as a source of geometry."""

from __future__ import annotations

import json
import math
import shutil
import socket
import threading
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from small_depth_models import DPT, PRO, ZOE, save_depth_anything, save_depth_pro, save_zoedepth
from torch.nn.functional import interpolate
from transformers import AutoModelForDepthEstimation, DepthProForDepthEstimation
from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil
from transformers.models.zoedepth import image_processing_pil_zoedepth as zoe_module

from spatial_vlm_ros.frame import Frame, Intrinsics
from spatial_vlm_ros.geometry.config import GeometryConfig, MetricDepthConfig
from spatial_vlm_ros.geometry.depth_networks import DepthAnything, DepthPro, ZoeDepth
from spatial_vlm_ros.geometry.metric_depth import MetricDepth, MetricDepthGeometry

SIZES = [(120, 160), (480, 640), (97, 131), (50, 40), (1080, 1920)]


def image(height: int = 120, width: int = 160, seed: int = 0) -> np.ndarray:
    """Smooth colours with an edge in it."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    rgb = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    rgb[height // 3 : height // 2, width // 4 : width // 2] = (250, 10, 60)
    return rgb


def camera(height: int = 120, width: int = 160, fx: float = 140.0) -> Intrinsics:
    return Intrinsics(width, height, fx, fx, width / 2 - 0.5, height / 2 - 0.5)


def tensor(rgb: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(rgb).permute(2, 0, 1)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("depth")
    return {
        "depth_anything": save_depth_anything(folder / "anything"),
        "zoedepth": save_zoedepth(folder / "zoe"),
        "depth_pro": save_depth_pro(folder / "pro"),
    }


def opened(folder: Path, **settings: str) -> MetricDepth:
    return MetricDepth.open(MetricDepthConfig(str(folder), **{"device": "cpu", **settings}))


# --- equal to transformers ----------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("change", [{}, {"keep_aspect_ratio": False}, {"resample": 2}])
def test_depth_anything_sees_what_transformers_shows_it(size, change) -> None:
    """Pillow rounds between its two passes: the two differ by a grey level here and there."""
    settings = DPT | {"size": {"height": 518, "width": 518}} | change
    rgb = image(*size)
    ours = DepthAnything(settings).inputs(tensor(rgb))[0].numpy()
    theirs = DPTImageProcessorPil(**settings)(images=rgb, return_tensors="np")["pixel_values"][0]
    assert ours.shape == theirs.shape
    grey = np.abs(ours - theirs) * np.array(DPT["image_std"])[:, None, None] * 255
    assert grey.max() < 2.01 and grey.mean() < 0.03


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("change", [{}, {"keep_aspect_ratio": False}, {"do_pad": False}])
def test_zoedepth_sees_what_transformers_shows_it(size, change) -> None:
    settings = ZOE | {"size": {"height": 384, "width": 512}} | change
    rgb = image(*size)
    ours = ZoeDepth(settings).inputs(tensor(rgb))[0].numpy()
    processor = zoe_module.ZoeDepthImageProcessorPil(**settings)
    theirs = processor(images=rgb, return_tensors="np")["pixel_values"][0]
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=2e-5)


@pytest.mark.parametrize("size", SIZES)
def test_depth_pro_sees_what_transformers_shows_it(size) -> None:
    """Its processor needs torchvision; in torch it says: values, then bilinear, not smoothed."""
    settings = PRO | {"size": {"height": 1536, "width": 1536}}
    rgb = image(*size)
    values = (tensor(rgb).double() / 255 - 0.5) / 0.5
    theirs = interpolate(values[None], (1536, 1536), mode="bilinear", align_corners=False)
    ours = DepthPro(settings).inputs(tensor(rgb))
    assert float((ours - theirs).abs().max()) < 1e-4  # a grey level is 0.008


def in_torch(values, size, interpolation, antialias):
    """What torchvision's resize does with floats."""
    assert interpolation == "bicubic" and not antialias
    return interpolate(values[None], size, mode="bicubic", align_corners=False)[0]


@pytest.mark.parametrize("kind", ["depth_anything", "zoedepth"])
@pytest.mark.parametrize("size", SIZES[:4])
def test_the_output_means_what_transformers_makes_of_it(saved, kind, size, monkeypatch) -> None:
    torchvision = SimpleNamespace(
        resize=in_torch, InterpolationMode=SimpleNamespace(BICUBIC="bicubic")
    )
    monkeypatch.setattr(zoe_module, "tvF", torchvision, raising=False)
    model = AutoModelForDepthEstimation.from_pretrained(saved[kind]).eval()
    ours = opened(saved[kind]).depth(image(*size), camera(*size))
    if kind == "zoedepth":
        processor = zoe_module.ZoeDepthImageProcessorPil(**ZOE)
        shown = processor(images=image(*size), return_tensors="pt")["pixel_values"]
    else:
        processor = DPTImageProcessorPil(**DPT)
        shown = DepthAnything(DPT).inputs(tensor(image(*size)))
    with torch.no_grad():
        output = model(pixel_values=shown)
    theirs = processor.post_process_depth_estimation(output, [size])[0]["predicted_depth"].numpy()
    assert ours.shape == size and np.ptp(theirs) > 0.01
    np.testing.assert_allclose(ours, np.maximum(theirs, 0), rtol=1e-4, atol=1e-5)


def test_depth_anything_by_pillow_is_nearly_the_same(saved) -> None:
    model = AutoModelForDepthEstimation.from_pretrained(saved["depth_anything"]).eval()
    processor = DPTImageProcessorPil(**DPT)
    with torch.no_grad():
        output = model(**processor(images=image(), return_tensors="pt"))
    theirs = processor.post_process_depth_estimation(output, [(120, 160)])[0]["predicted_depth"]
    ours = opened(saved["depth_anything"]).depth(image(), camera())
    assert np.abs(ours - theirs.numpy()).mean() < 0.01 * float(theirs.mean())


@pytest.mark.parametrize("size", SIZES[:3])
def test_depth_pro_with_the_focal_length_that_it_guesses(saved, size) -> None:
    """Then it is what transformers makes of it; with another one depth grows like it."""
    model = DepthProForDepthEstimation.from_pretrained(saved["depth_pro"]).eval()
    rgb, width = image(*size), size[1]
    with torch.no_grad():
        output = model(pixel_values=DepthPro(PRO).inputs(tensor(rgb)))
    field_of_view = math.radians(abs(float(output.field_of_view)) + 40)
    focal = 0.5 * width / math.tan(field_of_view / 2)
    inverse = output.predicted_depth * width / focal
    inverse = interpolate(inverse[None], size, mode="bilinear")[0, 0]
    theirs = 1 / torch.clamp(inverse, 1e-4, 1e4)
    network = opened(saved["depth_pro"])
    ours = network.depth(rgb, camera(*size, fx=focal))
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-4)
    longer = network.depth(rgb, camera(*size, fx=3 * focal))
    near = ours < 1000
    assert np.mean(near) > 0.3
    np.testing.assert_allclose(longer[near], 3 * ours[near], rtol=1e-4)


def test_depth_pro_by_hand() -> None:
    """An inverse depth of 0.5 at one width of focal length: 2 m; at half of it 1 m."""
    output = torch.full((1, 8, 8), 0.5)
    assert torch.allclose(DepthPro(PRO).metres(output, camera(60, 80, 80.0)), torch.tensor(2.0))
    assert torch.allclose(DepthPro(PRO).metres(output, camera(60, 80, 40.0)), torch.tensor(1.0))


# --- checkpoints --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["depth_anything", "zoedepth", "depth_pro"])
def test_end_to_end(saved, kind, monkeypatch) -> None:
    def refuse(*_asked: object) -> None:
        raise OSError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    network = opened(saved[kind])
    depth = network.depth(image(), camera())
    assert depth.shape == (120, 160) and depth.dtype == np.float32
    assert np.all(np.isfinite(depth)) and np.all(depth >= 0) and np.mean(depth > 0) > 0.9
    assert np.array_equal(depth, network.depth(image(), camera()))
    assert not np.array_equal(depth, network.depth(image(seed=1), camera()))
    rough = opened(saved[kind], dtype="bfloat16").depth(image(), camera())
    near = (depth > 0) & (depth < 30)
    assert np.median(np.abs(np.log(rough[near] / depth[near]))) < 0.05
    with pytest.raises(ValueError, match="an image is 100x80, its camera 160x120"):
        network.depth(image(80, 100), camera())


def test_what_the_field_of_view_is_guessed_with_is_not_loaded(saved) -> None:
    network = opened(saved["depth_pro"])
    assert network._network.fov_model is None


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"model_type": "dpt"}, "has model_type dpt, which is none of depth_anything, depth_pro"),
        ({"model_type": "prompt_depth_anything"}, "needs a depth camera's image too"),
        ({"depth_estimation_type": "relative"}, "sees which things are nearer, not how many"),
    ],
)
def test_networks_that_give_no_metres_are_refused(saved, tmp_path, settings, why) -> None:
    folder = shutil.copytree(saved["depth_anything"], tmp_path / "other")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | settings))
    with pytest.raises(ValueError, match=why) as error:
        opened(folder)
    assert "Depth-Anything-V2-Metric-Indoor-Small-hf" in str(error.value)


def test_checkpoints_that_are_not_whole(saved, tmp_path) -> None:
    with pytest.raises(ValueError, match="metric_depth.checkpoint is not set"):
        MetricDepth.open(MetricDepthConfig())
    with pytest.raises(ValueError, match="spatial-vlm fetch-models nobody/nothing"):
        MetricDepth.open(MetricDepthConfig("nobody/nothing"))
    with pytest.raises(ValueError, match=r"device cuda:7 of metric depth is not on this machine"):
        opened(saved["depth_anything"], device="cuda:7")
    folder = shutil.copytree(saved["depth_anything"], tmp_path / "a")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ValueError, match=r"preprocessor_config\.json is missing"):
        opened(folder)
    folder = shutil.copytree(saved["depth_anything"], tmp_path / "b")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match="can run any program"):
        opened(folder)
    folder = shutil.copytree(saved["depth_anything"], tmp_path / "c")
    weights = load_file(folder / "model.safetensors")
    save_file(
        {k: v for k, v in weights.items() if "head" not in k},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    with pytest.raises(ValueError, match="weights are missing, first head"):
        opened(folder)


def test_no_depth_at_all_is_an_error(saved, monkeypatch) -> None:
    network = opened(saved["depth_anything"])
    nothing = SimpleNamespace(predicted_depth=torch.full((1, 70, 98), torch.nan))
    monkeypatch.setattr(network._network, "forward", lambda **_: nothing)
    with pytest.raises(RuntimeError, match="gave no depth"):
        network.depth(image(), camera())


# --- frames -------------------------------------------------------------------------------------


class Metres:
    """Says the stamp of a frame, which its image holds, as depth; fails where told."""

    def __init__(self) -> None:
        self.fails: Exception | None = None
        self.seen: list[int] = []
        self.inside, self.go = threading.Event(), threading.Event()
        self.go.set()

    def depth(self, rgb: np.ndarray, intrinsics: Intrinsics) -> np.ndarray:
        self.seen.append(int(rgb[0, 0, 0]))
        self.inside.set()
        assert self.go.wait(5)
        if self.fails is not None:
            raise self.fails
        return np.full(rgb.shape[:2], rgb[0, 0, 0], np.float32)


def frame(stamp: int) -> Frame:
    T = np.eye(4)
    T[0, 3] = stamp
    return Frame(stamp, np.full((12, 16, 3), stamp, np.uint8), None, camera(12, 16), T)


CONFIG = GeometryConfig("metric_depth", metric_depth=MetricDepthConfig("x", spread=0.07))


def test_frames_get_depth_and_spread() -> None:
    source = MetricDepthGeometry(CONFIG, Metres())
    assert source.take() is None and not source.compute()
    source.offer(frame(3))
    assert source.take() is None
    assert source.compute() and not source.compute()
    taken = source.take()
    assert taken is not None and source.take() is None
    assert taken.stamp_ns == 3 and np.all(taken.depth == 3)
    assert taken.scale_spread == 0.07
    np.testing.assert_array_equal(taken.T_fixed_camera, frame(3).T_fixed_camera)


def test_the_newest_frame_wins_and_nothing_piles_up() -> None:
    network = Metres()
    source = MetricDepthGeometry(CONFIG, network)
    for stamp in range(1, 6):
        source.offer(frame(stamp))
    assert source.compute() and not source.compute()
    assert network.seen == [5]
    assert source.values()["frames passed over"] == "4"
    for stamp in range(10, 40):
        source.offer(frame(stamp))
        source.compute()
    taken = []
    while (one := source.take()) is not None:
        taken.append(one.stamp_ns)
    assert taken == [36, 37, 38, 39]
    values = source.values()
    assert int(values["frames passed over"]) + len(taken) == 5 + 30
    source.finish()
    assert not source.compute()


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (torch.OutOfMemoryError("CUDA out of memory.\nmore"), "CUDA out of memory."),
        (RuntimeError("gave no depth"), "gave no depth"),
        (ValueError(""), "ValueError"),
    ],
)
def test_a_failure_costs_one_frame(error, why) -> None:
    network = Metres()
    source = MetricDepthGeometry(CONFIG, network)
    network.fails = error
    source.offer(frame(1))
    assert source.compute()
    assert source.take() is None
    assert source.problem == f"metric depth of an image failed: {why}"
    network.fails = None
    source.offer(frame(2))
    assert source.compute()
    assert source.problem == ""
    assert source.take().stamp_ns == 2
    assert source.values()["frames that failed"] == "1"


def test_the_stream_goes_on_beside_it_and_a_reset_is_heard() -> None:
    network = Metres()
    source = MetricDepthGeometry(CONFIG, network)
    network.go.clear()
    source.offer(frame(1))
    worker = threading.Thread(target=source.compute)
    worker.start()
    assert network.inside.wait(5)
    source.offer(frame(2))  # neither waits for the network
    assert source.take() is None
    source.reset()
    source.offer(frame(3))
    network.go.set()
    worker.join(5)
    assert source.take() is None  # the frame from before the reset
    assert source.compute()
    assert source.take().stamp_ns == 3 and network.seen == [1, 3]


def test_a_real_network_as_the_source(saved) -> None:
    source = MetricDepthGeometry(CONFIG, opened(saved["depth_anything"]))
    source.offer(Frame(1, image(), None, camera(), np.eye(4)))
    assert source.compute()
    taken = source.take()
    assert taken is not None and taken.depth.shape == (120, 160) and not source.problem
