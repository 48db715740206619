"""The small vision tower: its labels are of what images show, and it learns to see."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import normalize

from spatial_vlm_ros.cli import main
from spatial_vlm_ros.config import EncoderConfig
from spatial_vlm_ros.data.files import write_rows
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.small.checkpoint import PIXELS, TRAINED_TOWER, SmallSizes, read_tower
from spatial_vlm_ros.small.discriminants import Examples, discriminants
from spatial_vlm_ros.small.first_weights import RMS
from spatial_vlm_ros.small.labelled_views import (
    CATEGORIES,
    PAINTS,
    LabelledViews,
    labelled_views,
    of_room,
)
from spatial_vlm_ros.small.tower_exam import examine
from spatial_vlm_ros.small.tower_losses import cell_shares, rarity
from spatial_vlm_ros.small.tower_training import (
    MERGE,
    SHRUNK_MERGE,
    TowerTrainer,
    TowerTraining,
    pixels,
    save_tower,
)
from spatial_vlm_ros.vision.qwen import QwenTower
from spatial_vlm_ros.vision.reference_features import ReferenceFeatures

ROWS = [Row("1", "vsi", "a/b", "counting", "How many chairs are in this room?", "3")]


@cache
def views() -> LabelledViews:
    return LabelledViews.concatenate(list(labelled_views([3, 4], 3, 168, 84)))


def test_labels_are_of_what_patches_show() -> None:
    found = views()
    assert found.images.shape == (6, 3, 84, 168)
    assert found.categories.shape == (6, 6, 12, len(CATEGORIES))
    assert found.paints.shape == (6, 6, 12, len(PAINTS))
    for shares in (found.categories, found.paints):
        assert (shares.int().sum(-1) - 255).abs().max() <= 3
    red = found.paints[..., PAINTS.index("red")] > 250
    patches = found.images.unfold(2, 14, 14).unfold(3, 14, 14).float().mean((4, 5))
    means = patches.permute(0, 2, 3, 1)[red]
    assert len(means) > 5
    assert (means[:, 0] > 1.5 * means[:, 1:].amax(1)).all()
    lowest = found.categories[:, -1].float().mean((0, 1))
    assert CATEGORIES[int(lowest.argmax())] == "floor"


def test_cells_have_the_shares_of_their_patches() -> None:
    patches = torch.zeros(1, 6, 6, 2, dtype=torch.uint8)
    patches[..., 1] = 255
    patches[0, 0, 0] = torch.tensor([255, 0])
    assert cell_shares(patches, MERGE)[0].tolist() == [0.25, 0.75]
    assert cell_shares(patches, MERGE)[1:, 0].count_nonzero() == 0
    torch.testing.assert_close(cell_shares(patches, SHRUNK_MERGE)[0], torch.tensor([1 / 9, 8 / 9]))


def test_rare_things_count_more_and_all_together_as_before() -> None:
    shares = torch.tensor([[64, 1, 0], [64, 0, 0], [63, 0, 1], [64, 0, 0]], dtype=torch.uint8)
    found = rarity(shares)
    assert found[1] / found[0] == pytest.approx((255 / 1) ** 0.5, rel=1e-4)
    assert found[1] == found[2]
    share = shares.float().mean(0) / 64.25
    assert float((share * found).sum()) == pytest.approx(1.0)


def test_a_mirror_changes_images_and_labels_alike() -> None:
    some = views().some(torch.tensor([2, 0]), flipped=True)
    assert torch.equal(some.images[0], views().images[2].flip(2))
    assert torch.equal(some.categories[1], views().categories[0].flip(1))
    assert torch.equal(some.paints[1], views().paints[0].flip(1))


def small_training(steps: int) -> TowerTraining:
    return TowerTraining(steps=steps, images=3, drawings=4, numbers=8, warmup=5, rate=3e-3)


def test_the_tower_learns() -> None:
    trainer = TowerTrainer(views(), small_training(40), bfloat16=False)
    losses = [trainer.step() for _ in range(40)]
    assert set(losses[0]) >= {"category", "paint", "symbol", "number", "fused number"}
    for name in ("category", "paint"):
        first, last = (np.mean([loss[name] for loss in part]) for part in (losses[:5], losses[-5:]))
        assert last < 0.75 * first, name
    found = examine(trainer, views())
    assert found["cells"] > 0.5
    assert set(found) >= {"objects", "colours", "objects of small images", "numbers", "symbols"}
    assert all(0 <= share <= 1 for share in found.values())


def test_training_is_the_same_each_time() -> None:
    one, same = (TowerTrainer(views(), small_training(4), bfloat16=False) for _ in range(2))
    assert [one.step() for _ in range(2)] == [same.step() for _ in range(2)]


def test_features_have_the_size_asked_for_and_read_as_before() -> None:
    trainer = TowerTrainer(views(), small_training(4), bfloat16=False)
    trainer.step()
    images = [pixels(views().image(index)) for index in range(len(views()))]
    with torch.inference_mode():
        before = trainer.readings.category(torch.cat(trainer.features(images)))
        trainer.finish()
        features = torch.cat(trainer.features(images))
        after = trainer.readings.category(features)
    mean = features.mean(0)
    torch.testing.assert_close(mean, torch.full_like(mean, 0.4 * RMS), atol=1e-4, rtol=0)
    assert float((features - mean).square().mean().sqrt()) == pytest.approx(RMS, rel=1e-3)
    torch.testing.assert_close(after, before, atol=1e-3, rtol=1e-3)


def test_discriminants_lay_open_what_features_hide() -> None:
    """Category and number are small beside what tells nothing; afterwards each is nearest to the
    drawing of its own."""
    random = torch.Generator().manual_seed(1)
    signs, marks, hidden = (torch.randn(4, 24, generator=random) for _ in range(3))
    shown = torch.arange(400) % 4

    def cells(count: int) -> torch.Tensor:
        noise = 5 * torch.randn(count, 4, generator=random) @ hidden
        return signs[shown[:count]] + noise + 3

    categories = torch.nn.functional.one_hot(shown, 5).float()
    paints = torch.ones(400, 1)
    seen = Examples(cells(400), categories, paints, marks + 3, signs + 3)
    weight, bias = (part.float() for part in discriminants(seen, 4, 0.5))
    assert torch.linalg.matrix_rank(weight) == 24

    def nearest(features: torch.Tensor, drawings: torch.Tensor) -> torch.Tensor:
        apart = features - features.mean(0)
        return (normalize(apart) @ normalize(drawings - drawings.mean(0)).T).argmax(1)

    fresh, worn = cells(200), torch.arange(200) // 4 % 4
    both = fresh + marks[worn]
    assert (nearest(both, signs) == shown[:200]).float().mean() < 0.6
    turned = both @ weight.T + bias
    assert (nearest(turned, signs @ weight.T) == shown[:200]).float().mean() > 0.95
    assert (nearest(turned, marks @ weight.T) == worn).float().mean() > 0.95


def test_the_tower_that_ships_sees_rooms_it_has_never_seen() -> None:
    """What a cell shows is the symbol to which its features are nearest."""
    views = LabelledViews.concatenate([of_room(seed, 4, 336, 252) for seed in (9_001, 9_002)])
    trainer = TowerTrainer(views, TowerTraining(), bfloat16=False)
    trainer.tower.load_state_dict(read_tower(TRAINED_TOWER))
    with torch.inference_mode():
        images = [pixels(views.image(index)) for index in range(len(views))]
        cells = torch.cat([trainer.features([image])[0] for image in images])
        signs = torch.stack([trainer.features([each])[0].mean(0) for each in trainer.symbols])
    shares = cell_shares(views.categories, 2)
    shown = shares[:, : len(signs)].amax(1) > 0.5
    found = normalize(cells[shown] - cells.mean(0)) @ normalize(signs - signs.mean(0)).T
    right = (found.argmax(1) == shares[shown].argmax(1)).float().mean()
    assert int(shown.sum()) > 50
    assert right > 0.6


def test_a_checkpoint_with_the_tower_sees_what_the_tower_sees(tmp_path: Path) -> None:
    trainer = TowerTrainer(views(), small_training(4), bfloat16=False)
    save_tower(trainer.tower, tmp_path / "tower.safetensors")
    write_rows(tmp_path / "rows.jsonl", ROWS)
    for kind in PIXELS:
        made = [
            "small",
            "model",
            kind,
            str(tmp_path / kind),
            "--rows",
            str(tmp_path / "rows.jsonl"),
        ]
        assert main([*made, "--tower", str(tmp_path / "tower.safetensors")]) == 0
    image = views().image(0)
    with torch.inference_mode():
        expected = trainer.features([pixels(image)])[0]
    rgb = image.permute(1, 2, 0).numpy()
    towers = [
        QwenTower.open(EncoderConfig(str(tmp_path / kind), "cpu", "float32")) for kind in PIXELS
    ]
    torch.testing.assert_close(towers[0].encode(rgb).flatten(0, 1), expected, atol=2e-4, rtol=1e-3)
    assert towers[0].name.rpartition("-")[2] == towers[1].name.rpartition("-")[2]
    assert towers[1].dimension == SmallSizes.hidden
    drawn = ReferenceFeatures(towers[0], None)
    with torch.inference_mode():
        number = trainer.features([trainer.numbers[3]])[0].mean(0)
        sign = trainer.features([trainer.symbols[0]])[0].mean(0)
    torch.testing.assert_close(drawn.identifier(3), number, atol=2e-4, rtol=1e-3)
    torch.testing.assert_close(drawn.semantic(CATEGORIES[0]), sign, atol=2e-4, rtol=1e-3)


def test_the_command_trains_a_tower(tmp_path: Path, capsys) -> None:
    asked = ["small", "tower", str(tmp_path / "tower.safetensors"), "--first", "30", "--rooms", "2"]
    assert main([*asked, "--held-out", "1", "--views", "2", "--steps", "2"]) == 0
    told = capsys.readouterr().out
    assert "objects" in told
    assert "merger.mlp.2.weight" in load_file(tmp_path / "tower.safetensors")
    assert main([*asked, "--held-out", "31"]) == 2
