"""Features of numbers and symbols: made by an encoder, kept in a file, added to an object's."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from small_qwen import save_small_qwen

from spatial_vlm_ros.config import EncoderConfig
from spatial_vlm_ros.vision import reference_features
from spatial_vlm_ros.vision.identifiers import draw_number
from spatial_vlm_ros.vision.qwen import QwenTower
from spatial_vlm_ros.vision.reference_features import ReferenceFeatures
from spatial_vlm_ros.vision.symbols import draw_symbol


class Convolution:
    """An encoder of one layer with fixed random weights, that counts its images."""

    def __init__(self, name="convolution", dimension=16, cell=14, scale=1.0):
        self.name, self.dimension, self.cell = name, dimension, cell
        self.device = torch.device("cpu")
        self.seen: list[tuple[int, ...]] = []
        noise = np.random.default_rng(len(name)).normal(size=(dimension, 3, cell, cell))
        self.weight = torch.from_numpy(scale * noise).float()

    def encode(self, rgb: np.ndarray) -> torch.Tensor:
        self.seen.append(rgb.shape)
        image = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            found = torch.nn.functional.conv2d(image, self.weight, stride=self.cell).relu()
        return found[0].permute(1, 2, 0)


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_features_are_the_means_of_the_drawings():
    encoder = Convolution()
    found = ReferenceFeatures(encoder, None)
    number = encoder.encode(draw_number(12, 2 * 14)).mean(dim=(0, 1))
    symbol = encoder.encode(draw_symbol("chair", 4 * 14)).mean(dim=(0, 1))
    torch.testing.assert_close(found.identifier(12), number)
    torch.testing.assert_close(found.semantic("chair"), symbol)
    assert found.identifier(12).dtype == torch.float32


def test_many_at_once_are_rows_in_the_order_asked_for():
    found = ReferenceFeatures(Convolution(), None)
    rows = found.identifiers([7, 3, 7])
    assert torch.equal(rows, torch.stack([found.identifier(number) for number in (7, 3, 7)]))
    rows = found.semantics(["sofa", "bed"])
    assert torch.equal(rows, torch.stack([found.semantic("sofa"), found.semantic("bed")]))
    assert found.identifiers([]).shape == found.semantics([]).shape == (0, 16)


def test_each_drawing_is_encoded_once_and_synonyms_together():
    encoder = Convolution()
    found = ReferenceFeatures(encoder, None)
    for _ in range(2):
        found.identifiers([1, 2, 1])
        found.semantics(["sofa", "couch", "Sofas", "unheard of"])
    assert encoder.seen == [(28, 28, 3)] * 2 + [(56, 56, 3)] * 2


def test_what_was_returned_can_be_written_to_and_learnt_from():
    found = ReferenceFeatures(Convolution(), None)
    before = found.identifier(5)
    found.identifier(5).zero_()
    assert torch.equal(found.identifier(5), before)
    weight = torch.ones(16, requires_grad=True)
    (found.semantic("bed") * weight).sum().backward()
    torch.testing.assert_close(weight.grad, found.semantic("bed"))


def test_features_that_are_not_finite_are_refused_and_not_kept(tmp_path):
    found = ReferenceFeatures(Convolution(scale=float("inf")), tmp_path)
    with pytest.raises(ValueError, match="convolution makes no finite feature of identifier/004"):
        found.identifier(4)
    assert files(tmp_path) == []


def test_a_second_opening_encodes_nothing(tmp_path):
    first = ReferenceFeatures(Convolution(), tmp_path / "new" / "folder")
    rows = first.identifiers([1, 2]), first.semantics(["chair", "unheard of", "日本"])
    encoder = Convolution()
    second = ReferenceFeatures(encoder, tmp_path / "new" / "folder")
    assert torch.equal(second.identifiers([1, 2]), rows[0])
    assert torch.equal(second.semantics(["chair", "unheard of", "日本"]), rows[1])
    assert encoder.seen == []
    second.identifier(3)
    assert len(encoder.seen) == 1
    (path,) = files(tmp_path / "new" / "folder")
    assert sorted(load_file(path)) == [
        *("identifier/001", "identifier/002", "identifier/003"),
        *("semantic/chair", "semantic/unheard of", "semantic/日本"),
    ]


def test_the_file_is_written_once_for_a_call_and_only_for_something_new(tmp_path, monkeypatch):
    written = []
    save = reference_features.save
    monkeypatch.setattr(reference_features, "save", lambda *all: written.append(1) or save(*all))
    found = ReferenceFeatures(Convolution(), tmp_path)
    found.identifiers([1, 2, 3])
    found.identifiers([3, 2])
    assert len(written) == 1


@pytest.mark.parametrize("other", ["convolution2", "CONVOLUTION/../../x", "a b", "a_b", "a/b"])
def test_every_encoder_has_a_file_of_its_own(tmp_path, other):
    folder = tmp_path / "inner"
    for name in ("convolution", "a b c", "a/_b", other):
        ReferenceFeatures(Convolution(name), folder).identifier(1)
    assert len(files(folder)) == 4
    assert files(tmp_path) == [folder]


def test_drawings_that_changed_are_encoded_anew(tmp_path, monkeypatch, caplog):
    before = ReferenceFeatures(Convolution(), tmp_path).identifiers([1, 2])

    def drawn(number, side):
        return draw_number(8 if number == 2 else number, side)

    monkeypatch.setattr(reference_features, "draw_number", drawn)
    encoder = Convolution()
    with caplog.at_level(logging.WARNING):
        after = ReferenceFeatures(encoder, tmp_path).identifiers([1, 2])
    assert len(encoder.seen) == 1
    assert torch.equal(after[0], before[0])
    assert not torch.allclose(after[1], before[1])
    assert "identifier/002" in caplog.text
    assert "identifier/001" not in caplog.text
    encoder = Convolution()
    ReferenceFeatures(encoder, tmp_path).identifiers([1, 2])
    assert encoder.seen == [], "what was encoded anew was not kept"


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def overwritten(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 20)


def one_bit_turned(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)


def of_another_encoder(path: Path) -> None:
    """Without any other fault."""
    ReferenceFeatures(Convolution("another"), path.parent).semantic("chair")
    (another,) = set(files(path.parent)) - {path}
    another.replace(path)


def without_metadata(path: Path) -> None:
    save_file(load_file(path), path)


def changed(path: Path, change) -> None:
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    save_file({key: change(value) for key, value in load_file(path).items()}, path, metadata)


def of_another_dimension(path: Path) -> None:
    changed(path, lambda feature: feature[:5].clone())


def of_another_type(path: Path) -> None:
    changed(path, lambda feature: feature.bfloat16())


def of_other_values(path: Path) -> None:
    changed(path, lambda feature: feature + 1)


@pytest.mark.parametrize(
    "damage",
    [
        *(halved, emptied, overwritten, one_bit_turned, of_another_encoder, without_metadata),
        *(of_another_dimension, of_another_type, of_other_values),
    ],
)
def test_a_damaged_or_foreign_file_is_made_anew_with_a_warning(tmp_path, caplog, damage):
    before = ReferenceFeatures(Convolution(), tmp_path).semantics(["chair"])
    (path,) = files(tmp_path)
    damage(path)
    with caplog.at_level(logging.WARNING):
        after = ReferenceFeatures(Convolution(), tmp_path).semantics(["chair"])
    assert torch.equal(after, before)
    assert str(path) in caplog.text
    caplog.clear()
    encoder = Convolution()
    assert torch.equal(ReferenceFeatures(encoder, tmp_path).semantics(["chair"]), before)
    assert encoder.seen == []
    assert not caplog.text


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    ReferenceFeatures(Convolution(), tmp_path).identifier(1)
    (path,) = files(tmp_path)
    before = path.read_bytes()

    def full(_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        ReferenceFeatures(Convolution(), tmp_path).identifier(2)
    assert files(tmp_path) == [path]
    assert path.read_bytes() == before


def test_qwen_tells_a_hundred_numbers_apart(tmp_path):
    """Farther than a thousandth of their length, 1e4 times float32's noise. Also 12 and 21."""
    save_small_qwen(tmp_path / "model")
    tower = QwenTower.open(EncoderConfig(checkpoint=str(tmp_path / "model"), device="cpu"))
    found = ReferenceFeatures(tower, tmp_path)
    rows = found.identifiers(range(100))
    assert rows.shape == (100, tower.dimension)
    apart = torch.cdist(rows, rows) + torch.eye(100) * 1e9
    assert apart.min() > 1e-3 * rows.norm(dim=1).mean()
    assert apart[12, 21] > 1e-2 * rows.norm(dim=1).mean()
    symbols = found.semantics(["chair", "sofa", "unheard of"])
    assert torch.pdist(symbols).min() > 1e-2 * symbols.norm(dim=1).mean()
