"""A training on two processes is the one on a single process with twice the batches. Takes 40 s."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from small_lessons import school

from spatial_vlm_ros.training.config_file import load
from spatial_vlm_ros.training.run import train

POINTS = {"spatial": "points", "spatial_width": 16}
MODELS: dict[str, dict[str, Any]] = {
    "Proxy3D": {"kind": "proxy3d", "rates": {"language": 1e-3, "position": 1e-3, "gate": 1e-2}},
    "SSR-3D": {
        "kind": "ssr",
        "shown": "frames",
        "rates": {"language": 1e-3, "merger": 1e-3, "spatial": 1e-3},
        "model": POINTS,
    },
}
#: As many as tests may use.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def settings(folder: Path, name: str, batches: int, **more: Any) -> Path:
    kind = MODELS[name]["kind"]
    data = {"questions": 2, "held_out": [str(folder / f"{kind}.jsonl")]}
    data |= {"drop_geometry": 0.3} if kind == "ssr" else {"shuffle_numbers": True}
    return school(
        folder,
        **MODELS[name],
        data=data,
        training={"steps": 6, "accumulation": batches},
        exam={"every": 3, "answers": 5, "max_tokens": 6},
        **more,
    )


def losses(said: str) -> list[float]:
    return [float(found) for found in re.findall(r"^\d+/6  loss ([\d.e+-]+)", said, re.MULTILINE)]


@pytest.mark.parametrize("name", MODELS)
def test_two_processes_learn_what_one_does(tmp_path: Path, name: str) -> None:
    alone: list[str] = []
    one = settings(tmp_path, name, 4, output={"folder": str(tmp_path / "one")})
    report = train(load(one), say=alone.append)
    two = settings(tmp_path, name, 2, output={"folder": str(tmp_path / "two"), "save_every": 4})
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, *launch, "-m", "spatial_vlm_ros.cli", "train", str(two)]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert losses(done.stderr) == pytest.approx(losses("\n".join(alone)), rel=2e-3)
    assert len(losses(done.stderr)) == 6  # said once, not by both
    together = json.loads((tmp_path / "two" / "report.json").read_text())
    same = [key for key in report if key.startswith("eval_")]
    assert same and {key: together[key] for key in same} == pytest.approx(
        {key: report[key] for key in same}, rel=1e-3
    )
    assert {key: together[key] for key in ("fingerprint", "sequences", "epochs")} == {
        key: report[key] for key in ("fingerprint", "sequences", "epochs")
    }
    ones, twos = (
        load_file(tmp_path / run / "model" / "model.safetensors") for run in ("one", "two")
    )
    for part in ones:
        torch.testing.assert_close(twos[part], ones[part], rtol=1e-3, atol=2e-5)
    assert (tmp_path / "two" / "checkpoint-4" / "rng_state_1.pth").exists()


def test_a_slip_is_told_once_in_a_line(tmp_path: Path) -> None:
    path = settings(tmp_path, "Proxy3D", 1)
    command = [sys.executable, "-m", "spatial_vlm_ros.cli", "train", str(path)]
    done = subprocess.run([*command, "--set", "training.stpes=3"], env=ENVIRONMENT,
                          capture_output=True, text=True, timeout=100)  # fmt: skip
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert "training.stpes is not known, did you mean steps?" in line


@pytest.mark.parametrize("package", ["accelerate", "tensorboard", "peft"])
def test_what_has_to_be_installed_is_named(tmp_path: Path, package: str) -> None:
    path = settings(tmp_path, "Proxy3D", 1)
    without = (
        "import sys, importlib.util as u; found = u.find_spec\n"
        f"u.find_spec = lambda name, *more: None if name == {package!r} else found(name, *more)\n"
        f"from spatial_vlm_ros.cli import main; sys.exit(main(['train', {str(path)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", without], env=ENVIRONMENT,
                          capture_output=True, text=True, timeout=100)  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert package in done.stderr and "'spatial_vlm_ros[training]'" in done.stderr
