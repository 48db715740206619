"""Real referential statements (VLA-3D) as a stress test of phrases.

Their authors measured nearness between centres, took colours from up to three dominant ones and
drew other borders for near and between, so agreement is not expected everywhere.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from real_data import DATA

from spatial_vlm_ros.reasoning.geometric import find_objects
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.graph import ObjectState, SceneGraph, SceneObject
from spatial_vlm_ros.scene.relations import relations

SCENES = sorted((DATA / "gt" / "vla3d").glob("*/*/*_referential_statements.json"))
pytestmark = pytest.mark.skipif(not SCENES, reason="no VLA-3D data")


def scene(statements: Path) -> SceneGraph:
    rows = statements.with_name(
        statements.name.replace("referential_statements.json", "object_result.csv")
    )
    objects = []
    with rows.open() as file:
        for row in csv.DictReader(file):
            names = ("cx", "cy", "cz", "xlength", "ylength", "zlength", "heading")
            box = Box.from_tuple(float(row[f"object_bbox_{name}"]) for name in names).canonical()
            colour = row["object_color_scheme1"].strip("_")
            objects.append(
                SceneObject(
                    int(row["object_id"]),
                    row["nyu_label"],
                    1.0,
                    box,
                    ObjectState.CONFIRMED,
                    colour,
                    1.0,
                    0,
                    0,
                    1,
                )
            )
    return SceneGraph(
        tuple(objects), relations(objects), (), (), None, np.eye(4), stamp_ns=0, revision=1
    )


def statements_of(path: Path) -> Iterator[tuple[str, str, int, bool]]:
    """Statement, relation, id of its target, and whether it names a colour."""
    for region in json.loads(path.read_text())["regions"].values():
        for text, readings in region.items() if isinstance(region, dict) else ():
            if text == "region":  # the region's name, not a statement
                continue
            for reading in readings:
                anchors = reading["anchors"].values()
                coloured = reading["target_color_used"] or any(a["color_used"] for a in anchors)
                yield text, reading["relation"], int(reading["target_index"]), bool(coloured)


def test_every_statement_is_parsed_and_most_are_resolved() -> None:
    right: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for path in SCENES:
        graph = scene(path)
        for text, relation, target, coloured in statements_of(path):
            answer = find_objects(text, graph)
            assert "do not know what" not in answer.text, text
            assert "not a phrase" not in answer.text, text
            if not coloured:
                asked[relation] += 1
                right[relation] += answer.objects == (target,)
    shares = {relation: right[relation] / asked[relation] for relation in asked}
    print({relation: f"{right[relation]}/{asked[relation]}" for relation in asked})
    assert sum(asked.values()) > 500
    assert sum(right.values()) / sum(asked.values()) > 0.6
    for relation in ("above", "below", "closest", "farthest"):
        assert shares[relation] > 0.6
