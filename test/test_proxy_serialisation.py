"""The order of groups and proxies, against walks done by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spatial_vlm_ros.proxies.serialisation import ORDERS, group_order, serialise

# A corridor along x with a room off its second group:   4
#                                                         3
#                                                   0  1  2  5
CORRIDOR = np.array([[1, 0, 0], [3, 0, 0], [5, 0, 0], [5, 3, 0], [5, 6, 0], [8, 0, 0]], float)


@pytest.mark.parametrize(
    ("order", "neighbours", "expected"),
    [
        ("bfs", 1, [0, 1, 2, 3, 5, 4]),  # the tree alone: 3 and 5 are both 3 m from 2
        ("bfs", 2, [0, 1, 2, 3, 5, 4]),  # 0 and 1 reach 2; 5 and 3 follow from it
        ("dfs_mst", 4, [0, 1, 2, 3, 4, 5]),
        ("greedy", 4, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_corridor(order, neighbours, expected):
    assert group_order(CORRIDOR, order, neighbours) == expected


def test_the_root_is_nearest_the_origin_whatever_its_id():
    ids = np.array([50, 40, 30, 20, 10, 0])
    assert serialise(CORRIDOR, ids, neighbours=1).tolist() == [0, 1, 2, 5, 3, 4]  # 5's id is lower


def test_in_a_group_each_proxy_is_followed_by_the_nearest_left():
    # group 1 lies before group 2; its walk starts nearest the origin, the other's at its end
    points = np.array(
        [[2.0, 0, 0], [1.0, 0, 0], [2.5, 0, 0], [6.0, 0, 0], [4.0, 0, 0], [5.0, 0, 0]]
    )
    assert serialise(points, np.array([1, 1, 1, 2, 2, 2])).tolist() == [1, 0, 2, 4, 5, 3]


def test_without_order_groups_stay_together():
    assert serialise(CORRIDOR, np.array([2, 1, 2, 1, 0, 0]), "none").tolist() == [4, 5, 1, 3, 0, 2]


@pytest.mark.parametrize("order", ORDERS)
def test_groups_in_one_place(order):
    """Equal centres make no missing edges: every proxy comes, lower ids first."""
    assert serialise(np.zeros((4, 3)), np.array([3, 0, 2, 1]), order).tolist() == [1, 3, 2, 0]


@pytest.mark.parametrize("order", ORDERS)
def test_nothing_and_one(order):
    assert serialise(np.zeros((0, 3)), np.zeros(0, np.int64), order).tolist() == []
    assert serialise(np.ones((1, 3)), np.array([-3]), order).tolist() == [0]


def test_an_unknown_order():
    with pytest.raises(ValueError, match="'depth' is not one of bfs"):
        serialise(np.zeros((1, 3)), np.zeros(1, np.int64), "depth")


SCENES = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 40), st.just(3)), elements=st.integers(-50, 50)
)


@pytest.mark.parametrize("order", ORDERS)
@given(points=SCENES, data=st.data())
def test_every_proxy_once_and_groups_together(order, points, data):
    groups = np.array(
        data.draw(st.lists(st.integers(-2, 6), min_size=len(points), max_size=len(points)))
    )
    found = serialise(points, groups, order)
    assert sorted(found) == list(range(len(points)))
    assert (np.diff(groups[found]) != 0).sum() == len(set(groups)) - 1


@pytest.mark.parametrize("order", ["bfs", "dfs_mst", "greedy"])
def test_turning_the_scene_about_the_vertical_keeps_the_order(order):
    rng = np.random.default_rng(3)
    points, groups = rng.normal(size=(120, 3)), rng.integers(0, 15, 120)
    cos, sin = np.cos(0.7), np.sin(0.7)
    turned = points @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    np.testing.assert_array_equal(
        serialise(points, groups, order), serialise(turned, groups, order)
    )


@pytest.mark.parametrize("order", ["bfs", "dfs_mst", "greedy"])
def test_the_order_of_the_input_does_not_matter(order):
    rng = np.random.default_rng(4)
    points, groups = rng.normal(size=(120, 3)), rng.integers(0, 15, 120)
    shuffle = rng.permutation(120)
    again = shuffle[serialise(points[shuffle], groups[shuffle], order)]
    np.testing.assert_array_equal(again, serialise(points, groups, order))


def test_mean_step_between_neighbours():
    """What an order is for: BFS beats the order of the ids, walks on the tree beat BFS."""
    rng, steps = np.random.default_rng(0), {}
    rooms = [rng.uniform(0, [8, 6, 2], (25, 3)) for _ in range(20)]
    for order in ORDERS:
        walks = [room[serialise(room, np.arange(25), order)] for room in rooms]
        steps[order] = np.mean([np.linalg.norm(np.diff(w, axis=0), axis=1).mean() for w in walks])
    assert steps["greedy"] < steps["dfs_mst"] < steps["bfs"] < 0.7 * steps["none"]
