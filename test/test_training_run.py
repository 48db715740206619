"""Small models that learn a few rows by heart, break off and go on. Takes 75 s on one core."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch
from opened_models import encoder_of, keyframe, opened
from safetensors.torch import load_file
from small_lessons import SCENES, frames, proxies, rows, scene, school, write_rows

from spatial_vlm_ros.data.generators.graph import scene_graph
from spatial_vlm_ros.proxies.scene_proxies import Reading
from spatial_vlm_ros.proxies.sequence import ProxySequence
from spatial_vlm_ros.reasoning.answer import Reasoner, Seen
from spatial_vlm_ros.training.config_file import load
from spatial_vlm_ros.training.exam import answers
from spatial_vlm_ros.training.lessons import asked, lesson
from spatial_vlm_ros.training.opening import open_pupil
from spatial_vlm_ros.training.parts import part_of
from spatial_vlm_ros.training.run import train

POINTS = {"spatial": "points", "spatial_width": 16}
NEW = {"position": 1e-3, "gate": 1e-2}
#: One update learns all three rooms.
TOGETHER = {"questions": 16}
MODELS: dict[str, dict[str, Any]] = {
    "Proxy3D": {"kind": "proxy3d", "rates": {"language": 1e-2, **NEW}},
    "SSR-2D": {"kind": "ssr", "shown": "frames", "rates": {"language": 1e-2}},
    "SSR-3D": {
        "kind": "ssr",
        "shown": "frames",
        "rates": {"language": 1e-2, "spatial": 1e-3},
        "model": POINTS,
    },
}


def run(path: Path, resume: bool = False, until: int = 0) -> tuple[dict[str, Any], list[str]]:
    """The report, and what was said. until: it is broken off behind that update."""
    said: list[str] = []

    def hear(text: str) -> None:
        said.append(text)
        if until and text.startswith(f"{until}/"):
            raise KeyboardInterrupt

    return train(load(path), resume, hear), said


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """As they are written."""
    return load_file(folder / "model.safetensors")


def states(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Weights before a training, and behind it, by the names that the model has for them."""
    config = load(path)
    before = open_pupil(config).loaded.model.state_dict()
    run(path)
    model = replace(config.model, checkpoint=f"{config.output.folder}/model", spatial="")
    return before, open_pupil(replace(config, model=model)).loaded.model.state_dict()


@pytest.mark.parametrize("name", MODELS)
def test_rows_are_learnt_by_heart_and_the_reasoner_knows_them(tmp_path: Path, name: str) -> None:
    settings = MODELS[name]
    kind = settings["kind"]
    path = school(
        tmp_path,
        **settings,
        data=TOGETHER,
        training={"steps": 80, "batch": 3, "warmup": 0.05},
    )
    report, said = run(path)
    losses = [float(line.split("loss ")[1].split()[0]) for line in said if "  loss " in line]
    assert len(losses) == 80 and losses[0] > 3 and losses[-1] < 0.05
    assert report["rows"] >= 16
    pupil = open_pupil(load(path, [f"model.checkpoint={tmp_path / 'out' / 'model'}"]))
    for row, text, right in answers(rows(kind=kind), pupil.loaded, pupil.teacher, 100):
        taught = lesson(row, kind, pupil.teacher.numbering(row.scene))
        assert (text, right) == (taught.answer, 1.0)

    model = tmp_path / "out" / "model"
    kept = json.loads((model / "config.json").read_text())
    assert (kept["model_type"], kept["dtype"]) == (kind, "float32")
    reasoner = opened(kind, model, max_tokens=100)
    for row in rows(kind=kind):
        answer = reasoner.ask(asked(row), scene_graph(scene(row.scene)), seen(reasoner, row.scene))
        assert answer.reasoner == kind, answer.warnings
        if row.options:
            assert answer.value == row.options["ABC".index(row.answer)]
        elif row.task in ("counting", "distance"):
            assert answer.value == float(row.answer)
        elif row.task == "grounding":
            assert answer.objects == row.targets
        else:
            assert answer.text.split(" (")[0] == row.answer.split(" (")[0]


def seen(reasoner: Reasoner, name: str) -> Seen:
    """What the store has of a scene, as a robot would give it to the reasoner."""
    if reasoner.name == "proxy3d":
        stored = proxies(scene(name))
        counts = torch.ones(len(stored.groups), dtype=torch.int64)
        sequence = ProxySequence(stored.features, stored.points_scene, stored.groups, counts)
        return Seen(Reading(sequence, 1, 0, encoder_of(reasoner)))
    film = frames(scene(name))
    shots = []
    for n, (image, points) in enumerate(zip(film.images, film.spatial, strict=True)):
        rgb = image.permute(1, 2, 0).numpy()
        whole = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].tobytes()
        number = 10 * SCENES.index(name) + n
        shots.append(replace(keyframe(number, [3]), jpeg=whole, points_scene=points.numpy()))
    return Seen(keyframes=tuple(shots))


def test_who_does_not_see_the_rooms_cannot_tell_them_apart(tmp_path: Path) -> None:
    path = school(
        tmp_path,
        shown="nothing",
        data={**TOGETHER, "held_out": [str(tmp_path / "proxy3d.jsonl")]},
        rates={"language": 1e-2},
        training={"steps": 60, "batch": 3},
    )
    report, _ = run(path)
    assert report["eval_accuracy_nearest"] == pytest.approx(1 / 3)
    assert report["eval_accuracy_counting"] == 1


def test_stage_two_of_ssr_starts_from_stage_one(tmp_path: Path) -> None:
    school(tmp_path)
    first = school(tmp_path, **MODELS["SSR-2D"])
    run(first)
    model = {**POINTS, "checkpoint": str(tmp_path / "out" / "model")}
    settings = {**MODELS["SSR-3D"], "model": model, "output": {"folder": str(tmp_path / "two")}}
    second = school(tmp_path, **settings, training={"steps": 1})
    begun = open_pupil(load(second)).loaded.model.state_dict()
    learnt = weights(tmp_path / "out" / "model")
    merger = begun["model.visual.merger.mlp.0.weight"]
    assert torch.equal(begun["spatial.projector.mlp.0.weight"], merger)
    assert torch.equal(begun["lm_head.weight"], learnt["lm_head.weight"])
    run(second)
    assert "spatial.transform.0.weight" in weights(tmp_path / "two" / "model")


@pytest.mark.parametrize(
    "more",
    [
        {**MODELS["Proxy3D"], "data": {"shuffle_numbers": True}, "lora": {"rank": 2,
                                                                          "dropout": 0.3}},
        {**MODELS["SSR-3D"], "data": {"drop_geometry": 0.5}},
    ],
    ids=["Proxy3D with adapters", "SSR-3D"],
)  # fmt: skip
def test_a_broken_run_goes_on_as_if_it_had_not_been(tmp_path: Path, more: dict[str, Any]) -> None:
    more = {**more, "training": {"steps": 7, "accumulation": 2, "weight_decay": 0.1}}
    held_out = [str(tmp_path / f"{more['kind']}.jsonl")]
    more["data"] = {**more["data"], "held_out": held_out}

    def path(name: str) -> Path:
        output = {"folder": str(tmp_path / name), "save_every": 3}
        exam = {"every": 3 if name == "whole" else 0, "answers": 3}  # which changes nothing
        return school(tmp_path, **more, exam=exam, output=output)

    run(path("whole"))
    with pytest.raises(KeyboardInterrupt):
        run(path("broken"), until=5)
    assert not (tmp_path / "broken" / "model").exists()
    torch.rand(7)  # what is drawn elsewhere changes nothing
    _, said = run(path("broken"), resume=True)
    assert any(line.startswith("goes on from") and "checkpoint-3" in line for line in said)
    assert not any(line.startswith(("1/", "2/", "3/")) for line in said)
    unbroken, resumed = (weights(tmp_path / name / "model") for name in ("whole", "broken"))
    started = weights(tmp_path / "plain")
    assert unbroken.keys() == resumed.keys()
    assert all(torch.equal(unbroken[part], resumed[part]) for part in unbroken)
    assert any(not torch.equal(unbroken[part], started[part]) for part in started)


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    more = {**MODELS["Proxy3D"], "training": {"steps": 60}}

    def path(name: str, **output: Any) -> Path:
        return school(tmp_path, **more, output={"folder": str(tmp_path / name), **output})

    command = [sys.executable, "-m", "spatial_vlm_ros.cli", "train"]
    killed = subprocess.Popen([*command, path("killed", save_every=5)], stderr=subprocess.PIPE)
    state = tmp_path / "killed" / "checkpoint-10" / "trainer_state.json"
    for _ in range(600):
        if state.exists() or killed.poll() is not None:
            break
        time.sleep(0.1)
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    cut_off = tmp_path / "killed" / "checkpoint-55"  # as if it had been killed while writing it
    cut_off.mkdir()
    (cut_off / "trainer_state.json").write_text('{"epoch": ')
    done = subprocess.run([*command, path("killed", save_every=5), "--resume"],
                          capture_output=True, text=True, timeout=300)  # fmt: skip
    assert done.returncode == 0 and "goes on from" in done.stderr, done.stderr
    run(path("whole"))
    whole, resumed = (weights(tmp_path / name / "model") for name in ("whole", "killed"))
    assert all(torch.equal(whole[part], resumed[part]) for part in whole)


def test_only_what_has_a_rate_learns(tmp_path: Path) -> None:
    rates = {"language": "frozen", "merger": 1e-3, "spatial": 1e-3}
    settings = {**MODELS["SSR-3D"], "rates": rates}
    before, after = states(school(tmp_path, **settings, training={"steps": 3}))
    moved = {part_of(name) for name in before if not torch.equal(before[name], after[name])}
    assert before.keys() == after.keys() and moved == {"merger", "spatial"}


def test_parts_learn_at_rates_of_their_own(tmp_path: Path) -> None:
    rates = {"language": 1e-3, "position": 1e-5, "gate": 0.1}
    steps = {"steps": 1, "schedule": "constant_with_warmup"}
    before, after = states(school(tmp_path, rates=rates, training=steps))

    def step(name: str) -> float:  # of Adam, the first is as long as the rate
        return float((after[name] - before[name]).abs().max())

    assert step("position.gate") == pytest.approx(0.1, rel=1e-3)
    assert step("position.mlp.2.weight") == pytest.approx(1e-5, rel=1e-3)
    assert step("lm_head.weight") == pytest.approx(1e-3, rel=1e-3)


def test_adapters_learn_and_are_merged(tmp_path: Path) -> None:
    lora = {"rank": 4, "alpha": 8, "modules": ["q_proj", "down_proj"], "adapter": True}
    path = school(tmp_path, **MODELS["Proxy3D"], lora=lora, training={"steps": 5})
    before, after = states(path)
    changed = {name: after[name] - before[name] for name in before}
    changed = {name: change for name, change in changed.items() if change.any()}
    layers = {name.split(".")[-2] for name in changed if "language_model" in name}
    assert layers == {"q_proj", "down_proj"}
    assert {part_of(name) for name in changed} == {"language", "position", "gate"}
    adapter = load_file(tmp_path / "out" / "model" / "adapter.safetensors")
    stem = "model.language_model.layers.1.self_attn.q_proj"
    up, down = (adapter[f"{stem}.lora_{side}.default.weight"] for side in "BA")
    assert up.shape[1] == 4
    torch.testing.assert_close(changed[f"{stem}.weight"], 2 * up @ down, rtol=1e-4, atol=1e-6)
    opened("proxy3d", tmp_path / "out" / "model")


@pytest.mark.parametrize("precision", ["bf16", "bf16_weights"])
@pytest.mark.parametrize("name", ["Proxy3D", "SSR-3D"])
def test_half_precision(tmp_path: Path, name: str, precision: str) -> None:
    settings = MODELS[name]
    held_out = [str(tmp_path / f"{settings['kind']}.jsonl")]
    path = school(
        tmp_path,
        **settings,
        data={**TOGETHER, "held_out": held_out},
        exam={"answers": 3, "max_tokens": 8},
        training={"steps": 25, "batch": 3, "precision": precision},
        output={"dtype": "bfloat16"},
    )
    report, said = run(path)
    losses = [float(line.split("loss ")[1].split()[0]) for line in said if "  loss " in line]
    assert losses[-1] < 0.7 * losses[0] and report["eval_loss"] < 0.7 * losses[0]
    assert weights(tmp_path / "out" / "model")["lm_head.weight"].dtype == torch.bfloat16
    opened(settings["kind"], tmp_path / "out" / "model")


def test_layers_that_are_computed_again_learn_the_same(tmp_path: Path) -> None:
    for name, again in (("once", False), ("again", True)):
        output = {"folder": str(tmp_path / name)}
        run(school(tmp_path, **MODELS["SSR-3D"], output=output, training={"recompute": again}))
    once, again = (weights(tmp_path / name / "model") for name in ("once", "again"))
    for part in once:
        torch.testing.assert_close(once[part], again[part])


def test_processes_that_prepare_data_change_nothing(tmp_path: Path) -> None:
    for workers in (0, 2):
        output = {"folder": str(tmp_path / str(workers))}
        more = {"data": {"shuffle_numbers": True}, "training": {"workers": workers}}
        run(school(tmp_path, **MODELS["Proxy3D"], output=output, **more))
    alone, helped = (weights(tmp_path / name / "model") for name in ("0", "2"))
    assert all(torch.equal(alone[part], helped[part]) for part in alone)


def test_what_is_logged(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    path = school(
        tmp_path,
        data={"held_out": [str(tmp_path / "proxy3d.jsonl")]},
        exam={"every": 3, "answers": 4, "max_tokens": 4},
    )
    report, _ = run(path)
    events = EventAccumulator(str(tmp_path / "out" / "logs"))
    events.Reload()
    names = set(events.Tags()["scalars"])
    tasks = {f"eval/accuracy_{row.task}" for row in rows()}
    assert {"train/loss", "train/rate_language", "train/epochs", "eval/loss"} <= names
    assert len(tasks & names) == 4  # of four rows, each is of another task
    assert [event.step for event in events.Scalars("eval/loss")] == [
        3,
        4,
    ]  # the last one at the end
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("model", "logs", "rows", "settings.yaml", "data.json", "report.json")
    }
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2, 3, 4]
    written = json.loads((tmp_path / "out" / "report.json").read_text())
    assert written == report and written["updates"] == 4


def test_rows_that_cannot_be_learnt_are_counted(tmp_path: Path) -> None:
    school(tmp_path)
    good = rows()
    unknown = [type(row)(**{**vars(row), "scene": "scannet/scene0000_00"}) for row in good[:2]]
    numbered = [type(row)(**{**vars(row), "question": "What is #99?"}) for row in good[2:3]]
    mixed = write_rows(tmp_path / "mixed" / "rows.jsonl", [*good, *unknown, *numbered])
    path = school(tmp_path, data={"train": [{"rows": str(mixed), "tasks": [], "limit": 10}]})
    report, said = run(path)
    assert report["rows"] == 10
    assert report["left_out"] == {
        "its scene is not there": 2,
        "names an object that has no number for the model": 1,
        "over the limit": 8,
    }
    assert any("2 its scene is not there" in line for line in said)


def other_tower(folder: Path) -> None:
    store = folder / "proxies" / "store.json"
    head = json.loads(store.read_text()) | {"encoder": "other-0123456789ab"}
    store.write_text(json.dumps(head))


def other_scenes(folder: Path) -> None:
    unknown = [replace(row, scene=row.scene.partition("/")[2]) for row in rows()]
    write_rows(folder / "proxy3d.jsonl", unknown)


def many_numbers(folder: Path) -> None:
    asked = [type(row)(**{**vars(row), "question": "What is #8?"}) for row in rows()]
    write_rows(folder / "proxy3d.jsonl", asked)


@pytest.mark.parametrize(
    ("more", "damage", "said"),
    [
        ({"model": {"checkpoint": "/nowhere"}}, None, "no folder /nowhere"),
        ({"model": {"spatial": "points", "kind": "ssr"}, "shown": "proxies"}, None, "data.shown"),
        ({}, other_tower, "has features of other-0123456789ab"),
        ({"data": {"train": ["/nowhere.jsonl"]}}, None, "/nowhere.jsonl"),
        ({}, other_scenes, "(18 its scene is not there; the last one is simulated/room-3-1, of"),
        ({"data": {"store": "/nowhere"}}, None, "/nowhere"),
        ({"data": {"scenes": ["/nowhere.jsonl"]}}, None, "/nowhere.jsonl does not exist"),
        ({}, many_numbers, "has no row to learn (18 names an object"),
        ({"lora": {"rank": 2, "modules": ["qkv_proj"]}}, None, "lora.modules"),
        ({"training": {"precision": "fp16"}}, None, "fp16 needs a GPU"),
        ({"training": {"device": "cuda"}}, None, "no GPU that PyTorch can use"),
        ({"model": {"attention": "flash_attention_2"}}, None, "needs a GPU and the package"),
        ({"kind": "ssr", "shown": "frames", "rates": {"language": 1e-3, "spatial": 1e-3}}, None,
         "rates.spatial: the model has no such part"),
        ({"kind": "ssr", "shown": "frames", "model": {"kind": "ssr", **POINTS},
          "data": {"store": "{folder}/proxies"}}, None, "not of frames"),
        ({"kind": "ssr", "shown": "frames", "model": {"spatial": "vggt", "spatial_width": 7}},
         None, "has 3 channels of geometry, the model reads 7"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], damage: Any, said: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    school(tmp_path)
    if damage is not None:
        damage(tmp_path)
    text = school(tmp_path, **more).read_text().replace("{folder}", str(tmp_path))
    path = tmp_path / "train.yaml"
    path.write_text(text)
    with pytest.raises((ValueError, OSError)) as error:
        run(path)
    assert said in str(error.value)
    assert not (tmp_path / "out" / "model").exists()


def test_a_training_is_not_overwritten_and_not_gone_on_with_otherwise(tmp_path: Path) -> None:
    path = school(tmp_path, output={"save_every": 2})
    run(path)
    with pytest.raises(ValueError, match="go on with --resume"):
        run(path)
    changed = school(tmp_path, training={"seed": 1}, output={"save_every": 2})
    with pytest.raises(ValueError, match=r"training\.seed 0 is now 1"):
        run(changed, resume=True)
    fewer = school(tmp_path, output={"save_every": 2})
    write_rows(tmp_path / "proxy3d.jsonl", rows()[:-1])
    with pytest.raises(ValueError, match="rows 18 is now 17"):
        run(fewer, resume=True)
    damaged = tmp_path / "out" / "checkpoint-4" / "model.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:9000])
    school(tmp_path, output={"save_every": 2})
    write_rows(tmp_path / "proxy3d.jsonl", rows())
    with pytest.raises(ValueError, match="checkpoint-4 is damaged .* delete it to go on from"):
        run(path, resume=True)


def test_denormal_numbers_count_again_behind_a_training(tmp_path: Path) -> None:
    run(school(tmp_path, training={"steps": 1}))
    assert float(torch.tensor([1e-40]) * 1) > 0
