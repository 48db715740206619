"""The command line, from simulating a recording to asking about it."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest
from small_qwen import save_small_qwen
from small_vlm import save_small_vlm

from spatial_vlm_ros.cli import main
from spatial_vlm_ros.drawing import local_maps
from spatial_vlm_ros.export import to_dot
from spatial_vlm_ros.language.names import scene_names
from spatial_vlm_ros.language.scene_text import scene_text
from spatial_vlm_ros.language.token_count import most_qwen_tokens
from spatial_vlm_ros.language.touched import touched
from spatial_vlm_ros.proxies.storage import read_sequence
from spatial_vlm_ros.scene.graph import SceneGraph


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    """A bag of a few small images."""
    pytest.importorskip("embreex")
    from spatial_vlm_ros.simulation.record import simulate

    folder = tmp_path_factory.mktemp("recording")
    simulate(folder, seed=1, rooms=1, fps=4.0, width=320, height=240, seconds=5.0, workers=1)
    return folder


@pytest.fixture(scope="module")
def scene(recording: Path, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("mapped") / "scene"
    assert main(["run", str(recording / "bag"), "--output", str(folder)]) == 0
    return folder


def test_run_writes_scene_and_pictures(scene: Path) -> None:
    saved = json.loads((scene / "scene.json").read_text())
    assert saved["fixed_frame"] == "odom"
    assert len(saved["objects"]) >= 3
    assert cv2.imread(str(scene / "scene.png")).shape[1] > 300
    assert cv2.imread(str(scene / "overlay.png")).shape == (240, 320, 3)


def test_run_writes_proxies_of_the_objects(scene: Path) -> None:
    saved = json.loads((scene / "scene.json").read_text())
    proxies = read_sequence(scene / "proxies.safetensors")
    assert len(proxies) > 100
    with_proxies = set(proxies.groups[proxies.groups > 0].tolist())
    assert len(with_proxies) >= 3 and with_proxies <= {item["id"] for item in saved["objects"]}
    assert cv2.imread(str(scene / "proxies.png")).shape[1] > 300


def test_run_without_an_encoder_writes_no_proxies(recording: Path, tmp_path: Path, capsys) -> None:
    command = ["run", str(recording / "bag"), "--output", str(tmp_path), "--frames", "4"]
    assert main([*command, "--encoder", "none"]) == 0
    assert "proxies" not in capsys.readouterr().out
    assert not list(tmp_path.glob("proxies*"))


def test_run_with_a_small_checkpoint(recording: Path, tmp_path: Path, capsys) -> None:
    save_small_qwen(tmp_path / "qwen", out_hidden=24)
    command = ["run", str(recording / "bag"), "--output", str(tmp_path / "scene"), "--frames", "4"]
    assert main([*command, "--encoder", str(tmp_path / "qwen")]) == 0
    assert "features of qwen-" in capsys.readouterr().out
    assert read_sequence(tmp_path / "scene" / "proxies.safetensors").features.shape[1] == 24


def test_run_names_a_checkpoint_that_is_not_there(recording: Path, tmp_path: Path, capsys) -> None:
    command = ["run", str(recording / "bag"), "--output", str(tmp_path)]
    assert main([*command, "--encoder", "Qwen/Qwen2.5-VL-7B-Instruct"]) == 2
    assert "spatial-vlm fetch-models Qwen/Qwen2.5-VL-7B-Instruct" in capsys.readouterr().err


def test_run_prints_its_objects_and_speed(recording: Path, tmp_path: Path, capsys) -> None:
    assert main(["run", str(recording / "bag"), "--output", str(tmp_path), "--frames", "8"]) == 0
    printed = capsys.readouterr().out
    assert "8 frames used" in printed
    assert "ms a frame (median)" in printed
    header, *rows = printed.splitlines()
    assert header.split()[:3] == ["id", "label", "colour"]
    assert len(rows) >= 2


def test_run_takes_the_fixed_frame_from_a_file_too(recording: Path, tmp_path: Path, capsys) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("/**/mapper:\n  ros__parameters:\n    fixed_frame: map\n")
    command = ["run", str(recording / "bag"), "--output", str(tmp_path / "scene"), "--frames", "4"]
    assert main([*command, "--params-file", str(file), "--encoder", "none"]) == 0
    assert json.loads((tmp_path / "scene" / "scene.json").read_text())["fixed_frame"] == "map"
    file.write_text("/**/mapper:\n  ros__parameters:\n    fixed_frame: moon\n")
    assert main([*command, "--params-file", str(file)]) == 2
    assert "'moon' is not in TF" in capsys.readouterr().err


def test_run_takes_instances_from_depth_when_told(recording: Path, tmp_path: Path, capsys) -> None:
    command = [
        "run",
        str(recording / "bag"),
        "--output",
        str(tmp_path),
        "--preset",
        "rgbd_geometric",
    ]
    assert main([*command, "--frames", "8"]) == 0
    assert "instances from geometric" in capsys.readouterr().out
    labels = {
        item["label"] for item in json.loads((tmp_path / "scene.json").read_text())["objects"]
    }
    assert labels <= {"object"}


def test_ask_answers_from_a_saved_scene(scene: Path, capsys) -> None:
    from spatial_vlm_ros.memory import SpatialMemory

    memory = SpatialMemory()
    memory.load(scene, "odom")
    label = memory.graph().present()[0].label
    count = sum(item.label == label for item in memory.graph().present())
    capsys.readouterr()
    assert main(["ask", f"How many {label}s are there?", "--scene", str(scene)]) == 0
    printed = capsys.readouterr()
    assert str(count) in printed.out
    assert printed.err == "confidence: 1.00 (geometric)\n"


def test_ask_without_an_answer_says_so(scene: Path, capsys) -> None:
    assert main(["ask", "Where is the submarine?", "--scene", str(scene)]) == 1
    assert "submarine" in capsys.readouterr().out


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of any vision-language model."""
    folder: Path = tmp_path_factory.mktemp("checkpoints") / "small"
    save_small_vlm(folder)
    return folder


def asked(scene: Path, small: Path, question: str, reasoner: str, *more: str) -> list[str]:
    command = ["ask", question, "--scene", str(scene), "--reasoner", reasoner]
    return [*command, "--checkpoint", str(small), "--device", "cpu", "--dtype", "float32", *more]


def test_ask_a_model_says_what_geometry_thinks_of_it(scene: Path, small: Path, capsys) -> None:
    capsys.readouterr()
    assert main(asked(scene, small, "How many chairs are there?", "chat")) == 0
    printed = capsys.readouterr()
    assert re.fullmatch(r"\d+\n", printed.out)
    *warnings, check, confidence = printed.err.strip().splitlines()
    assert re.fullmatch(r"check: (agrees|disagrees|unchecked)(, .+)?", check)
    assert re.fullmatch(r"confidence: [01]\.\d\d \(chat\)", confidence)
    assert all(warning.startswith("warning: ") for warning in warnings)


@pytest.mark.parametrize("reasoner", ["ssr", "proxy3d"])
def test_ask_gives_a_model_what_the_scene_has_for_it(
    scene: Path, small: Path, reasoner: str, capsys
) -> None:
    """Images are there; the proxies are of another encoder than the checkpoint's."""
    command = asked(scene, small, "How many chairs are there?", reasoner, "--max-tokens", "4")
    assert main(command) in (0, 1)
    notes = capsys.readouterr().err
    if reasoner == "ssr":
        assert notes.strip().endswith("(ssr)"), notes
    else:
        assert "warning: answered by geometric instead of proxy3d: the proxies are" in notes
        assert "start the mapper with encoder:=" in notes


def test_ask_proxy3d_about_proxies_of_its_own_encoder(
    recording: Path, small: Path, tmp_path: Path, capsys
) -> None:
    command = ["run", str(recording / "bag"), "--output", str(tmp_path), "--encoder", str(small)]
    assert main([*command, "--frames", "8"]) == 0
    command = asked(tmp_path, small, "How many chairs are there?", "proxy3d", "--max-tokens", "4")
    assert main(command) in (0, 1)
    assert capsys.readouterr().err.strip().endswith("(proxy3d)")


@pytest.mark.parametrize("reasoner", ["ssr", "proxy3d"])
def test_ask_without_a_checkpoint_asks_the_model_that_ships(
    recording: Path, tmp_path: Path, small_ship: Path, reasoner: str, capsys
) -> None:
    command = ["run", str(recording / "bag"), "--output", str(tmp_path), "--frames", "8"]
    assert main([*command, "--encoder", "proxy3d-small"]) == 0
    question = ["ask", "How many chairs are there?", "--scene", str(tmp_path)]
    assert main([*question, "--reasoner", reasoner]) in (0, 1)
    assert capsys.readouterr().err.strip().endswith(f"({reasoner})")


def test_ask_proxy3d_about_a_scene_of_descriptors_says_how_to_map_it(
    scene: Path, small_ship: Path, capsys
) -> None:
    question = ["ask", "How many chairs are there?", "--scene", str(scene)]
    assert main([*question, "--reasoner", "proxy3d"]) in (0, 1)
    assert "(spatial-vlm run: --encoder proxy3d-small)" in capsys.readouterr().err


def test_ask_answers_without_the_model_and_says_so_once(scene: Path, capsys) -> None:
    question = ["ask", "How many chairs are there?", "--scene", str(scene)]
    assert main([*question, "--reasoner", "chat", "--checkpoint", "acme/none"]) in (0, 1)
    printed = capsys.readouterr()
    warning, confidence = printed.err.strip().splitlines()
    assert warning.startswith("warning: answered by geometric instead of chat: there is no folder")
    assert "spatial-vlm fetch-models acme/none" in warning
    assert confidence.endswith("(geometric)")


def test_ask_on_a_terminal_shows_the_answer_as_it_grows(scene: Path, small: Path) -> None:
    question = asked(scene, small, "Describe the scene.", "chat", "--max-tokens", "24")
    command = [sys.executable, "-m", "spatial_vlm_ros.cli", *question]
    whole = subprocess.run(command, capture_output=True, text=True)
    assert whole.returncode == 0, whole.stderr
    ours, theirs = pty.openpty()
    pieces: list[bytes] = []
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE) as process:
        os.close(theirs)
        try:
            while piece := os.read(ours, 4096):
                pieces.append(piece)
        except OSError:  # how the end of a terminal reads
            pass
    os.close(ours)
    assert process.returncode == 0
    shown = b"".join(pieces).decode().replace("\r\n", "\n")
    assert shown.endswith(whole.stdout)
    assert len(pieces) > 2, pieces


def test_ask_knows_every_reasoner(capsys) -> None:
    from spatial_vlm_ros.reasoners.config import NAMES

    with pytest.raises(SystemExit):
        main(["ask", "--help"])
    assert "{" + ",".join(NAMES) + "}" in capsys.readouterr().out


@pytest.fixture(scope="module")
def known(scene: Path) -> SceneGraph:
    """What the saved scene holds."""
    from spatial_vlm_ros.memory import SpatialMemory

    memory = SpatialMemory()
    memory.load(scene, "odom")
    assert memory.graph().cogmaps
    return memory.graph()


def test_graph_prints_the_scene_as_text_and_nothing_else(
    scene: Path, known: SceneGraph, capsys
) -> None:
    assert main(["graph", "--scene", str(scene)]) == 0
    printed = capsys.readouterr()
    assert printed.out == scene_text(known) + "\n"
    assert printed.err == ""


def test_graph_of_a_question_in_few_tokens(scene: Path, known: SceneGraph, capsys) -> None:
    item = known.present()[-1]
    command = ["graph", "--scene", str(scene), "--question", f"Where is #{item.id}?"]
    assert main([*command, "--tokens", "260"]) == 0
    printed = capsys.readouterr().out
    assert most_qwen_tokens(printed.rstrip()) <= 260
    assert printed.splitlines()[2].startswith(scene_names(known)[item.id])
    assert "Left out: " in printed.splitlines()[-1]
    assert main([*command, "--tokens", "20"]) == 2
    assert "20 tokens hold nothing of the scene: it takes at least" in capsys.readouterr().err


def test_graph_as_json_and_dot(scene: Path, known: SceneGraph, tmp_path: Path, capsys) -> None:
    assert main(["graph", "--scene", str(scene), "--format", "json"]) == 0
    ids = [item["id"] for item in json.loads(capsys.readouterr().out)["objects"]]
    assert ids == [item.id for item in known.objects]
    output = tmp_path / "scene.dot"
    command = ["graph", "--scene", str(scene), "--format", "dot", "--output", str(output)]
    assert main(command) == 0
    assert capsys.readouterr().out == ""
    assert output.read_text(encoding="utf-8") == to_dot(known)


def test_graph_draws_the_local_maps(scene: Path, known: SceneGraph, tmp_path: Path) -> None:
    made = known.cogmaps[0]
    command = ["graph", "--scene", str(scene), "--output", str(tmp_path / "scene.txt")]
    question = ["--question", f"Where is #{made.target}?", "--format", "dot"]
    for name, more in (("all.png", []), ("some.JPG", question)):
        assert main([*command, "--picture", str(tmp_path / name), *more]) == 0
    drawn = cv2.imread(str(tmp_path / "all.png"))[..., ::-1]
    assert (drawn == local_maps(known)).all()
    about = touched(question[1], known).meant
    assert cv2.imread(str(tmp_path / "some.JPG")).shape == local_maps(known, about).shape


def test_graph_says_what_cannot_be_written(scene: Path, tmp_path: Path, capsys) -> None:
    nowhere = tmp_path / "no such folder"
    for option, name in (("--output", "scene.txt"), ("--picture", "maps.png")):
        assert main(["graph", "--scene", str(scene), option, str(nowhere / name)]) == 2
        printed = capsys.readouterr()
        assert str(nowhere / name) in printed.err and "error" in printed.err
        assert printed.out == ""


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["run", "/no/such/bag"], "/no/such/bag does not exist"),
        (["ask", "how many chairs?", "--scene", "/no/such/scene"], "no scene was saved there"),
        (["ask", "where?", "--reasoner", "chat"], "--reasoner chat needs --checkpoint"),
        (["ask", "where?", "--checkpoint", "a/b"], "are for --reasoner proxy3d, ssr or chat"),
        (["ask", "where?", "--ros", "--max-tokens", "9"], "--max-tokens is for a saved scene"),
        (
            ["ask", "w?", "--reasoner", "chat", "--checkpoint", "x", "--max-tokens", "0"],
            "answering.max_tokens: 0 is below the minimum 1",
        ),
        (["graph", "--scene", "/no/such/scene"], "no scene was saved there"),
        (["graph", "--picture", "maps.xyz"], "has to end in .png"),
        (["graph", "--format", "json", "--tokens", "9"], "not --format json"),
        (["graph", "--format", "dot", "--question", "where?"], "not --format dot"),
        (["simulate", "/tmp", "--rooms", "99"], "rooms: 99 is not within"),
    ],
)
def test_user_errors_are_one_line(command, says, capsys) -> None:
    assert main(command) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"spatial-vlm {command[0]}: error: ")
    assert says in lines[0]


def test_a_folder_that_is_no_recording_is_refused(tmp_path: Path, capsys) -> None:
    assert main(["run", str(tmp_path)]) == 2
    assert "neither a bag" in capsys.readouterr().err


def test_wrong_topic_and_frame_are_named(recording: Path, tmp_path: Path, capsys) -> None:
    bag = ["run", str(recording / "bag"), "--output", str(tmp_path)]
    assert main([*bag, "--depth", "/no_such_depth"]) == 2
    assert "/no_such_depth is not in the recording" in capsys.readouterr().err
    assert main([*bag, "--fixed-frame", "moon"]) == 2
    assert "'moon' is not in TF" in capsys.readouterr().err


def test_simulate_writes_a_recording_and_keeps_another(tmp_path: Path, capsys) -> None:
    pytest.importorskip("embreex")
    command = ["simulate", str(tmp_path), "--rooms", "1", "--seconds", "0.5", "--fps", "2"]
    assert main(command) == 0
    assert (tmp_path / "truth.json").exists()
    assert (tmp_path / "bag" / "metadata.yaml").exists()
    assert main([*command, "--seed", "5"]) == 2
    assert "another recording" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "option"), [("run", "--preset"), ("ask", "--node"), ("fetch-models", "--folder")]
)
def test_help_is_instant_and_imports_nothing_heavy(command: str, option: str) -> None:
    program = (
        "import sys\n"
        "from spatial_vlm_ros.cli import main\n"
        f"try: main(['{command}', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'cv2', 'scipy', 'rclpy', 'torch', 'transformers', 'huggingface_hub'}\n"
        "print(heavy & set(sys.modules), file=sys.stderr)\n"
    )
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == "set()"
    assert option in done.stdout
    assert time.monotonic() - start < 5.0


def test_as_a_program_errors_show_no_traceback() -> None:
    command = [sys.executable, "-m", "spatial_vlm_ros.cli", "run", "/no/such/bag"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
