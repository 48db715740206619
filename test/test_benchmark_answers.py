"""Models put to benchmarks: videos, images and scenes, controls, processes, and the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from small_benchmarks import SMALL, vsi_rows
from small_vlm import save_small_vlm
from test_vggt_tokens import WIDTH, PatchMeans

from spatial_vlm_ros import cli
from spatial_vlm_ros.benchmarks.answerers import Answerer
from spatial_vlm_ros.benchmarks.controls import Control, controlled
from spatial_vlm_ros.benchmarks.item import ImageFile, Item, Prediction
from spatial_vlm_ros.benchmarks.media import frames_of, images_of
from spatial_vlm_ros.benchmarks.opening import Asking, open_answerer
from spatial_vlm_ros.benchmarks.predicting import gathered, keep_to, predict, share
from spatial_vlm_ros.data.scenes import read_scenes
from spatial_vlm_ros.models.vggt_tokens import VggtTokens
from spatial_vlm_ros.training.config import DataSettings, ModelSettings, TrainConfig
from spatial_vlm_ros.training.filling import SCENES, ProxyPlan, fill, plan_of
from spatial_vlm_ros.training.opening import open_pupil, row_images
from spatial_vlm_ros.training.scenes import Shown
from spatial_vlm_ros.training.sources import Simulated
from spatial_vlm_ros.training.store import FrameStore, StoredFrames

SSR, SSR_3D, PROXY3D = "ssr-small-2d", "ssr-small", "proxy3d-small"


def video(path: Path, frames: int = 12) -> Path:
    """Frame n has a red of 20 n."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10, (160, 120))
    for number in range(frames):
        writer.write(np.full((120, 160, 3), (0, 0, 20 * number), np.uint8))
    writer.release()
    return path


# Media ------------------------------------------------------------------------------------------


def test_frames_are_spread_over_the_video(tmp_path: Path) -> None:
    frames = frames_of(video(tmp_path / "a.mp4"), 4)
    reds = [int(frame[..., 0].mean()) for frame in frames]
    assert reds == pytest.approx([0, 60, 140, 220], abs=8)  # frames 0, 3, 7 and 11 of 12
    assert max(int(frame[..., 2].mean()) for frame in frames) < 12, "red and blue are swapped"
    assert len(frames_of(video(tmp_path / "b.mp4", 2), 4)) == 4


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(ValueError, match=r"broken.mp4 is no video"):
        frames_of(broken, 4)
    with pytest.raises(FileNotFoundError):
        frames_of(tmp_path / "none.mp4", 4)
    item = Item("7", "x", "?", ("A",), images=(ImageFile(broken),))
    with pytest.raises(ValueError, match="image 0 of 7 is no image"):
        images_of(item, 4)
    gone = Item("8", "x", "?", ("A",), video=tmp_path / "none.mp4", images=(ImageFile(broken),))
    assert gone.missing == (str(tmp_path / "none.mp4"),)


# Controls ---------------------------------------------------------------------------------------


def test_controls_change_geometry_and_nothing_else() -> None:
    features, places = torch.rand(5, 3), torch.rand(5, 3)
    proxies = Shown([1] * 5, {"proxy_features": features, "proxy_positions": places})

    def of(control: Control) -> torch.Tensor:
        found = controlled(proxies, control)
        assert torch.equal(found.inputs["proxy_features"], features)
        return found.inputs["proxy_positions"]

    assert torch.equal(of(Control.NONE), places)
    assert not of(Control.NO_GEOMETRY).any()
    assert torch.equal(of(Control.WRONG_SCALE), 2 * places)
    moved = of(Control.SHUFFLED)
    assert not torch.equal(moved, places)
    assert sorted(moved.tolist()) == sorted(places.tolist())
    assert torch.equal(of(Control.SHUFFLED), moved), "another order each time"
    assert not controlled(proxies, Control.BLIND).placeholders


def test_controls_of_frames_move_whole_maps() -> None:
    maps = torch.arange(36.0).view(3, 4, 3)  # of three frames
    inputs = {"spatial_values": maps.flatten(0, 1), "video_grid_thw": torch.tensor([[3, 2, 2]])}
    frames = Shown([1], inputs)
    found = controlled(frames, Control.SHUFFLED).inputs["spatial_values"].view(3, 4, 3)
    assert sorted(found.tolist()) == maps.tolist()
    assert not torch.equal(found, maps)
    assert not controlled(frames, Control.NO_GEOMETRY).geometry
    assert torch.equal(
        controlled(frames, Control.WRONG_SCALE).inputs["spatial_values"],
        2 * inputs["spatial_values"],
    )
    with pytest.raises(ValueError, match="shuffled: the model is shown no geometry"):
        controlled(Shown([1], {"pixel_values_videos": maps}), Control.SHUFFLED)


# Models -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Proxies of two simulated rooms, seen by few small images."""
    pytest.importorskip("embreex")
    folder = tmp_path_factory.mktemp("store")
    rooms = [Simulated(seed, views=6, width=224, height=168) for seed in (7, 8)]
    fill(folder, ProxyPlan(PROXY3D, "cpu", "float32"), rooms, progress=False)
    return folder


def asked(name: str, question: str, scene: str, **more) -> Item:
    return Item(name, "x", question, ("?",), question=question, scene=scene, **more)


def test_proxy3d_is_asked_about_scenes(store: Path) -> None:
    scenes = read_scenes(store / SCENES)
    first, second = sorted(scenes)
    number = scenes[first].objects[0].id
    questions = [
        asked("how", "How many chairs are there?", first),
        asked("what", f"What is #{number}?", first),
        asked("which", "Which?", second, options=("A. chair", "B. table")),
    ]
    told = {}
    for control in (Control.NONE, Control.BLIND, Control.NO_GEOMETRY, Control.SHUFFLED):
        asking = Asking(PROXY3D, 24, store, scenes, control=control, device="cpu")
        answerer = open_answerer(asking)
        found = [answerer.answer(item) for item in questions]
        assert [each.id for each in found] == ["how", "what", "which"]
        assert found[0].text.isdecimal() and found[2].text in ("A", "B")
        assert all(0 < each.confidence <= 1 for each in found)
        told[control] = [each.confidence for each in found]
    assert len({tuple(each) for each in told.values()}) == 4, "a control changed nothing"
    with pytest.raises(ValueError, match="scene scannet/other is not in the store"):
        answerer = open_answerer(Asking(PROXY3D, 24, store, device="cpu"))
        answerer.answer(asked("a", "?", "scannet/other"))
    with pytest.raises(ValueError, match="about images, which the model cannot be shown"):
        answerer.answer(Item("b", "x", "?", ("A",), video=Path("a.mp4")))
    with pytest.raises(ValueError, match="reads proxies of scenes: name the store"):
        open_answerer(Asking(PROXY3D, 24))


def test_ssr_is_asked_about_videos_and_images(tmp_path: Path) -> None:
    answerer = open_answerer(Asking(SSR, 24, device="cpu"))
    film = Item(
        "1",
        "x",
        "?",
        ("3",),
        question="How many chairs are there?",
        video=video(tmp_path / "a.mp4"),
    )
    picture = tmp_path / "a.png"
    cv2.imwrite(str(picture), np.full((90, 120, 3), 80, np.uint8))
    images = Item(
        "2",
        "x",
        "?",
        ("A",),
        question="Which way?",
        options=("A. left", "B. right"),
        images=(ImageFile(picture),) * 2,
    )
    found = [answerer.answer(item) for item in (film, images, film)]
    assert found[0].text.isdecimal() and found[1].text in ("A", "B")
    assert found[2] == found[0]
    blind = open_answerer(Asking(SSR, 24, device="cpu", control=Control.BLIND))
    assert blind.answer(asked("3", "How many chairs are there?", "a/b")).text.isdecimal()
    assert blind.answer(film).confidence != found[0].confidence


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of a simulated room, with points."""
    pytest.importorskip("embreex")
    folder = tmp_path_factory.mktemp("frames")
    fill(folder, plan_of(SSR_3D), [Simulated(7, views=4, width=224, height=168)], progress=False)
    return folder


def test_an_ssr_is_asked_about_scenes_with_and_without_what_it_is_shown(frames: Path) -> None:
    (name,) = read_scenes(frames / SCENES)
    question = asked("1", "How many chairs are there?", name)
    told = {}
    for control in Control:
        answerer = open_answerer(Asking(SSR_3D, 24, frames, device="cpu", control=control))
        told[control] = answerer.answer(question)
        assert told[control].text.isdecimal()
    assert len({each.confidence for each in told.values()}) == len(Control)
    alone = open_answerer(Asking(SSR_3D, 24, device="cpu"))
    with pytest.raises(ValueError, match=f"scene {name} is not in the store"):
        alone.answer(question)
    blind = open_answerer(Asking(SSR_3D, 24, device="cpu", control=Control.BLIND))
    assert blind.answer(question).text == told[Control.BLIND].text


def test_images_have_the_positions_at_which_they_were_learnt(frames: Path, tmp_path: Path) -> None:
    """With a store of scenes and without; a text's would be the same along all three axes."""
    film = Item("1", "x", "?", ("3",), question="How many?", video=video(tmp_path / "a.mp4", 3))
    answers = []
    for store in (None, frames):
        answerer = open_answerer(Asking(SSR_3D, 24, store, frames=3, device="cpu"))
        answers.append(answerer.answer(film))
        positions = answerer._prefix.positions[:, 0]
        assert not torch.equal(positions[1], positions[2])
    assert answers[0] == answers[1]


def test_any_other_model_is_shown_images(tmp_path: Path) -> None:
    checkpoint = tmp_path / "chat"
    save_small_vlm(checkpoint)
    frames = torch.full((3, 3, 56, 84), 90, dtype=torch.uint8)
    store = FrameStore.create(tmp_path / "frames", "", {})
    store.put("a/b", StoredFrames(frames))
    film = Item("1", "x", "How many chairs?", ("3",), video=video(tmp_path / "a.mp4"))
    scene = Item("2", "x", "How many chairs?", ("3",), scene="a/b")
    elsewhere = Item("3", "x", "How many chairs?", ("3",), scene="a/c")

    def opened(**more) -> Answerer:
        return open_answerer(Asking(str(checkpoint), 6, device="cpu", frames=2, **more))

    told = [opened().answer(film), opened(store=tmp_path / "frames").answer(scene)]
    blind = opened(control=Control.BLIND)
    told += [blind.answer(film), blind.answer(elsewhere)]
    assert len({each.confidence for each in told[:3]}) == 3, "images are not shown"
    assert told[3].confidence == pytest.approx(told[2].confidence)
    for answerer in (opened(), opened(store=tmp_path / "frames")):
        with pytest.raises(ValueError, match="scene a/c is in no store of frames"):
            answerer.answer(elsewhere)
    with pytest.raises(ValueError, match="control shuffled is for Proxy3D and SSR"):
        opened(control=Control.SHUFFLED)
    with pytest.raises(ValueError, match="this one is SSR-2D"):
        open_answerer(Asking(SSR, 24, device="cpu", control=Control.SHUFFLED))


def test_vggt_tells_an_ssr_the_geometry_of_videos() -> None:
    config = TrainConfig(model=ModelSettings("ssr", SSR), data=DataSettings(shown="nothing"))
    loaded = open_pupil(config).loaded
    frames = [np.full((56, 84, 3), 40 * n, np.uint8) for n in range(3)]
    unknown = row_images(loaded).of(frames)
    assert not unknown.geometry and "spatial_values" not in unknown.inputs
    shown = row_images(loaded, VggtTokens(PatchMeans(), width=WIDTH)).of(frames)
    assert shown.geometry and shown.placeholders == unknown.placeholders
    values = shown.inputs["spatial_values"]  # a layer, two zeros, and the patch's colour
    assert values.shape == (3 * 4 * 6, WIDTH)
    assert torch.allclose(values.view(3, 24, WIDTH)[:, :, -1].mean(1), torch.arange(3) * 40 / 255)


def test_described_objects_are_those_that_the_question_names(store: Path) -> None:
    scenes = read_scenes(store / SCENES)
    name = min(scenes)
    numbers = [item.id for item in scenes[name].objects]
    boxes = {item.id: item.box.to_tuple() for item in scenes[name].objects}
    answerer = open_answerer(Asking(PROXY3D, 12, store, scenes, device="cpu"))
    for number in numbers[:2]:
        more = {"object": number, "described": True, "boxes": boxes}
        found = answerer.answer(asked("a", f"Describe #{number}.", name, more=more))
        assert found.objects == (number,) and found.text
    more = {"object": numbers[0], "boxes": boxes}
    found = answerer.answer(asked("b", "How many chairs are there?", name, more=more))
    assert found.objects is None, "a number names no object"


# The run ----------------------------------------------------------------------------------------


class Loud:
    """Answers with what it has been asked so far, and stops after so many."""

    def __init__(self, most: int = 99) -> None:
        self.asked: list[str] = []
        self.most = most

    def answer(self, item: Item) -> Prediction:
        if len(self.asked) == self.most:
            raise KeyboardInterrupt
        self.asked.append(item.id)
        if item.id == "5":
            raise ValueError("damaged")
        return Prediction(item.id, "A")


def test_a_run_that_was_killed_goes_on_and_failures_are_asked_again(tmp_path: Path) -> None:
    items = [Item(str(n), "x", "?", ("A",)) for n in range(9)]
    items[2] = Item("2", "x", "?", ("A",), video=tmp_path / "none.mp4")
    first, second, third = Loud(4), Loud(), Loud()
    with pytest.raises(KeyboardInterrupt):
        predict(items, first, tmp_path)
    predict(items, second, tmp_path)
    assert not set(first.asked) & set(second.asked)
    found = gathered(tmp_path)
    assert set(found) == {item.id for item in items}
    assert found["5"].failed == "damaged"
    assert found["2"].failed == f"missing: {tmp_path / 'none.mp4'}"
    predict(items, third, tmp_path)
    assert third.asked == ["5"], "what is missing is not asked, what failed is tried again"


def test_processes_share_all_questions_and_take_over_what_others_did(tmp_path: Path) -> None:
    items = [Item(str(n), "x", "?", ("A",), scene=f"a/{n % 3}") for n in range(10)]
    shares = [share(items, process, 3) for process in range(3)]
    assert sorted(item.id for own in shares for item in own) == sorted(item.id for item in items)
    assert {len(own) for own in shares} == {3, 4}
    predict(items, Loud(), tmp_path, 0, 2)
    alone = Loud()
    predict(items, alone, tmp_path, 1, 2)
    assert len(alone.asked) == 5
    again = Loud()
    predict(items, again, tmp_path, 0, 1)
    assert len(gathered(tmp_path)) == 10
    assert set(again.asked) <= {"5"}


def test_answers_of_another_model_are_not_mixed_in(tmp_path: Path) -> None:
    keep_to(tmp_path / "out", {"model": "could not be opened"})
    keep_to(tmp_path / "out", {"model": "a"})
    predict([Item("1", "x", "?", ("A",))], Loud(), tmp_path / "out")
    keep_to(tmp_path / "out", {"model": "a"})
    with pytest.raises(ValueError, match="answers of another model, or to other questions"):
        keep_to(tmp_path / "out", {"model": "b"})


# The command --------------------------------------------------------------------------------------


def test_the_command_asks_scores_and_compares(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    root, out = tmp_path / "vsi", tmp_path / "out"
    SMALL["vsi-bench"].files(root)
    for row in vsi_rows()[:-1]:
        video(root / row["dataset"] / f"{row['scene_name']}.mp4", 4)
    typed = ["eval", "vsi-bench", "--data", str(root), "--output", str(out), "--device", "cpu"]
    assert cli.main([*typed, "--model", SSR]) == 1, "one video is missing"
    told = capsys.readouterr()
    assert "SSR, Table 2" in told.out and "Proxy3D, Table 3" in told.out
    assert "scene0009_00.mp4" in told.out
    assert "10 questions, where 5130 were published" in told.err
    scores = json.loads((out / "scores.json").read_text())
    assert (scores["questions"], scores["unanswered"]) == (10, 1)
    assert scores["calibration"]["answers"] == 9
    assert list(scores["data"]) == ["test.jsonl"] and len(scores["data"]["test.jsonl"]) == 64
    assert cv2.imread(str(out / "scores.png")).shape[2] == 3
    again = ["--predictions", str(out / "predictions-0.jsonl"), "--protocol", "lmms-2026"]
    assert cli.main([*typed, *again]) == 1
    assert json.loads((out / "scores.json").read_text())["protocol"] == "lmms-2026"
    assert cli.main([*typed, "--model", PROXY3D]) == 2
    assert "name another folder" in capsys.readouterr().err


def test_two_processes_answer_what_one_does(tmp_path: Path) -> None:
    root = tmp_path / "vsi"
    SMALL["vsi-bench"].files(root)
    for row in vsi_rows():
        video(root / row["dataset"] / f"{row['scene_name']}.mp4", 4)
    typed = ["eval", "vsi-bench", "--data", str(root), "--model", SSR, "--device", "cpu"]
    one, two = tmp_path / "one", tmp_path / "two"
    assert cli.main([*typed, "--output", str(one)]) == 0
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, *launch, "-m", "spatial_vlm_ros.cli", *typed, "--output", str(two)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("protocol vsi-2025: 10 questions") == 1, "said twice"
    assert len(list(two.glob("predictions-*.jsonl"))) == 2
    alone, shared = gathered(one), gathered(two)
    assert len(shared) == 10
    assert {name: each.text for name, each in shared.items()} == {
        name: each.text for name, each in alone.items()
    }


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["vsi"], "benchmark 'vsi' is not one of vsi-bench"),
        (["vsi-bench", "--part", "whole"], "--part: 'whole' is not one of full, debiased, pruned"),
        (["vsi-bench", "--protocol", "leo"], "--protocol: 'leo' is not one of vsi-2025, lmms-2026"),
        (["vsi-bench", "--limit", "-1"], "--limit: -1 is below 0"),
        (["scanrefer"], "ScanRefer needs --scenes"),
        (["vsi-bench"], "has no test.jsonl or test-00000-of-00001.parquet"),
    ],
)
def test_slips_are_named(
    typed: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["eval", *typed, "--data", str(tmp_path), "--model", SSR]) == 2
    assert said in capsys.readouterr().err
