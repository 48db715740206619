"""Proxies of patches: how many each group gets, and which patches each is the mean of."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spatial_vlm_ros.proxies.allocation import allocate
from spatial_vlm_ros.proxies.clustering import cluster

SIZES = st.lists(st.integers(0, 300), max_size=30)


@pytest.mark.parametrize(
    ("sizes", "budget", "expected"),
    [
        ([10, 90, 900], 20, [1, 2, 17]),
        ([1, 1, 1000], 10, [1, 1, 8]),
        ([50, 50], 7, [4, 3]),
        ([5, 9, 9, 7], 2, [0, 1, 1, 0]),  # more groups than proxies: the largest, lower index first
        ([3, 2, 100], 200, [3, 2, 100]),  # never more than there are patches
        ([1, 1, 0, 8], 5, [1, 1, 0, 3]),
        ([], 5, []),
        ([4, 4], 0, [0, 0]),
    ],
)
def test_allocation_by_hand(sizes, budget, expected):
    assert allocate(np.array(sizes, np.int64), budget).tolist() == expected


def test_the_object_asked_about_gets_its_minimum():
    sizes = np.array([10, 90, 900])
    assert allocate(sizes, 20, minimum_of={0: 5}).tolist() == [5, 2, 13]
    assert allocate(sizes, 4, minimum=2, minimum_of={0: 3}).tolist() == [3, 0, 1]
    assert allocate(sizes, 20, minimum_of={0: 50})[0] == 10


@pytest.mark.parametrize(
    "bad", [([-1], 5, 1), ([5], -1, 1), ([5], 5, -1)], ids=["size", "budget", "minimum"]
)
def test_negative_numbers_are_refused(bad):
    with pytest.raises(ValueError, match="negative"):
        allocate(np.array(bad[0]), bad[1], bad[2])


@given(SIZES, st.integers(0, 2000), st.integers(0, 5))
def test_allocation_keeps_its_promises(sizes, budget, minimum):
    sizes = np.array(sizes, np.int64)
    given_ = allocate(sizes, budget, minimum)
    assert given_.sum() == min(budget, sizes.sum())
    assert ((given_ >= 0) & (given_ <= sizes)).all()
    if np.minimum(sizes, minimum).sum() <= budget:
        assert (given_ >= np.minimum(sizes, minimum)).all()


def by_hand(points: np.ndarray, count: int) -> np.ndarray:
    """(n,) step of the nearest seed, one point after the other."""
    first = int(((points - points.mean(0)) ** 2).sum(1).argmin())
    seeds = [first]
    while len(seeds) < count:
        far = ((points[:, None] - points[seeds]) ** 2).sum(2).min(1)
        far[seeds] = -1
        seeds.append(int(far.argmax()))
    nearest = ((points[:, None] - points[seeds]) ** 2).sum(2).argmin(1)
    nearest[seeds] = np.arange(count)
    return nearest


def proxy_of(pooling, patches: int) -> np.ndarray:
    """(patches,) the proxy of each patch, -1 for none."""
    result = np.full(patches, -1)
    result[pooling.patches] = np.repeat(np.arange(len(pooling.groups)), pooling.counts)
    return result


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("grid", [False, True], ids=["scattered", "with equal points"])
def test_all_groups_at_once_equal_one_group_after_the_other(seed, grid):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 60, 7)
    groups = rng.permutation(np.repeat(np.arange(7), sizes))
    points = rng.integers(-2, 3, (len(groups), 3)) if grid else rng.normal(size=(len(groups), 3))
    points = points.astype(np.float32)
    counts = allocate(sizes, int(sizes.sum()) // 3)
    found = cluster(torch.tensor(points), torch.tensor(groups), torch.tensor(counts))
    first = np.cumsum(counts) - counts
    for group in np.flatnonzero(counts):
        own = groups == group
        mine = points[own]  # where they are whole numbers sums are exact, and so are the ties
        assert (
            proxy_of(found, len(groups))[own] - first[group] == by_hand(mine, counts[group])
        ).all()
    np.testing.assert_array_equal(found.groups, np.repeat(np.arange(7), counts))


def room(patches=3000, groups=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    member = torch.randint(groups, (patches,), generator=generator)
    centres = 6 * torch.rand(groups, 3, generator=generator)
    points = centres[member] + torch.rand(patches, 3, generator=generator)
    return points, member, torch.from_numpy(allocate(np.bincount(member, minlength=groups), 150))


def error(points, pooling) -> float:
    """Mean squared distance of the patches to their proxies, square metres."""
    mean = torch.repeat_interleave(pooling.means(points), pooling.counts, dim=0)
    return float((points[pooling.patches] - mean).square().sum(1).mean())


@pytest.mark.parametrize("lloyd", [0, 3])
def test_every_patch_is_used_once(lloyd):
    points, groups, counts = room()
    found = cluster(points, groups, counts, lloyd=lloyd)
    assert sorted(found.patches.tolist()) == list(range(len(points)))
    assert (found.counts > 0).all()
    assert (groups[found.patches] == torch.repeat_interleave(found.groups, found.counts)).all()


def test_means_are_means():
    points, groups, counts = room(200, 4)
    found = cluster(points, groups, counts)
    proxy = proxy_of(found, 200)
    for number, mean in enumerate(found.means(points)):
        torch.testing.assert_close(mean, points[proxy == number].mean(0))


def test_steps_of_lloyd_lower_the_error():
    points, groups, counts = room()
    errors = [error(points, cluster(points, groups, counts, lloyd=n)) for n in range(4)]
    assert errors == sorted(errors, reverse=True)
    assert errors[2] < 0.9 * errors[0]


def test_a_proxy_that_lloyd_empties_keeps_its_seed():
    """Nine equal points and a tenth: nine seeds lie in one place, the mean of one has them all."""
    points = torch.zeros(10, 3)
    points[9, 0] = 1.0
    for count in range(1, 11):
        counts, groups = torch.tensor([count]), torch.zeros(10, dtype=torch.int64)
        found = cluster(points, groups, counts, lloyd=3)
        assert (found.counts > 0).all()
        assert sorted(found.patches.tolist()) == list(range(10))


@pytest.mark.parametrize(("ratio", "unused"), [(1.0, (0.08, 0.3)), (2.0, (0.0, 0.05))])
def test_neighbourhoods_as_in_pointgpt(ratio, unused):
    """With as many neighbours as there are patches per proxy about a sixth is in none."""
    points, groups, counts = room(6000, 5)
    found = cluster(points, groups, counts, neighbours=ratio)
    wanted = np.ceil(ratio * np.bincount(groups) / counts.numpy())
    np.testing.assert_array_equal(found.counts, wanted[found.groups])
    left = 1 - len(np.unique(found.patches)) / 6000
    assert unused[0] <= left <= unused[1]


def test_neighbourhoods_are_the_nearest():
    points = torch.tensor([[0.0, 0, 0], [1.0, 0, 0], [2.1, 0, 0], [5.0, 0, 0]])
    found = cluster(points, torch.zeros(4).long(), torch.tensor([2]), neighbours=1.5)
    # seeds: the patch nearest the centroid 2.025, then the farthest from it; three patches each
    assert found.counts.tolist() == [3, 3]
    assert found.patches.tolist() == [2, 1, 0, 3, 2, 1]


def test_moving_and_turning_the_room_changes_nothing():
    points, groups, counts = room()
    turn = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    a = cluster(points, groups, counts)
    b = cluster(points @ turn.T, groups, counts)
    assert (a.patches == b.patches).all()


def test_groups_without_proxies_are_left_out():
    points, groups, _ = room(100, 3)
    found = cluster(points, groups, torch.tensor([0, 4, 0]))
    assert (groups[found.patches] == 1).all()
    assert len(found.patches) == (groups == 1).sum()


def test_edges():
    nothing = cluster(torch.zeros(0, 3), torch.zeros(0).long(), torch.zeros(0).long())
    assert len(nothing.groups) == len(nothing.patches) == 0
    one = cluster(torch.ones(1, 3), torch.zeros(1).long(), torch.ones(1).long())
    assert one.patches.tolist() == [0]
    with pytest.raises(ValueError, match="fewer patches"):
        cluster(torch.ones(1, 3), torch.zeros(1).long(), torch.tensor([2]))


def test_ten_thousand_groups():
    points = torch.rand(20_000, 3)
    groups = torch.arange(20_000) % 10_000
    counts = torch.from_numpy(allocate(np.full(10_000, 2), 700))
    found = cluster(points, groups, counts)
    assert len(found.groups) == 700
    assert (
        sorted(found.patches.tolist()) == sorted([*range(700), *range(10_000, 10_700)])[: 2 * 700]
    )
