"""docs/data.md: its commands run on small data, and its tables are the program's."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from test_data_command import scanqa, write_scanqa
from test_scene_readers import write_scannet

from spatial_vlm_ros.cli import main
from spatial_vlm_ros.commands.data import GENERATORS
from spatial_vlm_ros.data.converters import NAMES
from spatial_vlm_ros.data.files import read_rows
from spatial_vlm_ros.data.row import TASKS, Rejected, Row

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "data.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [shlex.split(line) for kind, block in BLOCKS if not kind for line in block.splitlines()]


def table(heading: str) -> list[list[str]]:
    """Cells of the table whose first column is called so."""
    (rows,) = re.findall(
        rf"^\| {re.escape(heading)} \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE
    )
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip("|"))]
        for row in rows.splitlines()
    ]


def first_column(heading: str) -> list[str]:
    return [row[0].strip("`") for row in table(heading)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page's commands have been run, in its order, on small data sets."""
    pytest.importorskip("embreex")
    pytest.importorskip("pyarrow")
    folder = tmp_path_factory.mktemp("data_doc")
    write_scannet(folder / "data" / "scannet")
    write_scanqa(folder / "data" / "ScanQA", scanqa(0), scanqa(1, answers=[]))
    (folder / "data" / "ScanRefer").mkdir()
    item = {
        "scene_id": "scene0001_00",
        "object_id": "1",
        "object_name": "office_chair",
        "ann_id": "0",
        "description": "a black chair, left of the table",
        "token": [],
    }
    (folder / "data" / "ScanRefer" / "ScanRefer_filtered_train.json").write_text(json.dumps([item]))
    assert {words[0] for words in COMMANDS} == {"spatial-vlm"} and len(COMMANDS) == 8
    for words in COMMANDS:
        arguments = [*words[1:], *(["--fps", "1"] if words[1] == "simulate" else [])]
        with pytest.MonkeyPatch.context() as patched, redirect_stdout(io.StringIO()) as said:
            patched.chdir(folder)
            assert main(arguments) == 0, words
        assert said.getvalue().strip()
    return folder


def test_commands_leave_what_they_promise(folder: Path) -> None:
    generated = list(read_rows(folder / "rows" / "rooms"))
    assert len(generated) > 100
    assert {row.scene for row in generated} == {"simulated/first"}
    (row,) = read_rows(folder / "rows" / "scanqa")
    assert row.answer == "brown"
    (row,) = read_rows(folder / "rows" / "scanrefer" / "rows-00000.parquet")
    assert row.scene == "scannet/scene0001_00" and row.targets == (1,)


def test_python_example_prints_rows(folder: Path) -> None:
    (example,) = [block for kind, block in BLOCKS if kind == "python"]
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("simulated/first ") > 100


def test_examples_are_a_row_and_a_rejected_thing() -> None:
    line, aside = (json.loads(block) for kind, block in BLOCKS if kind == "json")
    assert line.pop("version") == 1
    row = Row.from_json(line)
    assert json.loads(row.answer)[0]["bbox_3d"] == list(row.boxes[0].to_tuple())
    assert Rejected(**aside).content["answers"] == []


def test_fields_tasks_and_generators_are_those_that_there_are() -> None:
    fields = dataclasses.fields(Row)
    assert first_column("field") == [field.name for field in fields]
    needed = [field.name for field in fields if field.default is dataclasses.MISSING]
    assert len(needed) == 6 and [field.name for field in fields[:6]] == needed
    assert {row[0].strip("`"): row[1] for row in table("task")} == TASKS
    assert first_column("`--kinds`") == GENERATORS


@pytest.mark.parametrize("work", ["scenes", "convert"])
def test_names_licences_and_layouts_are_those_of_the_list(work: str, capsys) -> None:
    """When this fails, put what the command prints in the place of the block."""
    with pytest.raises(SystemExit):
        main(["data", work, "--list"])
    assert capsys.readouterr().out.strip() in [
        block.strip() for kind, block in BLOCKS if kind == "text"
    ]


def test_every_data_set_is_in_the_table() -> None:
    assert tuple(first_column("name")) == NAMES


def test_numbers_are_those_of_the_program() -> None:
    with pytest.raises(SystemExit), pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys.stdout, "write", (said := []).append)
        main(["data", "generate", "--help"])
    told = " ".join("".join(said).split())
    for option in ("--most", "--shard-rows"):
        (number,) = re.findall(rf"`{option}`[^`]*?\(default (\d+)\)", PAGE)
        assert re.search(rf"{option} N .*?\(default {number}\)", told), option


def test_links_lead_somewhere() -> None:
    heads = {
        re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-")
        for head in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    }
    for target, anchor in re.findall(r"\]\((?!https:)([^)#]*)#?([^)]*)\)", PAGE):
        assert not target or (ROOT / "docs" / target).exists(), target
        assert target or anchor in heads, anchor
    assert "docs/data.md" in (ROOT / "README.md").read_text()
