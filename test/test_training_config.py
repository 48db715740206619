"""Settings of a training: read strictly, changed on the command line, contradictions named."""

from __future__ import annotations

from pathlib import Path

import pytest

from spatial_vlm_ros.training.config import Source
from spatial_vlm_ros.training.config_file import find, load, write

GOOD = """
model: {kind: proxy3d, checkpoint: small}
data:
  train: [rows/a, {rows: rows/b, weight: 0.3, tasks: [counting, distance]}]
  store: stores/proxies
rates: {language: 1e-5, position: 1.0e-4, gate: 1, vision: frozen}
output: {folder: out}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "train.yaml"
    path.write_text(GOOD)
    return path


def test_what_is_written_is_read(file: Path) -> None:
    config = load(file)
    assert config.data.train == (
        Source("rows/a"),
        Source("rows/b", weight=0.3, tasks=("counting", "distance")),
    )
    rates = config.rates
    assert (rates.language, rates.position, rates.gate, rates.vision) == (1e-5, 1e-4, 1.0, 0.0)
    write(config, file.with_name("again.yaml"))
    assert load(file.with_name("again.yaml")) == config


def test_changes(file: Path) -> None:
    config = load(
        file,
        ["training.steps=7", "rates.language=frozen", "data.train=rows/c", "output.folder=x=y",
         "training.recompute=true", "lora.modules=[q_proj]", "training.epochs=2"],
    )  # fmt: skip
    assert (config.training.steps, config.rates.language, config.output.folder) == (7, 0.0, "x=y")
    assert config.data.train == (Source("rows/c"),) and config.lora.modules == ("q_proj",)
    assert config.training.recompute is True and config.training.epochs == 2.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("training.stpes=3", "training.stpes is not known, did you mean steps?"),
        ("trainin.steps=3", "trainin is not known, did you mean training?"),
        ("training.steps", "expected name=value"),
        ("training=3", "expected training.name=value"),
        ("training.steps=many", "training.steps is 'many', which is no int"),
        ("training.steps=-1", "training.steps: -1 is below the minimum 0"),
        ("training.recompute=1", "training.recompute is 1, which is no bool"),
        ("rates.language=quickly", "rates.language is 'quickly', which is no float"),
        ("training.warmup=frozen", "training.warmup is 'frozen', which is no float"),
        ("rates.language=2", "rates.language: 2.0 is above the maximum 1.0"),
        ("model.kind=proxy", "model.kind: 'proxy' is not one of 'proxy3d', 'ssr'"),
        ("data.train=[{row: a}]", "data.train.row is not known, did you mean rows?"),
        ("data.train=[{weight: 2}]", "data.rows: is empty"),
        ("data.train=[3]", "data.train is 3, which is no group of settings"),
        ("data.train=[]", "data.train: is not given"),
        ("data.store=", "data.store is None, which is no str"),
        ("data.store=''", "data.store: is not given"),
        ("data.shown=placed_symbols", "data.scenes: is not given"),
        ("data.shown=frames", "data.shown: frames cannot be shown to proxy3d"),
        ("data.shown=nothing", "rates.position: nothing of it is used where data.shown is nothing"),
        ("data.drop_geometry=0.1", "data.drop_geometry: is for frames, not for proxies shown"),
        ("rates.vision=1e-5", "rates.vision: proxies and symbols are features of the tower"),
        ("rates.spatial=1e-5", "rates.spatial: proxy3d has none"),
        ("model.kind=ssr", "data.shown: proxies cannot be shown to ssr"),
        ("training.epochs=0", "training.epochs: 0, and no steps either"),
        ("lora.parts=[merger]", "lora.parts: merger is not language or vision"),
        ("output.folder=''", "output.folder: is not given"),
    ],
)
def test_slips_are_named(file: Path, change: str, said: str) -> None:
    with pytest.raises(ValueError) as error:
        load(file, [change])
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("kind", "name"), [("proxy3d", "proxies_of_each=8"), ("ssr", "shuffle_numbers=true")]
)
def test_settings_of_another_kind_are_not_passed_over(file: Path, kind: str, name: str) -> None:
    changes = ["data.shown=nothing", "rates.position=0", "rates.gate=0", f"model.kind={kind}"]
    load(file, changes)
    with pytest.raises(ValueError, match=f"data.{name.split('=')[0]}: is for prox"):
        load(file, [*changes, f"data.{name}"])


def test_nothing_that_learns(file: Path) -> None:
    frozen = ["rates.language=0", "rates.position=0", "rates.gate=0"]
    with pytest.raises(ValueError, match="rates: everything is frozen"):
        load(file, frozen)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("model: {checkpoint: a}\nmodle: {}", "modle is not known, did you mean model?"),
        ("model: 3", "model is 3, which is no group of settings"),
        ("- a", "which is no group of settings"),
        ("a: [", "cannot be read"),
    ],
)
def test_files_that_are_none(file: Path, content: str, said: str) -> None:
    file.write_text(content)
    with pytest.raises(ValueError) as error:
        load(file)
    assert str(error.value).startswith(str(file)) and said in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    with pytest.raises(ValueError, match="does not exist"):
        load(file.with_name("other.yaml"))


def test_shipped_ones_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(find("ssr_stage2")).model.spatial == "vggt"
    with pytest.raises(ValueError, match="not one of proxy3d_stage1"):
        find("ssr_stage9")
