"""The command that compares the proxies' settings: by hand, and on one short simulated drive."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from bench import ablations
from spatial_vlm_ros.proxies.triplets import PatchTriplets


def scene(points, groups) -> ablations.Scene:
    """The same patches whatever the upsampling; their features are their points."""
    points = torch.tensor(points, dtype=torch.float32)
    patches = PatchTriplets(points.clone(), points, torch.tensor(groups))
    return {1: patches, ablations.CONFIG.upsample: patches}


def line(length) -> list[list[float]]:
    return [[float(x), 0.0, 0.0] for x in range(length)]


# -- by hand ---------------------------------------------------------------------------------


def test_steps_along_a_line():
    """Two groups of three: every order walks along, "none" begins in the middle of each group."""
    rows = ablations.order_table([scene(line(6), [7, 7, 7, 9, 9, 9])])
    assert list(rows) == ["bfs", "dfs_mst", "greedy", "none", "random"]
    for order in ("bfs", "dfs_mst", "greedy"):
        assert rows[order] == pytest.approx(
            {"step, m": 1.0, "group step, m": 3.0, "same group": 0.8}
        )
    # 1 0 2 4 3 5
    assert rows["none"] == pytest.approx(
        {"step, m": 8 / 5, "group step, m": 3.0, "same group": 0.8}
    )
    assert rows["random"]["step, m"] > 1.0


def test_only_groups_keep_a_small_object_apart(monkeypatch):
    """60 patches of a wall and one of a cup before its middle; two proxies."""
    monkeypatch.setattr(ablations, "CONFIG", replace(ablations.CONFIG, budget=2))
    wall = np.linspace(0.0, 6.0, 60)
    points = [[x, 0.0, 0.0] for x in wall] + [[3.0, 0.01, 0.0]]
    rows = ablations.grouping_table([scene(points, [1] * 60 + [2])])
    assert rows["on"] == {"purity": 1.0, "small objects": 1.0, "with a proxy": 1.0}
    assert rows["off"]["purity"] == pytest.approx(60 / 61)
    assert rows["off"]["with a proxy"] == 0.0


def test_errors_of_two_heaps(monkeypatch):
    """At 0 1 2 3 and 10 11 12 13: one proxy, one for each heap, one for each patch."""
    monkeypatch.setattr(ablations, "BUDGETS", (1, 2, 8))
    heaps = scene(line(4) + [[x + 10, y, z] for x, y, z in line(4)], [0] * 8)
    position, features = ablations.error_tables([heaps])
    errors = [row["defaults"] for row in position.values()]
    assert errors == pytest.approx([26.25**0.5, 1.25**0.5, 0])
    lost = [row["defaults"] for row in features.values()]
    assert lost == pytest.approx([1, 1.25 / 26.25, 0])


def test_a_patch_counts_with_a_proxy_of_its_own_group(monkeypatch):
    """Group 1, at 1 and 9, has its proxy at 5; that group 0 has some at 0 and 2 is no help."""
    monkeypatch.setattr(ablations, "BUDGETS", (3,))
    points = [[0.0, 0, 0], [2.0, 0, 0], [1.0, 0, 0], [9.0, 0, 0]]
    position, _ = ablations.error_tables([scene(points, [0, 0, 1, 1])])
    assert position["3"]["defaults"] == pytest.approx(8**0.5)


def test_tables_are_means_over_scenes(monkeypatch):
    monkeypatch.setattr(ablations, "BUDGETS", (1,))
    near = scene([[0.0, 0, 0], [2.0, 0, 0]], [0, 0])
    far = scene([[0.0, 0, 0], [6.0, 0, 0]], [0, 0])
    position, _ = ablations.error_tables([near, far])
    assert position["1"]["defaults"] == pytest.approx((1 + 3) / 2)


# -- the command -----------------------------------------------------------------------------


def test_command(tmp_path, monkeypatch, capsys):
    drive = {"rooms": 1, "fps": 1.5, "width": 320, "height": 240, "seconds": 5.0, "workers": 1}
    monkeypatch.setattr(ablations, "DRIVE", drive)
    monkeypatch.setattr(ablations, "FOLDER", tmp_path)
    monkeypatch.setattr(ablations, "OUTPUT", tmp_path / "ablations.json")
    monkeypatch.setattr(sys, "argv", ["ablations", "--scenes", "1", "--seed", "200"])
    assert ablations.main() == 0

    printed = capsys.readouterr().out
    assert "defaults (*): budget 700, minimum 1, grouping True" in printed
    marked = [line.split()[0] for line in printed.splitlines() if "* " in line and line[0] != "d"]
    assert marked == ["bfs*", "on*", "700*", "700*"]

    found = json.loads((tmp_path / "ablations.json").read_text())
    assert found["seeds"] == [200]
    order, grouping = found["order"], found["grouping"]
    assert order["bfs"]["step, m"] < order["none"]["step, m"] < order["random"]["step, m"]
    assert order["bfs"]["group step, m"] < order["random"]["group step, m"]
    assert order["random"]["same group"] < order["bfs"]["same group"]
    assert grouping["on"]["purity"] == 1.0 > grouping["off"]["purity"] > 0.5
    assert grouping["on"]["with a proxy"] == 1.0
    for table in (found["position"], found["features"]):
        assert list(table) == ["100", "225", "450", "700", "1000"]
        column = [row["defaults"] for row in table.values()]
        assert column == sorted(column, reverse=True)
        assert column[-1] < 0.8 * column[0]
        assert table["700"]["defaults"] <= table["700"]["neighbours 2"]


def test_no_drives_are_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["ablations", "--scenes", "0"])
    with pytest.raises(SystemExit):
        ablations.main()
    assert "--scenes must be at least 1" in capsys.readouterr().err
