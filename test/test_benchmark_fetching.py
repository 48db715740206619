"""Benchmarks brought from a small hub on this machine, unpacked, and asked."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from small_benchmarks import SMALL, vsi_rows
from small_hub import COMMIT, HubModel, SmallHub
from test_benchmark_answers import SSR, video

from spatial_vlm_ros import cli
from spatial_vlm_ros.benchmarks.registry import benchmark

NAME = benchmark("vsi-bench").hub


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It has VSI-Bench as published: a table, and archives of videos."""
    published = tmp_path / "published"
    SMALL["vsi-bench"].files(published)
    with zipfile.ZipFile(published / "scannet.zip", "w") as archive:
        for row in vsi_rows():
            name = f"scannet/{row['scene_name']}.mp4"
            archive.write(video(tmp_path / name, 4), name)
    with SmallHub() as made:
        made.models[NAME] = HubModel(published)
        made.be_known(monkeypatch, tmp_path / "cache")
        yield made


def run(name: str, folder: Path, *more: str) -> int:
    typed = ["eval", name, "--data", str(folder / "data"), "--output", str(folder / "out")]
    return cli.main([*typed, "--model", SSR, "--device", "cpu", *more])


def test_a_benchmark_is_fetched_once_and_asked(hub: SmallHub, tmp_path: Path, capsys) -> None:
    assert run("vsi-bench", tmp_path, "--fetch") == 0, "all videos are there"
    assert f"{NAME} at {COMMIT}, licence apache-2.0" in capsys.readouterr().out
    assert (tmp_path / "data/scannet/scene0003_00.mp4").stat().st_size > 1000
    contents = len(hub.given())
    assert contents >= 2
    (tmp_path / "data/scannet/scene0003_00.mp4").write_bytes(b"cut off")
    assert run("vsi-bench", tmp_path, "--fetch") == 0
    assert len(hub.given()) == contents, "fetched again"
    assert (tmp_path / "data/scannet/scene0003_00.mp4").stat().st_size > 1000, "not unpacked again"


def test_what_cannot_be_fetched_is_named(
    hub: SmallHub, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("scanqa", tmp_path, "--fetch") == 2
    assert "ScanQA is not on the hub; it is read from" in capsys.readouterr().err
    assert run("mindcube", tmp_path, "--fetch") == 2
    assert "has no data set MLL-Lab/MindCube" in capsys.readouterr().err
    (tmp_path / "published/scannet.zip").write_bytes(b"no archive")
    assert run("vsi-bench", tmp_path, "--fetch") == 2
    assert "scannet.zip" in capsys.readouterr().err
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert run("vsi-bench", tmp_path / "other", "--fetch") == 2
    assert "is there a network?" in capsys.readouterr().err
