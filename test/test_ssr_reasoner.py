"""SSR as a reasoner: keyframes of any kind as its model gets them."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hand_built_room import room
from opened_models import keyframe, model_of, opened, saved
from small_vlm import save_small_vlm

from spatial_vlm_ros.keyframes import Keyframe
from spatial_vlm_ros.models.ssr import SSRForConditionalGeneration
from spatial_vlm_ros.reasoners.config import ModelConfig
from spatial_vlm_ros.reasoners.opening import ReasonersConfig, open_reasoner
from spatial_vlm_ros.reasoning.answer import Cancelled, Listener, Reasoner, Seen

QUESTION = "What do you see?"
CELLS = 12, 16  # of 28 x 28 pixels in the images of these tests


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("ssr") / "plain"
    save_small_vlm(folder)
    return folder


@pytest.fixture(scope="module")
def reasoner(plain: Path) -> Reasoner:
    torch.manual_seed(0)
    model = SSRForConditionalGeneration.from_pretrained(plain, spatial={"source": "points"})
    torch.nn.init.normal_(model.spatial.transform[-1].weight)  # as if it were trained
    return opened("ssr", saved(model, plain, plain.parent / "ssr"), max_tokens=4)


def tokens(reasoner: Reasoner, *keyframes: Keyframe) -> tuple[torch.Tensor, torch.Tensor]:
    """What the model gets of these: visual tokens (n, D), spatial ones (n, D)."""
    answer = reasoner.ask(QUESTION, room(), Seen(keyframes=keyframes))
    assert answer.reasoner == "ssr", answer.warnings
    prefix, config = model_of(reasoner)._prefix, model_of(reasoner)._model.config
    kinds = config.video_token_id, config.spatial_token_id
    visual, spatial = (prefix.embeddings[0][prefix.ids[0] == kind] for kind in kinds)
    return visual, spatial


def jpeg(image: np.ndarray[Any, Any]) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()  # without loss; what decodes jpeg decodes it


@pytest.mark.parametrize(("row", "column"), [(0, 0), (5, 3), (7, 14), (11, 15)])
def test_a_square_and_its_points_are_in_the_same_place(
    reasoner: Reasoner, row: int, column: int
) -> None:
    dark = np.full((336, 448, 3), 40, np.uint8)
    lit = dark.copy()
    lit[28 * row : 28 * (row + 1), 28 * column : 28 * (column + 1)] = 255
    flat = np.ones((48, 64, 3), np.float32)
    raised = flat.copy()
    raised[4 * row : 4 * (row + 1), 4 * column : 4 * (column + 1)] = (4, -2, 3)
    first = keyframe(1, [1])
    before = replace(keyframe(2, [1]), jpeg=jpeg(dark), points_scene=flat)
    visual, spatial = tokens(reasoner, first, before)
    brighter, _ = tokens(reasoner, first, replace(before, id=3, jpeg=jpeg(lit)))
    same, higher = tokens(reasoner, first, replace(before, id=4, points_scene=raised))
    assert torch.equal(same, visual)
    by_image, by_points = (
        (one - other).norm(dim=1).view(2, *CELLS)  # the second image's come behind the first's
        for one, other in ((visual, brighter), (spatial, higher))
    )
    assert not by_image[0].any() and not by_points[0].any()
    assert divmod(int(by_image[1].argmax()), CELLS[1]) == (row, column)
    moved = {(int(r), int(c)) for r, c in by_points[1].nonzero()}
    around = {(r, c) for r in range(row - 1, row + 2) for c in range(column - 1, column + 2)}
    assert moved == {(r, c) for r, c in around if 0 <= r < CELLS[0] and 0 <= c < CELLS[1]}


def test_cameras_of_other_sizes_and_finer_points(reasoner: Reasoner) -> None:
    first, second = keyframe(1, [1]), keyframe(2, [2])
    small = jpeg(np.zeros((120, 300, 3), np.uint8))
    other = replace(second, id=5, jpeg=small, points_scene=second.points_scene[:30])
    visual, spatial = tokens(reasoner, first, other)
    assert len(visual) == len(spatial) == 2 * CELLS[0] * CELLS[1]
    assert visual.isfinite().all() and spatial.isfinite().all()
    fine = np.repeat(np.repeat(second.points_scene, 2, axis=0), 2, axis=1)
    coarse = tokens(reasoner, first, second)[1]
    torch.testing.assert_close(tokens(reasoner, first, replace(second, id=6, points_scene=fine))[1],
                               coarse)  # fmt: skip


def test_a_checkpoint_says_how_many_images_it_was_trained_with_and_how_large(
    plain: Path, tmp_path: Path
) -> None:
    model = SSRForConditionalGeneration.from_pretrained(plain)
    model.config.frames = 3
    folder = saved(model, plain, tmp_path / "few")
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    settings["max_pixels"] = 84 * 112
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    few = opened("ssr", folder, max_tokens=1)
    answer = few.ask(QUESTION, room(), Seen(keyframes=[keyframe(n, [1]) for n in range(5)]))
    assert answer.reasoner == "ssr", answer.warnings
    config = model_of(few)._model.config
    assert int((model_of(few)._prefix.ids == config.video_token_id).sum()) == 3 * 3 * 4


def test_without_a_single_point_it_sees_the_images(reasoner: Reasoner) -> None:
    frames = [keyframe(i, [1]) for i in (11, 12)]
    nothing = np.full((48, 64, 3), np.nan, np.float32)
    visual, spatial = tokens(reasoner, *[replace(f, points_scene=nothing) for f in frames])
    assert visual.isfinite().all() and spatial.isfinite().all()


@pytest.mark.parametrize("damage", [b"", b"no image", "cut"])
def test_a_damaged_image_is_left_out_and_named(reasoner: Reasoner, damage: bytes | str) -> None:
    frames = [keyframe(number, [1]) for number in (21, 22, 23)]
    whole = frames[1].jpeg
    spoilt = replace(frames[1], jpeg=whole[:99] if isinstance(damage, str) else damage)
    for _ in range(2):  # also where the images are known from the question before
        seen = Seen(keyframes=(frames[0], spoilt, frames[2]))
        answer = reasoner.ask(QUESTION, room(), seen)
        assert answer.reasoner == "ssr", answer.warnings
        assert "image 22 of the scene is damaged and was left out" in answer.warnings
    first = replace(frames[0], jpeg=b"", id=24)
    answer = reasoner.ask(QUESTION, room(), Seen(keyframes=(first, *frames[1:])))
    assert answer.reasoner == "geometric"
    assert "the first image of the scene, 24, is damaged" in answer.warnings[0]


def test_many_images_are_spread(reasoner: Reasoner) -> None:
    visual, _ = tokens(reasoner, *[keyframe(i + 31, [1], (0.1 * i, 0)) for i in range(40)])
    assert len(visual) == 32 * CELLS[0] * CELLS[1]


def test_it_stops_while_it_looks_at_images(reasoner: Reasoner) -> None:
    frames = tuple(keyframe(i + 101, [1]) for i in range(32))
    inner = model_of(reasoner)
    block = inner._model.model.visual.blocks[0]
    slow = block.register_forward_pre_hook(lambda *_: time.sleep(0.2))
    asked = time.monotonic()
    try:
        with pytest.raises(Cancelled):
            gone = Listener(gone=lambda: time.monotonic() - asked > 0.1)
            reasoner.ask(QUESTION, room(), Seen(keyframes=frames), gone)
    finally:
        slow.remove()
    assert inner._shown != tuple(frame.id for frame in frames), "the images are not half known"
    assert reasoner.ask(QUESTION, room(), Seen(keyframes=frames)).reasoner == "ssr"


def test_it_says_that_images_show_more_than_a_region(reasoner: Reasoner) -> None:
    said = "the model saw images of the whole scene, not of the region only"
    for more in (True, False):
        answer = reasoner.ask(QUESTION, room(), Seen(keyframes=(keyframe(1, [1]),), more=more))
        assert (said in answer.warnings) is more


def test_vggt_that_is_not_installed_is_named(plain: Path) -> None:
    model = SSRForConditionalGeneration.from_pretrained(plain, spatial={"source": "vggt"})
    said: list[str] = []
    folder = saved(model, plain, plain.parent / "vggt")
    open_reasoner(ReasonersConfig("ssr", model=ModelConfig(str(folder), device="cpu")), said.append)
    assert "pip install" in said[0] and "vggt" in said[0]
