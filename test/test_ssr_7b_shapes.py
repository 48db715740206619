"""SSR around the published Qwen2.5-VL-7B: what it adds, by names, shapes and counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from qwen_7b import BYTES, CONFIG, published_weights
from transformers import Qwen2_5_VLForConditionalGeneration

from spatial_vlm_ros.models.ssr import SSRConfig, SSRForConditionalGeneration

PLAIN = BYTES // 2

#: MLP_trans: the features' width to the 1280 of the vision tower. MLP_3D: four of them to 3584.
SAME = {
    "spatial.transform.0.bias": (1280,),
    "spatial.transform.2.weight": (1280, 1280),
    "spatial.transform.2.bias": (1280,),
    "spatial.projector.ln_q.weight": (1280,),
    "spatial.projector.mlp.0.weight": (5120, 5120),
    "spatial.projector.mlp.0.bias": (5120,),
    "spatial.projector.mlp.2.weight": (3584, 5120),
    "spatial.projector.mlp.2.bias": (3584,),
}
ADDED = {
    "vggt": SAME
    | {
        "spatial.norm.weight": (2048,),
        "spatial.transform.0.weight": (1280, 2048),
    },
    "points": SAME
    | {
        "spatial.points.point.weight": (256, 84),
        "spatial.points.point.bias": (256,),
        "spatial.points.around.weight": (256, 256, 3, 3),
        "spatial.points.around.bias": (256,),
        "spatial.points.out.weight": (256, 256),
        "spatial.points.out.bias": (256,),
        "spatial.norm.weight": (256,),
        "spatial.transform.0.weight": (1280, 256),
    },
}
PROJECTOR = 1280 + (5120 * 5120 + 5120) + (5120 * 3584 + 3584)  # 44 574 464
COUNTS = {
    "vggt": 2048 + (2048 * 1280 + 1280) + (1280 * 1280 + 1280) + PROJECTOR,
    "points": (84 * 256 + 256)
    + (9 * 256 * 256 + 256)
    + (256 * 256 + 256)
    + 256
    + (256 * 1280 + 1280)
    + (1280 * 1280 + 1280)
    + PROJECTOR,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("qwen-7b")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder


def shapes(model) -> dict[str, tuple[int, ...]]:
    return {name: tuple(weight.shape) for name, weight in model.named_parameters()}


def built(folder: Path, spatial) -> dict[str, tuple[int, ...]]:
    config = SSRConfig.from_pretrained(folder, spatial=spatial)
    with torch.device("meta"):
        return shapes(SSRForConditionalGeneration(config))


@pytest.fixture(scope="module")
def plain(folder) -> dict[str, tuple[int, ...]]:
    config = SSRConfig.from_pretrained(folder)
    with torch.device("meta"):
        return shapes(Qwen2_5_VLForConditionalGeneration(config))


def count(of: dict[str, tuple[int, ...]]) -> int:
    return sum(torch.Size(shape).numel() for shape in of.values())


def test_ssr_2d_has_the_published_weights_and_no_others(folder, plain):
    assert built(folder, None) == plain
    assert count(plain) == PLAIN


@pytest.mark.parametrize("source", ["vggt", "points"])
def test_ssr_3d_adds_only_its_spatial_branch(folder, plain, source):
    found = built(folder, {"source": source})
    assert {name: found.pop(name) for name in ADDED[source]} == ADDED[source]
    assert found == plain
    assert count(ADDED[source]) == COUNTS[source]


def test_the_branch_has_some_million_weights():
    assert COUNTS == {"vggt": 48_838_912, "points": 47_220_992}


@pytest.mark.parametrize("source", ["vggt", "points"])
def test_published_weights_fill_all_but_the_branch(folder, source):
    model, info = SSRForConditionalGeneration.from_pretrained(
        None,
        config=SSRConfig.from_pretrained(folder, spatial={"source": source}),
        state_dict=published_weights(),
        device_map="meta",
        dtype=torch.bfloat16,
        output_loading_info=True,
    )
    assert set(info["missing_keys"]) == ADDED[source].keys()
    assert not info["unexpected_keys"]
    assert not info["mismatched_keys"]
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}


def test_frames_have_as_many_tokens_as_the_paper_s(folder):
    """32 frames of 336 x 448: 192 tokens each, in both branches."""
    config = SSRConfig.from_pretrained(folder, spatial={"source": "vggt"})
    with torch.device("meta"):
        model = SSRForConditionalGeneration(config)
    tokens = model.frame_tokens(32, 24, 32)
    assert len(tokens) == 12288
    assert tokens[:384] == [151656] * 192 + [151654] * 192
