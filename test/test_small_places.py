"""small places: the 3D branch of a small SSR begins by telling places as a Proxy3D does."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
import torch
from small_lessons import CATEGORIES, frames, scene

from spatial_vlm_ros.cli import main
from spatial_vlm_ros.models.proxy3d import Proxy3DForConditionalGeneration
from spatial_vlm_ros.reasoners.config import ModelConfig
from spatial_vlm_ros.serving.loading import load_ssr
from spatial_vlm_ros.small.checkpoint import PIXELS, new_model, save
from spatial_vlm_ros.small.spatial_start import Wanted, begin_with_places, wanted
from spatial_vlm_ros.small.tokenizer import train_tokenizer
from spatial_vlm_ros.training.config import DataSettings, ModelSettings, TrainConfig
from spatial_vlm_ros.training.opening import Pupil, open_pupil
from spatial_vlm_ros.training.store import FrameStore

ROOMS = [f"simulated/room-{number}" for number in range(20)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Proxy3D that tells places, an SSR-2D, and frames of rooms with points."""
    folder = tmp_path_factory.mktemp("places")
    cut = train_tokenizer([", ".join(CATEGORIES)], 500, 64)
    proxy3d = new_model("proxy3d", cut)
    assert isinstance(proxy3d, Proxy3DForConditionalGeneration)
    torch.nn.init.normal_(proxy3d.position.mlp[-1].weight, std=0.5)
    save(folder / "proxy3d", proxy3d, cut, PIXELS["proxy3d"])
    save(folder / "ssr", new_model("ssr", cut), cut, PIXELS["ssr"])
    store = FrameStore.create(folder / "frames", "", {})
    for name in ROOMS:
        seen = frames(scene(name))
        assert seen.spatial is not None
        seen.spatial[:, 2:4, 4:6] = torch.nan  # a whole cell; of the first one patch is unknown
        store.put(name, seen)
    return folder


def opened(folder: Path, name: str) -> Pupil:
    model = ModelSettings("ssr", str(folder / name), spatial="points", spatial_width=128)
    data = DataSettings(store=str(folder / "frames"), shown="frames")
    return open_pupil(TrainConfig(model=model, data=data))


def position(folder: Path) -> torch.nn.Module:
    return Proxy3DForConditionalGeneration.from_pretrained(folder / "proxy3d").position


def of_scene(folder: Path, pupil: Pupil, name: str) -> Wanted:
    shown = pupil.teacher.scenes.shown(name, pupil.teacher.numbering(name))
    return wanted(pupil.loaded.model, shown.inputs, position(folder))


def test_tokens_are_wanted_where_their_patches_are(folder: Path) -> None:
    found = of_scene(folder, opened(folder, "ssr"), ROOMS[0])
    like, points = position(folder), frames(scene(ROOMS[0])).spatial
    assert points is not None and found.visual.shape == (2 * 3 * 4, 192)
    whole = points[1, 2:4, 0:2].reshape(4, 3).mean(0)  # frame 1, row 1, column 0
    three = torch.stack([points[0, 0, 1], points[0, 1, 0], points[0, 1, 1]]).mean(0)
    for token, point in ((12 + 4, whole), (0, three)):
        expected = like(found.visual[token], point)
        torch.testing.assert_close(found.placed[token], expected)
        assert (expected - found.visual[token]).abs().max() > 0.1
    for unknown in (4 + 2, 12 + 4 + 2):
        assert torch.equal(found.placed[unknown], found.visual[unknown])


def test_the_command_writes_a_model_that_tells_places(folder: Path, capsys) -> None:
    output = folder / "placed"
    asked = ["small", "places", str(output), "--checkpoint", str(folder / "ssr")]
    asked += ["--like", str(folder / "proxy3d"), "--frames", str(folder / "frames")]
    assert main([*asked, "--steps", "150"]) == 0
    (told,) = re.findall(r"tells (\d+)% of what places add", capsys.readouterr().out)
    assert int(told) > 50
    made, before = opened(folder, "placed").loaded.model, opened(folder, "ssr").loaded.model
    for part, weight in before.state_dict().items():
        if not part.startswith("spatial."):
            assert torch.equal(made.state_dict()[part], weight), part
    pupil = opened(folder, "placed")
    errors = []
    for model in (made, before):
        found = of_scene(folder, pupil, ROOMS[0])
        given = model.spatial(found.seen, found.points, found.grids)
        errors.append(float((given - found.placed).square().mean()))
    assert errors[0] < (1 - int(told) / 100 + 0.2) * errors[1]
    assert load_ssr(ModelConfig(str(output), "cpu", "float32")).model.config.spatial_settings
    assert json.loads((output / "config.json").read_text())["spatial"]["width"] == 128


def test_what_places_cannot_be_learnt_from_is_refused(folder: Path) -> None:
    pupil = opened(folder, "ssr")
    name = ROOMS[0]
    inputs = pupil.teacher.scenes.shown(name, pupil.teacher.numbering(name)).inputs
    without = {key: value for key, value in inputs.items() if key != "spatial_values"}
    model, like = pupil.loaded.model, position(folder)
    with pytest.raises(ValueError, match="points of a depth camera: there are none"):
        wanted(model, without, like)
    like.config = dataclasses.replace(like.config, dimension=64)
    with pytest.raises(ValueError, match="proxies are 64 wide"):
        wanted(model, inputs, like)
    with pytest.raises(ValueError, match="no scene to learn places from"):
        begin_with_places(model.spatial, [])
