"""The scene graph as JSON and as DOT: complete, and valid whatever the labels are."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from hand_built_room import graph, room, thing
from hypothesis import given
from hypothesis import strategies as st

from spatial_vlm_ros.export import POINTS_PER_METRE, to_dot, to_json
from spatial_vlm_ros.language.names import scene_names
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.graph import (
    FloorMap,
    LocalCogMap,
    ObjectState,
    Relation,
    SceneGraph,
    SceneObject,
)

HOSTILE = [
    'a"b\\',
    "two\nlines\r\tand a tab",
    "<x>",
    "<b>&amp; & &lt;",
    "ünïcode 椅子 😀",
    "\\N \\l \\",
    '"',
    "a\x00b\x1bc",
    'x"];}\n-> --',
    "// /* # */",
    "\ud800",
    "",
]
MAPS = (
    LocalCogMap(1, 2, 8, (5, 1), (6, 2), 0.625),
    LocalCogMap(2, 8, 3, (5, 2), (3, 6), float("nan")),
)


def scene_of(labels: list[str]) -> SceneGraph:
    """Objects 1, 2, ... a metre apart, every third one missing."""
    states = ObjectState.CONFIRMED, ObjectState.CONFIRMED, ObjectState.MISSING
    return graph(
        tuple(
            thing(n + 1, label, (n, n / 2, 0.5, 0.3, 0.2, 0.4, 0.1), "red", state=states[n % 3])
            for n, label in enumerate(labels)
        )
    )


# -- JSON ------------------------------------------------------------------------------------


def strictly(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def read_back(content: dict[str, Any]) -> SceneGraph:
    """The scene that the documented keys describe."""
    objects = tuple(
        SceneObject(
            **{
                **{key: value for key, value in row.items() if key != "name"},
                "box": Box(**row["box"]),
                "state": ObjectState[row["state"]],
            }
        )
        for row in content["objects"]
    )
    maps = tuple(
        LocalCogMap(
            row["anchor_a"],
            row["anchor_b"],
            row["target"],
            tuple(row["cell_b"]),
            tuple(row["cell_target"]),
            row["metres_per_cell"],
        )
        for row in content["local_maps"]
    )
    floor = content["floor"]
    seen = np.array([[cell == "1" for cell in row] for row in floor.pop("seen")])
    return SceneGraph(
        objects,
        tuple(Relation(**row) for row in content["relations"]),
        maps,
        tuple(content["unplaced"]),
        FloorMap(**floor, seen=seen),
        np.array(content["T_scene_robot"]),
        content["stamp_ns"],
        content["revision"],
    )


def test_json_holds_the_whole_scene() -> None:
    scene = replace(room(), cogmaps=MAPS[:1], unplaced=(11, 13), stamp_ns=2**62 + 1, revision=7)
    content = strictly(to_json(scene))
    assert (content["format"], content["version"]) == ("spatial_vlm_ros scene graph", 1)
    assert content["units"] == "metres, radians, nanoseconds"
    assert content["local_maps"][0]["cell_a"] == [5, 5]
    assert [row["name"] for row in content["objects"][:3]] == ["sofa", "table", "mug (#3)"]
    back = read_back(content)
    for name in ("objects", "relations", "cogmaps", "unplaced", "stamp_ns", "revision"):
        assert getattr(back, name) == getattr(scene, name)
    assert (back.T_scene_robot == scene.T_scene_robot).all()
    assert (back.floor.seen == scene.floor.seen).all()
    assert back.floor.seen.any() and not back.floor.seen.all()
    assert back.floor.resolution == scene.floor.resolution


def test_json_without_floor_robot_and_scale() -> None:
    content = strictly(to_json(replace(room(), cogmaps=MAPS, floor=None, T_scene_robot=None)))
    assert content["floor"] is None and content["T_scene_robot"] is None
    assert [row["metres_per_cell"] for row in content["local_maps"]] == [0.625, None]


def test_json_of_numbers_of_numpy() -> None:
    item = thing(np.uint32(3), "lamp", tuple(np.float32([1, 2, 3, 0.5, 0.5, 0.5, 0])))
    row = strictly(to_json(graph((item,))))["objects"][0]
    assert row["id"] == 3 and type(row["id"]) is int
    assert row["box"]["length"] == 0.5


def test_json_refuses_what_is_not_finite_and_says_where() -> None:
    lost = thing(3, "lamp", (1, float("nan"), 3, 0.5, 0.5, 0.5, 0))
    with pytest.raises(ValueError, match=r"scene\.objects\[1\]\.box\.y is nan"):
        to_json(graph((thing(1, "mug", (1, 1, 1, 1, 1, 1, 0)), lost), robot=None))


def test_json_of_hostile_labels_is_plain_ascii() -> None:
    text = to_json(scene_of(HOSTILE))
    assert text.isascii()
    assert [row["label"] for row in strictly(text)["objects"]] == HOSTILE


# -- DOT -------------------------------------------------------------------------------------


class Dot(NamedTuple):
    """What a DOT text says: attributes, strings as Graphviz draws them."""

    nodes: dict[str, dict[str, str]]
    edges: list[tuple[str, str, dict[str, str]]]


_STRING = r'"(?:[^"\\\n]|\\["\\])*"'
_WORD = r"[A-Za-z_][A-Za-z0-9_]*|-?[0-9]+"
_TOKEN = re.compile(rf"\s*({_STRING}|{_WORD}|->|[{{}}\[\];,=])")


def drawn(string: str) -> str:
    """A quoted string as drawn: only these escapes and entities may be in it."""
    plain = re.sub(r'\\(["\\])', r"\1", string[1:-1])
    assert plain.isprintable()
    assert set(re.findall(r"&\w*;?", plain)) <= {"&amp;"}
    return plain.replace("&amp;", "&")


def read_dot(text: str) -> Dot:
    """A strict reader of as much of the language as is needed: statements with attributes."""
    text.encode()
    tokens, at = [], 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        assert found, f"no token at {text[at : at + 40]!r}"
        tokens.append(found[1])
        at = found.end()
    assert tokens[:3] == ["digraph", "scene", "{"] and tokens.pop() == "}"
    tokens = tokens[3:]
    dot = Dot({}, [])
    while tokens:
        statement = tokens[: tokens.index(";")]
        del tokens[: len(statement) + 1]
        start = statement.index("[")
        assert statement[-1] == "]"
        attributes = {}
        inner = statement[start + 1 : -1]
        for i in range(0, len(inner), 4):
            name, equals, value, *comma = inner[i : i + 4]
            assert re.fullmatch(_WORD, name) and equals == "=" and value.startswith('"')
            assert comma == ([","] if i + 4 < len(inner) else []) and name not in attributes
            attributes[name] = drawn(value)
        match statement[:start]:
            case ["graph" | "node" | "edge"]:
                pass
            case [node]:
                assert re.fullmatch(_WORD, node) and node not in dot.nodes
                dot.nodes[node] = attributes
            case [tail, "->", head]:
                dot.edges.append((tail, head, attributes))
            case other:
                raise AssertionError(f"not a statement: {other}")
    assert {end for tail, head, _ in dot.edges for end in (tail, head)} <= set(dot.nodes)
    return dot


def test_dot_of_a_room() -> None:
    objects = (
        *room().objects,
        thing(30, "sofa", (9, 1, 0.4, 2, 1, 1, 0), state=ObjectState.MISSING),
    )
    objects += (thing(31, "blob", (9, 2, 0.4, 2, 1, 1, 0), state=ObjectState.TENTATIVE),)
    dot = read_dot(to_dot(replace(room(), objects=objects, cogmaps=MAPS)))
    assert set(dot.nodes) == {*map(str, range(1, 18)), "30", "robot"}
    assert dot.nodes["3"]["label"] == "mug (#3)" and dot.nodes["30"]["label"] == "sofa (#30)"
    assert {n for n, a in dot.nodes.items() if "dashed" in a.get("style", "")} == {"30"}
    assert dot.nodes["3"]["fillcolor"] == dot.nodes["5"]["fillcolor"]  # both red
    assert dot.nodes["3"]["fillcolor"] != dot.nodes["4"]["fillcolor"]
    relations = {(t, h, a["label"], a.get("dir")) for t, h, a in dot.edges if "label" in a}
    assert ("3", "2", "on", None) in relations and ("7", "6", "under", None) in relations
    assert ("2", "8", "beside", "none") in relations
    assert not any((t, h) == ("8", "2") for t, h, _, _ in relations)
    assert len(relations) == 11
    anchors = [(t, h) for t, h, a in dot.edges if a.get("style") == "dotted"]
    assert anchors == [("1", "8"), ("2", "8"), ("2", "3"), ("8", "3")]
    assert len(dot.edges) == 11 + 4


def test_dot_places_objects_as_seen_from_above() -> None:
    scene = room()
    dot = read_dot(to_dot(scene))
    for item in scene.objects:
        x, y = map(float, dot.nodes[str(item.id)]["pos"].split(","))
        assert x / POINTS_PER_METRE == pytest.approx(item.box.x, abs=1e-3)
        assert y / POINTS_PER_METRE == pytest.approx(item.box.y, abs=1e-3)
    assert dot.nodes["robot"]["pos"] == f"{POINTS_PER_METRE}.0,{POINTS_PER_METRE}.0"


def shown_as(name: str) -> str:
    return "".join(c if c.isprintable() else " " for c in name)


def test_dot_of_hostile_labels_is_valid_and_shows_them() -> None:
    scene = replace(scene_of(HOSTILE), cogmaps=MAPS)
    names, dot = scene_names(scene), read_dot(to_dot(scene))
    for number, name in names.items():
        assert dot.nodes[str(number)]["label"] == shown_as(name)
    assert dot.nodes["1"]["label"] == 'a"b\\'
    assert dot.nodes["4"]["label"] == "<b>&amp; & &lt;"


@given(st.lists(st.text(st.characters(), max_size=12), max_size=6))
def test_any_labels_and_predicates_stay_valid(labels: list[str]) -> None:
    scene = scene_of(labels)
    relations = tuple(Relation(1, label, 1) for label in labels)
    scene = replace(scene, relations=relations)
    dot = read_dot(to_dot(scene))
    assert [a["label"] for _, _, a in dot.edges] == [shown_as(label) for label in labels]
    assert {int(n) for n in dot.nodes if n != "robot"} == {item.id for item in scene.objects}
    assert [row["label"] for row in strictly(to_json(scene))["objects"]] == labels


def test_dot_refuses_a_place_that_is_not_finite() -> None:
    with pytest.raises(ValueError, match="not finite"):
        to_dot(graph((thing(3, "lamp", (1, float("inf"), 3, 0.5, 0.5, 0.5, 0)),)))


def test_the_checker_can_fail() -> None:
    good = to_dot(scene_of(["lamp"]))
    for bad in (
        good.replace('"lamp"', '"la"mp"'),
        good.replace('"lamp"', '"la\\Nmp"'),
        good.replace('"lamp"', '"a & b"'),
        good.replace('"lamp"', '"lamp'),
        good.replace("];", "]", 1),
        good.replace("digraph", "graph"),
    ):
        assert bad != good
        with pytest.raises((AssertionError, ValueError)):
            read_dot(bad)
