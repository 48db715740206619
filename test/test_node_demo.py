"""The demo's machinery on a small recording: nodes, player, questions, verdicts, cleaning up."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("embreex")

from spatial_vlm_ros import shipped
from spatial_vlm_ros.demo import __main__ as demo
from spatial_vlm_ros.demo import session
from spatial_vlm_ros.demo.processes import ProcessFailed
from spatial_vlm_ros.demo.verdict import (
    judge_all,
    model_record,
    print_model,
    print_verdicts,
    proxies_record,
    referring_record,
    true_text,
)
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
    refused, wrong = judge_all(questions, outcome.answers, outcome.scene, truth)
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


@pytest.mark.parametrize("reasoner", ["proxy3d", "ssr"])
def test_a_model_answers_beside_geometry(
    recording: Path, tmp_path: Path, small_weights: Path, reasoner: str, capsys
) -> None:
    truth = load_truth(recording / "truth.json")
    before = children()
    model = session.Model(reasoner, str(small_weights / f"{reasoner}-small"))
    questions = (TrueQuestion("How many chairs are there?", "count", 1.0),)
    asked = [question.question for question in questions]
    outcome = session.map_and_ask(recording, "labels", asked, tmp_path, os.environ, model)
    assert children() == before
    small = "proxy3d-small" if reasoner == "proxy3d" else "descriptors"
    assert outcome.proxies.encoder.startswith(small)
    assert [answer.reasoner for answer in outcome.answers.results] == ["geometric"]
    assert [answer.reasoner for answer in outcome.beside.results] == [reasoner]
    beside = judge_all(questions, outcome.beside, outcome.scene, truth)
    record = model_record(reasoner, beside, outcome)
    assert record["problems"] == []
    print_verdicts(judge_all(questions, outcome.answers, outcome.scene, truth), beside)
    print_model(record)
    printed = capsys.readouterr().out
    assert f"{reasoner}: {beside[0].answer}  (" in printed
    assert f"{record['right']} of them right by the small model {reasoner}" in printed


def test_a_model_that_does_not_open_is_told(recording: Path, tmp_path: Path) -> None:
    model = session.Model("ssr", str(tmp_path / "none"))
    asked = "How many chairs are there?"
    outcome = session.map_and_ask(recording, "labels", [asked], tmp_path, os.environ, model)
    beside = judge_all(
        (TrueQuestion(asked, "count", 1.0),),
        outcome.beside,
        outcome.scene,
        load_truth(recording / "truth.json"),
    )
    (problem,) = model_record("ssr", beside, outcome)["problems"]
    assert "there is no folder" in problem


def test_a_dead_mapper_is_told_with_its_log(recording: Path, tmp_path: Path, monkeypatch) -> None:
    before = children()
    dying = [sys.executable, "-c", "print('out of luck'); raise SystemExit(7)"]
    monkeypatch.setattr(session, "mapper_command", lambda instances, model: dying)
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


@pytest.mark.parametrize("ships", [[], ["proxy3d"], ["proxy3d", "ssr"]])
def test_models_that_ship_are_asked_beside_geometry(
    tmp_path: Path, monkeypatch, capsys, ships: list[str]
) -> None:
    for name in ships:
        (tmp_path / f"{name}-small").mkdir()
        (tmp_path / f"{name}-small" / "config.json").write_text("{}")
    asked: list[session.Model | None] = []
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    monkeypatch.setattr(demo, "run", lambda folder, model: asked.append(model) or [])
    monkeypatch.setattr(demo, "end_on_sigterm", lambda: None)
    monkeypatch.setattr(sys, "argv", ["demo"])
    assert demo.main() == 0
    assert asked == [session.Model(ships[0]) if ships else None]
    for name in ("proxy3d", "ssr"):
        monkeypatch.setattr(sys, "argv", ["demo", "--reasoner", name])
        if name in ships:
            assert demo.main() == 0
            assert asked[-1] == session.Model(name)
        else:
            with pytest.raises(SystemExit):
                demo.main()
            assert f"invalid choice: '{name}'" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["demo", "--reasoner", "geometric"])
    assert demo.main() == 0
    assert asked[-1] is None


def test_failure_ends_the_demo_with_status_2(tmp_path: Path, monkeypatch, capsys) -> None:
    def fail(folder: Path, model: session.Model | None) -> list[str]:
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
    monkeypatch.setattr(demo, "run", lambda folder, model: shortfalls)
    monkeypatch.setattr(demo, "end_on_sigterm", lambda: None)
    monkeypatch.setattr(sys, "argv", ["demo", "--folder", str(tmp_path)])
    assert demo.main() == status
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("demo: OK" if status == 0 else "demo: NOT GOOD ENOUGH: 3 of 24")
