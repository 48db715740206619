"""Checkpoints are fetched from a small hub on this machine, and used when it is gone."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hand_built_room import room
from safetensors.numpy import save_file
from small_hub import COMMIT, HubModel, SmallHub
from small_vlm import save_small_vlm

from spatial_vlm_ros.cli import main
from spatial_vlm_ros.reasoners.config import AnsweringConfig, ModelConfig
from spatial_vlm_ros.reasoners.opening import ReasonersConfig, open_reasoner
from spatial_vlm_ros.reasoning.answer import Seen
from spatial_vlm_ros.serving import catalogue, fetching

NAME = "acme/small-vlm"
WEIGHTS = "model.safetensors"
UNWANTED = ("pytorch_model.bin", "modeling_acme.py", "README.md", "onnx/model.safetensors")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as authors publish them, with more beside it than is used."""
    folder: Path = tmp_path_factory.mktemp("hub") / "small"
    save_small_vlm(folder)
    (folder / "onnx").mkdir()
    for name in UNWANTED:
        (folder / name).write_bytes(b"\x80\x04 a program")
    return folder


@pytest.fixture(scope="module")
def large(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whose weights come in several of the pieces, 10 MB each, that are written at once."""
    folder: Path = tmp_path_factory.mktemp("hub") / "large"
    folder.mkdir()
    shutil.copy(plain / "config.json", folder)
    save_file({"a": np.random.default_rng(0).random((25, 125_000))}, folder / WEIGHTS)
    return folder


@pytest.fixture
def hub(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The hub that this process, and those that it starts, know; and an empty cache of it."""
    with SmallHub() as made:
        made.models[NAME] = HubModel(plain)
        made.be_known(monkeypatch, tmp_path / "cache")
        yield made


def program(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "spatial_vlm_ros.cli", *arguments]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environment}
    return subprocess.run(program(*arguments), capture_output=True, text=True, timeout=120, env=env)


def contents(folder: Path) -> dict[str, bytes]:
    """Of the files that a user sees there."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".cache" not in path.parts
    }


def test_fetched_files_are_those_of_the_hub_and_no_others(hub, plain, capsys) -> None:
    assert not fetching.present(NAME)
    assert main(["fetch-models", NAME]) == 0
    assert f"{NAME}: 0.0 GB, licence apache-2.0\n" in capsys.readouterr().out
    place = fetching.fetch(fetching.look_up(NAME))
    assert place.name == COMMIT
    expected = contents(plain)
    for name in UNWANTED:
        del expected[name]
    assert contents(place) == expected
    assert {"config.json", "tokenizer.json", "chat_template.jinja", WEIGHTS} <= set(expected)
    assert fetching.present(NAME)
    given = [file for file, _ in hub.given()]
    assert sorted(given) == sorted(expected)  # each once, though fetched twice


def test_into_a_folder(hub, plain, tmp_path, capsys) -> None:
    command = ["fetch-models", NAME, "--folder", str(tmp_path / "models")]
    assert main(command) == 0
    folder = tmp_path / "models" / "small-vlm"
    assert f"name it with --checkpoint {folder}\n" in capsys.readouterr().out
    assert contents(folder) == {n: c for n, c in contents(plain).items() if n not in UNWANTED}
    given = len(hub.given())
    assert main(command) == 0
    assert len(hub.given()) == given
    assert not fetching.present(NAME)  # the cache is another place


@pytest.mark.parametrize("into", ["cache", "folder"])
def test_what_was_begun_is_continued(hub, large, tmp_path, into) -> None:
    hub.models["acme/large"] = HubModel(large)
    hub.stop_after = 15_000_000
    more = ["--folder", str(tmp_path / "models")] if into == "folder" else []
    place = tmp_path / ("models" if into == "folder" else "cache")
    command = ["fetch-models", "acme/large", *more]
    with subprocess.Popen(
        program(*command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as fetch:
        until(lambda: any(p.stat().st_size for p in place.rglob("*.incomplete")))
        fetch.send_signal(signal.SIGINT)
        said = fetch.communicate(timeout=30)[0].decode()
    assert fetch.returncode == 2 and "interrupted" in said and "Traceback" not in said
    (begun,) = place.rglob("*.incomplete")
    there = begun.stat().st_size
    assert 0 < there <= 15_000_000
    assert not fetching.present("acme/large")
    hub.stop_after = None
    hub.asked.clear()
    assert main(command) == 0
    assert [part for file, part in hub.given() if file == WEIGHTS] == [f"bytes={there}-"]
    (weights,) = {path.resolve() for path in place.rglob(WEIGHTS)}
    assert weights.read_bytes() == (large / WEIGHTS).read_bytes()
    assert not list(place.rglob("*.incomplete"))


def until(done: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_lost_connection_is_made_again(hub, large) -> None:
    hub.models["acme/large"] = HubModel(large)
    hub.drop_after = 15_000_000
    place = fetching.fetch(fetching.look_up("acme/large"))
    assert (place / WEIGHTS).read_bytes() == (large / WEIGHTS).read_bytes()
    parts = [part for file, part in hub.given() if file == WEIGHTS]
    assert parts == ["", "bytes=10485760-"]


def test_a_token_is_for_the_hub_alone(hub, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fetching.fetch(fetching.look_up(NAME))
    paths = [path for path, _ in hub.tokens]
    assert {token for _, token in hub.tokens} == {"hf_secret"}
    assert f"/{NAME}/resolve/{COMMIT}/{WEIGHTS}" in paths
    assert any("/cdn/" in path for _, path, _ in hub.asked)
    assert not any("/cdn/" in path for path in paths)


def test_what_arrives_damaged_is_not_kept(hub, plain, tmp_path) -> None:
    offer = fetching.look_up(NAME)
    (weights,) = (file for file in offer.files if file.name == WEIGHTS)
    blobs = fetching._cache_of(NAME) / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{weights.sha256}.incomplete").write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"model\.safetensors of .* arrived damaged"):
        fetching.fetch(offer)
    assert not list(blobs.glob(f"{weights.sha256}*"))
    place = fetching.fetch(offer)
    assert (place / WEIGHTS).read_bytes() == (plain / WEIGHTS).read_bytes()


def test_two_at_once_do_not_mix(hub, tmp_path) -> None:
    import fcntl

    offer = fetching.look_up(NAME)
    (weights,) = (file for file in offer.files if file.name == WEIGHTS)
    begun = fetching._cache_of(NAME) / "blobs" / f"{weights.sha256}.incomplete"
    begun.parent.mkdir(parents=True)
    with begun.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ValueError, match=f"another program is fetching {NAME}"):
            fetching.fetch(offer)
    assert (fetching.fetch(offer) / WEIGHTS).exists()


def test_shards_of_which_one_is_missing_are_not_complete(hub, plain, tmp_path) -> None:
    folder = shutil.copytree(plain, tmp_path / "sharded")
    (folder / WEIGHTS).rename(folder / "model-00001-of-00001.safetensors")
    index = '{"weight_map": {"a": "model-00001-of-00001.safetensors"}}'
    (folder / "model.safetensors.index.json").write_text(index)
    hub.models["acme/sharded"] = HubModel(folder)
    place = fetching.fetch(fetching.look_up("acme/sharded"))
    assert fetching.present("acme/sharded")
    (place / "model-00001-of-00001.safetensors").unlink()
    assert not fetching.present("acme/sharded")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved scene of a few images."""
    pytest.importorskip("embreex")
    from spatial_vlm_ros.simulation.record import simulate

    folder = tmp_path_factory.mktemp("recording")
    simulate(folder, seed=1, rooms=1, fps=3.0, width=320, height=240, seconds=3.0, workers=1)
    assert main(["run", str(folder / "bag"), "--output", str(folder / "scene")]) == 0
    return folder / "scene"


@pytest.mark.parametrize("offline", ["0", "1"])
def test_a_fetched_model_answers_when_the_hub_is_gone(hub, scene, offline) -> None:
    assert main(["fetch-models", NAME]) == 0
    hub.end()
    asked = run(
        *("ask", "How many chairs are there?", "--scene", str(scene)),
        *("--reasoner", "chat", "--checkpoint", NAME, "--device", "cpu", "--max-tokens", "8"),
        HF_HUB_OFFLINE=offline,
    )
    assert asked.returncode == 0, asked.stderr
    assert re.fullmatch(r"\d+\n", asked.stdout)
    notes = asked.stderr.splitlines()
    assert [note.split(":")[0] for note in notes[-2:]] == ["check", "confidence"]
    assert "(chat)" in notes[-1]
    assert not any("geometric instead" in note for note in notes)


@pytest.mark.parametrize("reasoner", ["chat", "ssr", "proxy3d"])
def test_no_reasoner_touches_the_network(plain, reasoner, monkeypatch) -> None:
    tried: list[object] = []

    def refuse(*asked: object, **_named: object) -> None:
        tried.append(asked)
        raise OSError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    config = ReasonersConfig(
        reasoner=reasoner,
        model=ModelConfig(str(plain), device="cpu"),
        answering=AnsweringConfig(max_tokens=4),
    )
    said: list[str] = []
    opened = open_reasoner(config, said.append)
    assert not said
    answer = opened.ask("How many chairs are there?", room(), Seen())
    if reasoner == "chat":  # which alone needs no images or proxies
        assert answer.reasoner == "chat", answer.warnings
    else:
        assert answer.warnings[0].startswith(f"answered by geometric instead of {reasoner}: no ")
    assert not tried


def error(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    """The one line that a command which fails says."""
    capsys.readouterr()
    assert main(["fetch-models", *command]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    start = "spatial-vlm fetch-models: error: "
    assert line.startswith(start)
    return line.removeprefix(start)


def test_errors_say_what_to_do(hub, plain, tmp_path, capsys, monkeypatch) -> None:
    assert "has no model nobody/none; if it is a private one" in error(capsys, "nobody/none")
    assert "a/b/c is no name of a model" in error(capsys, "a/b/c")
    hub.models["acme/closed"] = HubModel(plain, gated=True)
    closed = error(capsys, "acme/closed")
    assert closed.startswith("acme/closed is gated: accept its terms at http://127.0.0.1")
    assert "`hf auth login`" in closed
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "pytorch_model.bin").write_bytes(b"\x80\x04")
    (pickled / "config.json").write_text("{}")
    hub.models["acme/pickled"] = HubModel(pickled)
    assert error(capsys, "acme/pickled").startswith("acme/pickled has no model.safetensors")
    small = shutil._ntuple_diskusage(10, 10, 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: small)
    assert re.match(
        rf"{NAME} needs 0\.\d GB more in .*, where 0\.0 GB are free", error(capsys, NAME)
    )
    monkeypatch.undo()


def test_no_network(hub, capsys, monkeypatch) -> None:
    hub.end()
    assert error(capsys, NAME).startswith(f"cannot reach {hub.endpoint} (")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in error(capsys, NAME)


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ({"license": "cc-by-nc-4.0"}, "licence cc-by-nc-4.0, which forbids commercial use"),
        (
            {"license": "other", "license_name": "qwen-research"},
            "licence qwen-research, which forbids commercial use",
        ),
        ({"license": "other", "license_name": "acme-terms"}, "licence acme-terms\n"),
        ({}, "licence not stated by its author\n"),
    ],
)
def test_the_licence_is_said_before_anything_is_fetched(hub, plain, card, said, capsys) -> None:
    hub.models["acme/closed"] = HubModel(plain, card, gated=True)
    assert main(["fetch-models", "acme/closed"]) == 2
    assert said in capsys.readouterr().out
    assert not hub.given()


def test_the_table_names_sizes_and_licences(hub, capsys, monkeypatch) -> None:
    assert main(["fetch-models"]) == 0
    printed = capsys.readouterr().out
    assert not hub.asked
    assert main(["fetch-models", "--list"]) == 0
    assert capsys.readouterr().out == printed
    rows = {line.split()[0]: line for line in printed.splitlines()}
    assert len(rows) == 1 + len(catalogue.CATALOGUE)
    assert re.search(r"16\.6 GB +no +Apache-2\.0$", rows["Qwen/Qwen2.5-VL-7B-Instruct"])
    assert re.search(r"no commercial use", rows["Qwen/Qwen2.5-VL-3B-Instruct"])
    assert max(map(len, rows.values())) < 160
    known = catalogue.CATALOGUE[0]
    hub.models[known.name] = hub.models[NAME]
    assert main(["fetch-models", known.name]) == 0
    capsys.readouterr()
    assert main(["fetch-models"]) == 0
    assert re.search(r"GB +yes", capsys.readouterr().out.splitlines()[1])


@pytest.mark.parametrize("known", catalogue.CATALOGUE, ids=lambda known: known.name)
def test_sizes_are_those_of_the_weights(known: catalogue.Known) -> None:
    """32 bits a weight; language models have 16, and so has Depth Pro."""
    bytes_each = 2 if known.name.startswith(("Qwen/", "apple/DepthPro")) else 4
    assert known.gigabytes == pytest.approx(bytes_each * known.parameters, abs=0.06)


@pytest.mark.parametrize(
    ("licence", "forbidden"),
    [
        ("CC-BY-NC-4.0", True),
        ("Qwen Research", True),
        ("qwen-research", True),
        ("FAIR Noncommercial", True),
        ("Apache-2.0", False),
        ("apache-2.0", False),
        ("mit", False),
        ("syncmodel", False),
    ],
)
def test_licences_that_forbid_commerce(licence: str, forbidden: bool) -> None:
    assert catalogue.forbids_commerce(licence) is forbidden
