"""docs/training.md: its commands run on a small model; its tables are the program's. Takes 30 s."""

from __future__ import annotations

import dataclasses
import re
import shlex
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from scan_world import SCENE, room, write_scannet
from small_vlm import save_small_vlm

from spatial_vlm_ros import cli
from spatial_vlm_ros.settings import default_of
from spatial_vlm_ros.training.config import Source, TrainConfig
from spatial_vlm_ros.training.config_file import find, load

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "training.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [
    shlex.split(line) for kind, block in BLOCKS if not kind for line in block.splitlines() if line
]
PUBLISHED = "Qwen/Qwen2.5-VL-7B-Instruct"
#: For a model that only has to begin.
FEW = ("training.steps=2", "training.accumulation=1", "training.device=cpu", "training.warmup=0",
       "data.questions=4", "output.save_every=1")  # fmt: skip


def test_commands_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("embreex")
    monkeypatch.chdir(tmp_path)
    save_small_vlm(tmp_path / "small")
    write_scannet(tmp_path / "data" / "scannet", room())
    (tmp_path / "data" / "scannetv2_train.txt").write_text(f"{SCENE}\n")
    typed = [words for words in COMMANDS if words[0] == "spatial-vlm"]
    assert [words[2] for words in typed if words[1] == "train"] == [
        *(f"proxy3d_stage{n}" for n in (1, 2, 3, 4)),
        "ssr_stage1",
        "ssr_stage2",
        "proxy3d_stage4",
    ]
    for words in typed:
        arguments = ["small" if word == PUBLISHED else word for word in words[1:]]
        if arguments[0] == "fetch-models":
            continue  # test_models_doc.py fetches
        if arguments[0] == "train":
            few = FEW if load(find(arguments[1])).model.checkpoint != PUBLISHED else (
                *FEW, "model.checkpoint=small")  # fmt: skip
            arguments += [word for setting in few for word in ("--set", setting)]
        if arguments[0] == "simulate":
            arguments += ["--fps", "3"]
        assert cli.main(arguments) == 0, words
    for stage in ("proxy3d_stage4", "ssr_stage2"):
        assert (tmp_path / "trained" / stage / "model" / "model.safetensors").exists()
        written = {path.name for path in (tmp_path / "trained" / stage).iterdir()}
        told = set(re.findall(r"`([\w.]+)/?`", PAGE.split("| in `output.folder` | what |")[1]
                              .split("An exam")[0]))  # fmt: skip
        assert written - {"checkpoint-1", "checkpoint-2"} == told & written
        assert {"model", "logs", "settings.yaml", "data.json", "report.json"} <= told & written


def test_launchers_start_what_is_there() -> None:
    launched = [words for words in COMMANDS if words[0] in ("torchrun", "accelerate")]
    assert len(launched) == 3
    for words in launched:
        module = words.index("-m")
        assert words[module + 1 : module + 3] == ["spatial_vlm_ros.cli", "train"]
        find(words[module + 3])


def test_fsdp_is_as_accelerate_knows_it(tmp_path: Path) -> None:
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.utils import FullyShardedDataParallelPlugin

    (block,) = [block for kind, block in BLOCKS if kind == "yaml"]
    (tmp_path / "fsdp.yaml").write_text(block)
    fsdp = load_config_from_file(str(tmp_path / "fsdp.yaml")).fsdp_config
    known = {field.name for field in dataclasses.fields(FullyShardedDataParallelPlugin)}
    known |= {"transformer_layer_cls_to_wrap", "auto_wrap_policy"}
    assert {name.removeprefix("fsdp_") for name in fsdp} <= known | {"version"}
    from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl

    for name in fsdp["fsdp_transformer_layer_cls_to_wrap"].split(","):
        assert hasattr(modeling_qwen2_5_vl, name)


def settings(kind: Any, prefix: str = "") -> Iterator[str]:
    types = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        if dataclasses.is_dataclass(types[field.name]):
            yield from settings(types[field.name], f"{field.name}.")
        else:
            value = default_of(field)
            shown = f"{value:g}" if isinstance(value, float) else str(value)
            if isinstance(value, bool):
                shown = shown.lower()
            if isinstance(value, tuple):
                shown = ", ".join(value) or "none"
            cells = f"`{prefix}{field.name}`", shown or "empty", field.metadata["description"]
            yield f"| {' | '.join(cells)} |"


def test_settings_are_those_of_the_program() -> None:
    lines = PAGE.split("## Settings")[1].splitlines()
    rows = [line for line in lines if line.startswith("| `")]
    assert rows == [*settings(TrainConfig), *settings(Source)]


@pytest.mark.parametrize("file", sorted((ROOT / "config" / "train").glob("*.yaml")))
def test_shipped_settings(file: Path) -> None:
    config = load(file)
    assert f"| `{file.stem}` |" in PAGE
    assert config.output.folder == f"trained/{file.stem}"
    last = re.sub(r"\d$", lambda n: str(int(n[0]) - 1), file.stem)
    published = config.model.checkpoint == PUBLISHED
    assert published == last.endswith("0")
    assert published or config.model.checkpoint == f"trained/{last}/model"
    known = {path.stem for path in (ROOT / "spatial_vlm_ros" / "data").glob("*/*")}
    for source in config.data.train:  # named for what converts or generates them
        assert Path(source.rows).name in known
    assert set(yaml.safe_load(file.read_text())) <= {
        f.name for f in dataclasses.fields(TrainConfig)
    }


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
