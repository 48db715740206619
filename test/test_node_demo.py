"""The demo's machinery on a small recording: nodes, player, questions, verdicts, cleaning up."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("embreex")

from spatial_vlm_ros.demo import __main__ as demo
from spatial_vlm_ros.demo import session
from spatial_vlm_ros.demo.processes import ProcessFailed
from spatial_vlm_ros.demo.verdict import judge_all, proxies_record, referring_record, true_text
from spatial_vlm_ros.evaluation import score_boxes
from spatial_vlm_ros.simulation.record import simulate
from spatial_vlm_ros.simulation.truth import TrueQuestion, load_truth

_domains = itertools.count(1 + os.getpid() * 11 % 90)


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("recording")
    simulate(folder, seed=1, rooms=1, fps=5.0, width=320, height=240, seconds=4.0, workers=1)
    return folder


@pytest.fixture(autouse=True)
def domain(monkeypatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(next(_domains) % 100 + 1))


def children() -> list[int]:
    """Processes of this one that run."""
    task = Path(f"/proc/{os.getpid()}/task")
    return [
        int(child)
        for thread in task.iterdir()
        for child in (thread / "children").read_text().split()
        if Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    ]


def test_maps_asks_and_judges(recording: Path, tmp_path: Path) -> None:
    truth = load_truth(recording / "truth.json")
    before = children()
    questions = (
        TrueQuestion("Where is the submarine?", "unknown", None, answered=False),
        TrueQuestion("How many submarines are there?", "unknown", 3.0),
    )
    outcome = session.map_and_ask(
        recording, "labels", [q.question for q in questions], tmp_path, os.environ
    )
    assert children() == before
    assert {log.name for log in tmp_path.glob("*.log")} == {
        "labels_mapper.log", "labels_reasoner.log", "labels_player.log"
    }  # fmt: skip
    assert int(outcome.diagnostics["frames used"]) >= 10
    refused, wrong = judge_all(questions, outcome, truth)
    assert refused.right
    assert "submarine" in refused.answer
    assert not wrong.right
    assert wrong.why
    # a remembered object stands where a true one of its name does
    scores = score_boxes(outcome.scene.present(), truth.objects)
    assert len(scores.matches) >= 3
    assert scores.mean_iou > 0.4
    referring = referring_record(outcome)
    assert referring["phrases"] == referring["understood"] == len(outcome.referred) >= 1
    assert not referring["others"]
    proxies = proxies_record(outcome, truth)
    assert proxies["proxies"] == outcome.proxies.count > 100
    assert proxies["objects"] >= 3
    assert proxies["well placed"] > 0.9


def test_a_dead_mapper_is_told_with_its_log(recording: Path, tmp_path: Path, monkeypatch) -> None:
    before = children()
    dying = [sys.executable, "-c", "print('out of luck'); raise SystemExit(7)"]
    monkeypatch.setattr(session, "mapper_command", lambda instances: dying)
    with pytest.raises(ProcessFailed, match=r"(?s)mapper ended with status 7.*out of luck"):
        session.map_and_ask(recording, "labels", [], tmp_path, os.environ)
    assert children() == before


def test_the_truth_is_told_to_the_reader(recording: Path) -> None:
    truth = load_truth(recording / "truth.json")
    item = truth.objects[0]
    pointing = TrueQuestion("which?", "find", None, objects=(item.id,))
    assert true_text(pointing, truth) == f"{item.colour} {item.category}"
    assert true_text(TrueQuestion("how far?", "distance", 1.234, "m"), truth) == "1.23 m"
    assert true_text(TrueQuestion("how many?", "count", 3.0), truth) == "3"
    assert true_text(TrueQuestion("left?", "direction", "left"), truth) == "left"
    ambiguous = TrueQuestion("it?", "ambiguous", None, candidates=(1, 2), answered=False)
    assert true_text(ambiguous, truth) == "ambiguous"


def test_failure_ends_the_demo_with_status_2(tmp_path: Path, monkeypatch, capsys) -> None:
    def fail(folder: Path) -> list[str]:
        raise ProcessFailed("mapper ended with status 7")

    monkeypatch.setattr(demo, "run", fail)
    monkeypatch.setattr(demo, "end_on_sigterm", lambda: None)
    monkeypatch.setattr(sys, "argv", ["demo", "--folder", str(tmp_path)])
    assert demo.main() == 2
    assert capsys.readouterr().out.splitlines()[-1].startswith("demo: FAILED: mapper ended")


@pytest.mark.parametrize(("shortfalls", "status"), [([], 0), (["3 of 24 answers right"], 1)])
def test_last_line_and_status_say_how_it_went(
    tmp_path: Path, monkeypatch, capsys, shortfalls, status
) -> None:
    monkeypatch.setattr(demo, "run", lambda folder: shortfalls)
    monkeypatch.setattr(demo, "end_on_sigterm", lambda: None)
    monkeypatch.setattr(sys, "argv", ["demo", "--folder", str(tmp_path)])
    assert demo.main() == status
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("demo: OK" if status == 0 else "demo: NOT GOOD ENOUGH: 3 of 24")
