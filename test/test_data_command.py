"""``spatial-vlm data``: scenes and rows by command, killed and begun again, and checked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from test_scene_readers import write_scannet

from spatial_vlm_ros.cli import main
from spatial_vlm_ros.commands.data_works import GENERATORS
from spatial_vlm_ros.data import converters, generators, readers
from spatial_vlm_ros.data.files import read_rows
from spatial_vlm_ros.data.scenes import (
    AnnotatedObject,
    AnnotatedScene,
    read_scenes,
    write_scenes,
)
from spatial_vlm_ros.scene.box import Box


def scanqa(number: int, **changed) -> dict[str, object]:
    return {
        "scene_id": "scene0000_00",
        "object_ids": [3],
        "object_names": ["chair"],
        "question_id": f"train-scene0000_00-{number}",
        "question": f"What colour is chair {number}?",
        "answers": ["brown", "dark brown"],
    } | changed


def write_scanqa(root: Path, *items: dict[str, object], split: str = "train") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / f"ScanQA_v1.0_{split}.json").write_text(json.dumps(items))
    return root


def some_scenes(path: Path, *names: str) -> Path:
    things = (
        AnnotatedObject(1, "chair", Box(1.0, 0.5, -1.0, 0.5, 0.5, 1.0, 0.0), "red", 0),
        AnnotatedObject(2, "table", Box(3.0, -0.5, -1.0, 1.5, 1.0, 0.8, 0.3), "brown", 1),
        AnnotatedObject(5, "lamp", Box(2.0, 2.0, 0.0, 0.3, 0.3, 0.5, 0.0), "", None),
        AnnotatedObject(6, "sofa", Box(4.5, 1.5, -1.0, 2.0, 0.9, 0.9, 1.2), "blue", 0),
    )
    write_scenes(path, [AnnotatedScene(name, things, np.eye(4), up="-y") for name in names])
    return path


def run(*words: object, status: int = 0) -> None:
    assert main(["data", *map(str, words)]) == status


@pytest.mark.parametrize(
    ("work", "package", "open_one"),
    [("convert", converters, converters.converter), ("scenes", readers, readers.reader)],
)
def test_list_says_what_there_is(work: str, package, open_one, capsys) -> None:
    with pytest.raises(SystemExit) as left:
        main(["data", work, "--list"])
    assert left.value.code == 0
    told = capsys.readouterr().out
    for name in package.NAMES:
        found = open_one(name)
        assert f"{name}: {found.license}" in told
        for line in found.layout.splitlines():
            assert f"  {line}\n" in told
        if work == "convert":
            assert (f"{name}: {found.license}; needs --scenes" in told) == found.needs_scenes


@pytest.mark.parametrize("work", ["scenes", "convert", "generate", "check"])
def test_help_imports_nothing_heavy(work: str) -> None:
    program = (
        "import sys\n"
        "from spatial_vlm_ros.cli import main\n"
        f"try: main(['data', '{work}', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'cv2', 'scipy', 'torch', 'transformers', 'pyarrow', 'tqdm'}\n"
        "print(heavy & set(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == "set()" and f"data {work}" in done.stdout


def test_generators_of_the_help_are_those_that_there_are() -> None:
    assert tuple(GENERATORS) == generators.NAMES


def test_scenes_and_what_is_no_scene(tmp_path: Path, capsys) -> None:
    folder = write_scannet(tmp_path)
    run("scenes", "scannet", tmp_path, "--output", tmp_path / "made" / "scenes.jsonl")
    told = capsys.readouterr().out
    assert told == f"written: {tmp_path / 'made' / 'scenes.jsonl'}, 1 scenes\n"
    assert list(read_scenes(tmp_path / "made" / "scenes.jsonl")) == ["scannet/scene0001_00"]

    for pose in (folder / "pose").iterdir():
        pose.unlink()
    before = (tmp_path / "made" / "scenes.jsonl").read_bytes()
    run("scenes", "scannet", tmp_path, "--output", tmp_path / "made" / "scenes.jsonl", status=2)
    assert "no scene that can be used: no camera pose 1" in capsys.readouterr().err
    assert (tmp_path / "made" / "scenes.jsonl").read_bytes() == before
    aside = json.loads((tmp_path / "made" / "scenes.rejected.jsonl").read_text())
    assert aside["reason"] == "no camera pose"


def test_convert_writes_rows_and_what_makes_none(tmp_path: Path, capsys) -> None:
    root = write_scanqa(
        tmp_path / "ScanQA", scanqa(0), scanqa(1, answers=[]), scanqa(2), scanqa(2, answers=["a"])
    )
    run("convert", "scanqa", root, "--output", tmp_path / "rows")
    told = capsys.readouterr().out
    assert f"written: {tmp_path / 'rows'}, 2 rows\n  question 2\n" in told
    assert "rejected 2: duplicate id 1, no answer 1\n" in told
    assert [row.question for row in read_rows(tmp_path / "rows")] == [
        *("What colour is chair 0?", "What colour is chair 2?")
    ]
    (path,) = (tmp_path / "rows").glob("rejected-*.jsonl")
    rejected = [json.loads(line) for line in path.read_text().splitlines()]
    assert rejected[0]["source"] == "ScanQA_v1.0_train.json[1]"
    assert rejected[0]["content"]["answers"] == []
    assert rejected[1]["content"]["answer"] == "a"

    run("convert", "scanqa", root, "--output", tmp_path / "rows")  # it is done
    assert "2 rows, 2 of them there before" in capsys.readouterr().out
    run("convert", "scanqa", root, "--output", tmp_path / "rows", "--shard-rows", 5, status=2)
    assert "holds another build (shard_rows 10000, not 5)" in capsys.readouterr().err
    run("convert", "scanqa", root, "--output", tmp_path / "p", "--format", "parquet")
    assert [path.name for path in (tmp_path / "p").glob("rows-*")] == ["rows-00000.parquet"]
    assert list(read_rows(tmp_path / "p")) == list(read_rows(tmp_path / "rows"))


def test_only_some_units(tmp_path: Path, capsys) -> None:
    root = write_scanqa(tmp_path / "ScanQA", scanqa(0))
    write_scanqa(root, scanqa(0, question_id="val-scene0000_00-0"), split="val")
    arguments = ["convert", "scanqa", root, "--output", tmp_path / "rows", "--only"]
    run(*arguments, "*-train-*")
    assert [row.id for row in read_rows(tmp_path / "rows")] == ["train/train-scene0000_00-0"]
    run(*arguments, "*-test-*", status=2)
    assert "--only *-test-*: none of scanqa-train-0000, scanqa-val" in capsys.readouterr().err
    run(*arguments, "*", status=2)
    assert 'another build (only "*-train-*", not "*")' in capsys.readouterr().err


def test_errors_of_users_say_what_to_do(tmp_path: Path, capsys) -> None:
    output = ["--output", tmp_path / "rows"]
    run("convert", "scanrefer", tmp_path, *output, status=2)
    assert "scanrefer needs --scenes FILE, made by `spatial-vlm data scenes`" in (
        capsys.readouterr().err
    )
    run("convert", "scanquiz", tmp_path, *output, status=2)
    assert "'scanquiz' is not one of scanqa, sqa3d" in capsys.readouterr().err
    run("convert", "scanqa", tmp_path / "nowhere", *output, status=2)
    assert "ScanQA_v1.0_train.json" in capsys.readouterr().err
    run("scenes", "scanrooms", tmp_path, *output, status=2)
    assert "scannet, scannetpp" in capsys.readouterr().err
    scenes = some_scenes(tmp_path / "scenes.jsonl", "mine/a")
    run("scenes", "simulated", tmp_path, "--output", tmp_path, status=2)
    assert f"--output {tmp_path} is a folder" in capsys.readouterr().err
    run("check", tmp_path / "nowhere", status=2)
    assert "No such file or directory" in capsys.readouterr().err
    run("generate", tmp_path / "rows", "--scenes", scenes, scenes, status=2)
    assert "has scenes that another file has as well: mine/a" in capsys.readouterr().err
    run("generate", tmp_path / "rows", "--scenes", scenes, "--most", 0, status=2)
    assert "--most is 0" in capsys.readouterr().err
    assert not (tmp_path / "rows").exists()
    write_scanqa(tmp_path / "ScanQA", scanqa(0, answers=[]))
    run("convert", "scanqa", tmp_path / "ScanQA", *output, status=1)  # nothing came of it
    assert "0 rows" in capsys.readouterr().out


def test_a_damaged_unit_ends_it_or_is_counted(tmp_path: Path, capsys, monkeypatch) -> None:
    scenes = some_scenes(tmp_path / "scenes.jsonl", "mine/a", "mine/b")
    from spatial_vlm_ros.data.generators import captions

    makes = captions.rows

    def rows(scene, seed, most):
        if scene.name == "mine/b":
            raise ZeroDivisionError("by nothing")
        return makes(scene, seed, most)

    arguments = ["generate", tmp_path / "rows", "--scenes", scenes, "--kinds", "captions"]
    with monkeypatch.context() as patched:
        patched.setattr(captions, "rows", rows)
        run(*arguments, status=2)
        assert "mine/b/captions failed: ZeroDivisionError: by nothing" in capsys.readouterr().err
        run("check", tmp_path / "rows", status=1)
        assert "is not finished: 0 of 2 units are done" in capsys.readouterr().out
    run(*arguments)
    assert "rejected" not in capsys.readouterr().out
    with monkeypatch.context() as patched:
        patched.setattr(captions, "rows", rows)
        run("generate", tmp_path / "other", *arguments[2:], "--keep-going")
    assert "rejected 1: unit failed 1" in capsys.readouterr().out
    run("check", tmp_path / "other")
    assert "rejected when made: unit failed 1" in capsys.readouterr().out


def test_generated_rows_are_of_the_seed_and_good(tmp_path: Path, capsys) -> None:
    scenes = some_scenes(tmp_path / "scenes.jsonl", "mine/a", "mine/b")

    def generated(name: str, *more: object) -> list:
        run("generate", tmp_path / name, "--scenes", scenes, "--most", 3, *more)
        run("check", tmp_path / name, "--scenes", scenes)
        return list(read_rows(tmp_path / name))

    first = generated("first", "--kinds", "identifiers", "coordinates")
    assert {row.scene for row in first} == {"mine/a", "mine/b"}
    assert generated("again", "--kinds", "coordinates", "identifiers") == first
    assert generated("other", "--kinds", "identifiers", "coordinates", "--seed", 1) != first
    everything = generated("all")
    assert len({row.dataset for row in everything}) == len(GENERATORS)
    assert "spacespan-identifiers: " in capsys.readouterr().out


def test_generated_rows_are_the_same_in_every_process(tmp_path: Path) -> None:
    """Otherwise a build that goes on in another would have rows twice, or not at all."""
    scenes = some_scenes(tmp_path / "scenes.jsonl", "mine/a")
    typed = [sys.executable, "-m", "spatial_vlm_ros.cli", "data", "generate"]
    for seed in "12":
        subprocess.run(
            [*typed, str(tmp_path / seed), "--scenes", str(scenes)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            timeout=60,
        )
    first, second = ((tmp_path / seed / "rows-00000.jsonl").read_bytes() for seed in "12")
    assert first == second and first.count(b"\n") > 50


def test_a_convert_that_is_killed_goes_on(tmp_path: Path) -> None:
    root = write_scanqa(tmp_path / "ScanQA", *map(scanqa, range(3000)))
    typed = [sys.executable, "-m", "spatial_vlm_ros.cli", "data", "convert", "scanqa", str(root)]
    typed += ["--shard-rows", "50", "--output"]
    subprocess.run([*typed, str(tmp_path / "whole")], check=True, timeout=60)
    process = subprocess.Popen([*typed, str(tmp_path / "rows")])
    end = time.monotonic() + 30
    while len(list(tmp_path.glob("rows/rows-*"))) < 5 and time.monotonic() < end:
        time.sleep(0.001)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not json.loads((tmp_path / "rows" / "manifest.json").read_text())["finished"]
    done = subprocess.run(
        [*typed, str(tmp_path / "rows")], capture_output=True, text=True, timeout=60
    )
    assert "of them there before" in done.stdout, done.stderr
    whole, resumed = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("whole", "rows")
    )
    assert resumed == whole and len(whole) == 61


def test_check_counts_and_names_what_is_bad(tmp_path: Path, capsys) -> None:
    root = write_scanqa(tmp_path / "ScanQA", *map(scanqa, range(3)))
    run("convert", "scanqa", root, "--output", tmp_path / "rows")
    capsys.readouterr()
    run("check", tmp_path / "rows")
    assert capsys.readouterr().out.splitlines() == [
        "scanqa: 3 rows",
        "  question            3",
    ]
    scenes = some_scenes(tmp_path / "scenes.jsonl", "scannet/scene0000_00")
    run("check", tmp_path / "rows", "--scenes", scenes, status=1)
    told = capsys.readouterr().out.splitlines()
    file = tmp_path / "rows" / "rows-00000.jsonl"
    assert told[2] == f"bad: {file}:1: scene scannet/scene0000_00 has no object 3"
    other = some_scenes(tmp_path / "other.jsonl", "mine/a")
    run("check", file, "--scenes", other, status=1)
    assert "scene scannet/scene0000_00 is not among the scenes" in capsys.readouterr().out

    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:2], lines[1], b'{"id": 1}\n', *[b"[]\n"] * 30]))
    run("check", tmp_path / "rows", status=1)
    told = capsys.readouterr().out.splitlines()
    assert told[2].endswith("is not as the build wrote it: its SHA-256 is another")
    assert told[3].startswith(f"bad: {file}:3 has the id of {file}:2: train/")
    assert told[4].startswith(f"bad: {file}:4 is no row: a row has no dataset, scene")
    assert told[-1] == "bad: 13 more" and len(told) == 2 + 20 + 1
    file.unlink()
    run("check", tmp_path / "rows", status=1)
    assert "rows-00000.jsonl is missing" in capsys.readouterr().out
    (tmp_path / "nothing.jsonl").write_text("\n")
    run("check", tmp_path / "nothing.jsonl", status=1)
    assert capsys.readouterr().out == "no rows\n"
