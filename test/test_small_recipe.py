"""tools/small_models: its settings fit together, and its script makes all models, of one room."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from spatial_vlm_ros.cli import main
from spatial_vlm_ros.data.generators import NAMES
from spatial_vlm_ros.reasoners.config import ModelConfig
from spatial_vlm_ros.serving.loading import load_proxy3d, load_ssr
from spatial_vlm_ros.small.texts import room_rows
from spatial_vlm_ros.training.config_file import load

RECIPE = Path(__file__).parents[1] / "tools" / "small_models"
SCRIPT = (RECIPE / "train.sh").read_text()
STAGES = " ".join(re.findall(r"^train ([a-z].*)$", SCRIPT, re.MULTILINE)).split()
OPENED = {"proxy3d": load_proxy3d, "ssr": load_ssr}


def test_every_file_is_a_stage_that_begins_where_another_ends() -> None:
    assert sorted(STAGES) == sorted(path.stem for path in RECIPE.glob("*.yaml"))
    for number, stage in enumerate(STAGES):
        config = load(RECIPE / f"{stage}.yaml")
        kind = config.model.kind
        assert stage.startswith(kind) and config.output.folder == f"trained/{stage}"
        starts = [f"start/{kind}", *(f"trained/{name}/model" for name in STAGES[:number])]
        assert config.model.checkpoint in [*starts, *(["start/ssr_3d"] if kind == "ssr" else [])]
        assert {Path(source.rows).name for source in config.data.train} <= {*NAMES}


def test_the_script_makes_all_models(tmp_path: Path) -> None:
    pytest.importorskip("embreex")
    rows = tmp_path / "texts.jsonl"  # of fewer rooms than the script would take
    rows.write_text("".join(json.dumps(row.to_json()) + "\n" for row in room_rows([3], 1)))
    start = str(tmp_path / "start" / "proxy3d")
    assert main(["small", "model", "proxy3d", start, "--rows", str(rows)]) == 0
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "FOLDER": str(tmp_path),
        "ROOMS": "1",
        "WORKERS": "1",
        "PLACES": "3",
        "OMP_NUM_THREADS": "1",
        "SET": "training.steps=1 training.batch=1",
    }
    script = ["bash", str(RECIPE / "train.sh")]
    done = subprocess.run(script, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    weights = {}
    for stage in STAGES:
        kind, model = stage.partition("_")[0], tmp_path / "trained" / stage / "model"
        OPENED[kind](ModelConfig(str(model), "cpu", "float32"))
        weights[stage] = load_file(model / "model.safetensors")
    assert weights["ssr_stage2b"].keys() > weights["ssr_stage1b"].keys()
