"""docs/evaluation.md: its commands run on small data, its tables are the program's. Takes 60 s."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from scan_world import SCENE, room, write_scannet
from small_benchmarks import SMALL, lines, vsi_rows
from small_hub import HubModel, SmallHub
from test_benchmark_answers import video

from spatial_vlm_ros import cli
from spatial_vlm_ros.benchmarks.controls import Control
from spatial_vlm_ros.benchmarks.predictions import read_predictions
from spatial_vlm_ros.benchmarks.registry import NAMES, benchmark, listing
from spatial_vlm_ros.benchmarks.report import paper_rows
from spatial_vlm_ros.data.scenes import read_scenes

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "evaluation.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [shlex.split(line) for kind, block in BLOCKS if not kind for line in block.splitlines()]


def first_column(heading: str) -> list[tuple[str, str]]:
    """Of the table whose first column is called so: its first two cells, without quotes."""
    (rows,) = re.findall(
        rf"^\| {re.escape(heading)} \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE
    )
    cells = [row.strip("|").split("|") for row in rows.splitlines()]
    return [(first.strip(" `"), second.strip(" `")) for first, second, *_ in cells]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """With what the page's commands read, and a hub that has VSI-Bench."""
    pytest.importorskip("embreex")
    monkeypatch.chdir(tmp_path)
    published = tmp_path / "published"
    SMALL["vsi-bench"].files(published)
    with zipfile.ZipFile(published / "scannet.zip", "w") as archive:
        for row in vsi_rows():
            name = f"scannet/{row['scene_name']}.mp4"
            archive.write(video(tmp_path / "videos" / name, 4), name)
    answers = SMALL["vsi-bench"].right
    lines(tmp_path / "theirs.jsonl", [{"id": i, "text": a.text} for i, a in answers.items()])
    write_scannet(tmp_path / "data" / "scannet", room())
    SMALL["scanrefer"].files(tmp_path / "benchmarks" / "scanrefer")
    with SmallHub() as hub:
        hub.models[benchmark("vsi-bench").hub] = HubModel(published)
        hub.be_known(monkeypatch, tmp_path / "cache")
        yield tmp_path


def describe_room(folder: Path) -> None:
    """ScanRefer's file, about what the scan has."""
    path = folder / "benchmarks/scanrefer/ScanRefer_filtered_val.json"
    (scene,) = read_scenes(folder / "scenes.jsonl").values()
    rows = [
        {
            "scene_id": SCENE,
            "object_id": str(item.id),
            "object_name": item.category.replace(" ", "_"),
            "ann_id": "0",
            "description": f"the {item.colour} {item.category}",
            "token": ["the", item.category],
        }
        for item in scene.objects[:3]
    ]
    path.write_text(json.dumps(rows))


def scores(folder: Path, name: str) -> dict:
    return json.loads((folder / "evaluation" / name / "scores.json").read_text())


def test_commands_work(folder: Path) -> None:
    for words in COMMANDS:
        if words[0] == "torchrun":
            command = [sys.executable, "-m", "torch.distributed.run", "--standalone", *words[1:]]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, done.stderr
            continue
        assert words[0] == "spatial-vlm"
        if words[2] == "scanrefer":
            describe_room(folder)
        assert cli.main(words[1:]) == 0, words
    assert scores(folder, "vsi-bench")["questions"] == 10
    assert scores(folder, "vsi-bench")["unanswered"] == 0
    assert scores(folder, "theirs")["metrics"]["average"] == 100
    assert scores(folder, "scanrefer")["questions"] == 3
    assert scores(folder, "grounding")["metrics"]["Acc@0.5"] == 100
    assert len(list((folder / "evaluation/shared").glob("predictions-*.jsonl"))) == 2
    lost = json.loads((folder / "evaluation/room-bench/failures.json").read_text())
    assert set(lost["average"]) == {"perception", "parsing", "reasoning"}
    for kind in ("alone", "system"):
        assert (folder / "evaluation/room-bench" / kind / "scores.png").exists()


def test_the_list_is_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """When this fails, put what the command prints in the place of the block."""
    with pytest.raises(SystemExit):
        cli.main(["eval", "--list"])
    said = capsys.readouterr().out.strip()
    assert said == listing()
    assert said in [block.strip() for kind, block in BLOCKS if kind == "text"]


def test_every_protocol_is_told() -> None:
    told = {
        (name, protocol)
        for names, protocol in first_column("benchmark")
        for name in names.split(", ")
    }
    assert told == {(name, each) for name in NAMES for each in benchmark(name).protocols}


def test_controls_are_those_that_there_are() -> None:
    told = [name for name, _ in first_column("`--control`")]
    assert ["none", *told] == [each.value for each in Control]


def test_example_lines_are_predictions(tmp_path: Path) -> None:
    (example,) = [block for kind, block in BLOCKS if kind == "json"]
    path = tmp_path / "theirs.jsonl"
    path.write_text(example)
    found = read_predictions(path)
    assert len(found) == 4 and found["23"].failed
    fields = {name for line in example.splitlines() for name in json.loads(line)}
    assert fields == {name for name, _ in first_column("field")}


def test_rows_of_the_papers_are_counted() -> None:
    (count,) = re.findall(r"has (\d+) rows of both papers", PAGE)
    path = ROOT / "spatial_vlm_ros/benchmarks/paper_rows.json"
    assert int(count) == len(json.loads(path.read_text()))
    assert all(paper_rows(name) for name in NAMES if name in SMALL)


def test_the_readme_types_what_this_page_does() -> None:
    readme = (ROOT / "README.md").read_text()
    (line,) = re.findall(r"^spatial-vlm room-bench.*$", readme, re.MULTILINE)
    assert shlex.split(line) == COMMANDS[0][:4]


def test_links_lead_here() -> None:
    for page in ("README.md", "docs/architecture.md"):
        assert "evaluation.md" in (ROOT / page).read_text(), page
