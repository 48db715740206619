"""The command that says how referring expressions fare: by hand, and on one short drive."""

from __future__ import annotations

import dataclasses
import json
import sys

import numpy as np
import pytest
from hand_built_room import graph, thing

from bench import referring, referring_scenes
from bench.referring_scenes import Drive, true_graph
from spatial_vlm_ros.referring import STRATEGIES, ReferringExpression, referring_expressions
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.graph import SceneObject
from spatial_vlm_ros.simulation import robot
from spatial_vlm_ros.simulation.truth import TrueObject, TrueRoom, Truth

#: id: category, colour, x, y, first in view [s]
THINGS = {
    1: ("tv", "black", 0.0, 0.0, 1),
    2: ("sofa", "blue", 2.0, 0.0, 2),
    3: ("chair", "red", 1.5, 1.5, 3),
    4: ("chair", "green", 1.5, -1.7, 6),
    5: ("chair", "red", -2.0, -0.15, 9),
    6: ("lamp", "red", -2.0, 2.0, 12),
    7: ("lamp", "green", -3.0, 2.0, 12),
    8: ("bin", "grey", -4.0, 2.0, None),
}
NEAR_TV = ReferringExpression("the chair farthest from the tv", "proximity", 4, (1,))
ON_THE_LEFT = ReferringExpression(
    "the chair to the left when standing at the tv and facing the sofa", "direction", 3, (1, 2)
)
BY_LAMP = ReferringExpression("the chair nearest to the red lamp", "proximity", 5, (6,))
SECOND = ReferringExpression("the second chair to appear", "appearance", 4)


def box(x: float, y: float) -> Box:
    return Box(x, y, 0.5, 0.4, 0.4, 1.0, 0.0)


def truth() -> Truth:
    corners = np.array([(-5.0, -3.0), (3.0, -3.0), (3.0, 3.0), (-5.0, 3.0)])
    objects = tuple(
        TrueObject(
            *(number, category, colour, "study", None, box(x, y)),
            *(None if first is None else first * 10**9, 50, 1.0),
        )
        for number, (category, colour, x, y, first) in THINGS.items()
    )
    still = np.eye(4)
    return Truth(
        *(objects, (TrueRoom("study", corners, 48.0),), still, still),
        *(np.zeros(1, np.int64), still[None], robot.camera(64, 48), {}),
    )


def perceived(without=(), more=(), **changed) -> Drive:
    """The truth with ids plus 100, without some, with more, and one, ``id_4=``, changed."""
    items = []
    for number, (category, colour, x, y, first) in THINGS.items():
        if first is None or number in without:
            continue
        values = {"label": category, "colour": colour, "x": x, "y": y, "first": first}
        values |= changed.get(f"id_{number}", {})
        items.append(perceived_thing(100 + number, **values))
    return Drive(truth(), graph((*items, *more)))


def perceived_thing(number, label, colour, x, y, first) -> SceneObject:
    return thing(number, label, box(x, y).to_tuple(), colour, first)


# -- by hand ---------------------------------------------------------------------------------------


def test_the_true_graph_is_of_what_was_in_view() -> None:
    known = truth()
    scene = true_graph(known.objects, known.rooms, 0.0)
    assert [item.id for item in scene.present()] == [1, 2, 3, 4, 5, 6, 7]
    assert scene[4].first_seen_ns == 6 * 10**9
    assert scene.floor is not None
    assert scene.floor.seen.sum() * scene.floor.resolution**2 == pytest.approx(48, rel=0.03)


@pytest.mark.parametrize("expression", [NEAR_TV, ON_THE_LEFT, BY_LAMP, SECOND])
def test_what_is_perceived_as_it_is_is_resolved(expression: ReferringExpression) -> None:
    assert referring.outcome(expression, perceived()) == "resolved"


@pytest.mark.parametrize(
    ("expression", "drive", "outcome", "cause"),
    [
        (SECOND, perceived(without=[4]), "took another", "target not perceived"),
        (BY_LAMP, perceived(without=[6]), "refused", "anchor not perceived"),
        (SECOND, perceived(without=[3]), "took another", "another of the kind not perceived"),
        (
            NEAR_TV,
            perceived(more=[perceived_thing(109, "tv", "black", 0.1, 0.0, 5)]),
            "refused",  # another chair is the farthest from it
            "anchor seen twice",
        ),
        (
            ON_THE_LEFT,
            perceived(more=[perceived_thing(109, "tv", "black", 0.1, 0.0, 5)]),
            "refused",
            "anchor seen twice",
        ),
        (
            ON_THE_LEFT,
            perceived(more=[perceived_thing(109, "chair", "red", 1.4, 1.5, 5)]),
            "found several",
            "target seen twice",
        ),
        (
            ON_THE_LEFT,
            perceived(more=[perceived_thing(109, "chair", "red", 0.0, 2.5, 5)]),
            "found several",
            "another thing seen twice or made up",
        ),
        (
            ON_THE_LEFT,
            perceived(id_3={"label": "stool"}),
            "found nothing",
            "a thing under another name",
        ),
        (BY_LAMP, perceived(id_6={"colour": "pink"}), "refused", "a thing of another colour"),
        (
            ON_THE_LEFT,
            perceived(id_5={"y": 0.1}),
            "found several",
            "boxes off: a near tie or a border",
        ),
        (
            NEAR_TV,
            perceived(id_4={"y": -1.5}),
            "took another",
            "boxes off: a near tie or a border",
        ),
        (SECOND, perceived(id_3={"first": 8}), "took another", "a short first glimpse not kept"),
        (SECOND, perceived(id_4={"first": 2}), "took another", "noticed when less was in view"),
        (
            SECOND,
            perceived(without=[3], id_4={"first": 2}),
            "took another",
            "several of these",
        ),
    ],
)
def test_what_went_wrong(expression, drive: Drive, outcome: str, cause: str) -> None:
    assert referring.outcome(expression, drive) == outcome
    assert referring.cause(expression, drive) == cause


def test_tables_count_every_expression_once() -> None:
    drive = perceived(id_3={"first": 8}, id_6={"colour": "pink"})
    outcomes, causes = referring.in_perceived_graphs({0: drive}, each=40)
    said = referring_expressions(drive.true_graph, 0, 40)
    for strategy in STRATEGIES:
        row = dict(outcomes[strategy])
        assert row["expressions"] == sum(e.strategy == strategy for e in said)
        assert sum(row.values()) == 2 * row["expressions"]
        failed = row["expressions"] - row["resolved"]
        assert sum(by[strategy] for by in causes.values()) == failed
    assert causes["a short first glimpse not kept"]["appearance"] > 0
    assert causes["a thing of another colour"]["proximity"] > 0


# -- the command -----------------------------------------------------------------------------------


def test_command(tmp_path, monkeypatch, capsys) -> None:
    drive = {"rooms": 1, "fps": 2.0, "width": 160, "height": 120, "seconds": 8.0, "workers": 1}
    monkeypatch.setattr(referring_scenes, "DRIVE", drive)
    monkeypatch.setattr(referring_scenes, "FOLDER", tmp_path)
    monkeypatch.setattr(referring, "OUTPUT", tmp_path / "referring.json")
    arguments = "--expressions 12 --drives 1 --each 20 --seed 200".split()
    monkeypatch.setattr(sys, "argv", ["referring", *arguments])
    assert referring.main() == 0

    printed = capsys.readouterr().out
    assert "In true scene graphs" in printed
    found = json.loads((tmp_path / "referring.json").read_text())
    assert found["seeds"] == [200]
    assert sum(row["resolved"] for row in found["true"].values()) == 12
    assert sum(row["expressions"] for row in found["perceived"].values()) == 20
    failed = sum(row["expressions"] - row["resolved"] for row in found["perceived"].values())
    assert sum(sum(row.values()) for row in found["causes"].values()) == failed


def test_a_disagreement_fails_the_command(tmp_path, monkeypatch, capsys) -> None:
    def wrong(scene, seed, most):
        said = referring_expressions(scene, seed, most)
        return tuple(dataclasses.replace(e, target=e.target + 1) for e in said[:1])

    monkeypatch.setattr(referring, "referring_expressions", wrong)
    table = referring.in_true_graphs(1, iter([200]))
    assert sum(row["resolved"] for row in table.values()) == 0
    assert "seed 200" in capsys.readouterr().out


def test_no_drives_are_refused(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["referring", "--drives", "0"])
    with pytest.raises(SystemExit):
        referring.main()
    assert "must be at least 1" in capsys.readouterr().err
