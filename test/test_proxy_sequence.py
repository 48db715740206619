"""A whole scene's patches to its sequence of proxies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_vlm_ros.config import ProxyConfig
from spatial_vlm_ros.proxies.sequence import ProxySequence, build
from spatial_vlm_ros.proxies.triplets import PatchTriplets

CONFIG = ProxyConfig(budget=60)


def scene(patches=2000, groups=8, seed=0) -> PatchTriplets:
    """Groups of patches, each a metre across, whose features are their points and their id."""
    generator = torch.Generator().manual_seed(seed)
    member = torch.randint(groups, (patches,), generator=generator)
    centres = 8 * torch.rand(groups, 3, generator=generator)
    points = centres[member] + torch.rand(patches, 3, generator=generator)
    features = torch.cat([points, member[:, None].float()], dim=1)
    return PatchTriplets(features, points, 10 * member - 20)


def assert_same(a: ProxySequence, b: ProxySequence) -> None:
    torch.testing.assert_close(a.features, b.features)
    torch.testing.assert_close(a.points_scene, b.points_scene)
    assert torch.equal(a.groups, b.groups)
    assert torch.equal(a.counts, b.counts)


def test_two_objects_by_hand():
    points = torch.tensor([[5.0, 0, 0], [5.0, 0, 2], [1.0, 0, 0], [1.0, 2, 0], [1.0, 4, 0]])
    found = build(
        PatchTriplets(points[:, :1] + 1, points, torch.tensor([7, 7, 3, 3, 3])),
        ProxyConfig(budget=3, lloyd=0),
    )
    # 3 is nearer the origin and has 3 of 5 patches, so 2 of 3 proxies: seeds y = 2, then y = 0
    assert found.groups.tolist() == [3, 3, 7]
    assert found.counts.tolist() == [1, 2, 2]
    assert found.points_scene.tolist() == [[1, 0, 0], [1, 3, 0], [5, 0, 1]]
    assert found.features.tolist() == [[2.0], [2.0], [6.0]]


@pytest.mark.parametrize("order", ["bfs", "dfs_mst", "greedy", "none"])
@pytest.mark.parametrize("lloyd", [0, 2])
def test_proxies_are_means_of_one_group(order, lloyd):
    found = build(scene(), replace(CONFIG, order=order, lloyd=lloyd))
    assert len(found) == 60
    assert found.counts.sum() == 2000
    torch.testing.assert_close(found.features[:, :3], found.points_scene)
    torch.testing.assert_close(10 * found.features[:, 3] - 20, found.groups.float())
    total = (found.points_scene * found.counts[:, None]).sum(0) / 2000
    torch.testing.assert_close(total, scene().points_scene.mean(0))


def test_the_object_asked_about_gets_more():
    plain, asked = build(scene(), CONFIG), build(scene(), CONFIG, {-20: 25, 999: 5})
    assert (plain.groups == -20).sum() < 10
    assert (asked.groups == -20).sum() >= 25
    assert len(asked) == 60


def test_without_grouping_proxies_mix_groups_and_take_the_commonest():
    points = torch.tensor([[0.0, 0, 0], [0.1, 0, 0], [0.2, 0, 0], [9.0, 0, 0], [9.1, 0, 0]])
    triplets = PatchTriplets(points, points, torch.tensor([5, 4, 5, 9, 8]))
    found = build(triplets, ProxyConfig(budget=2, grouping=False, lloyd=1))
    assert sorted(found.groups.tolist()) == [5, 8]  # of equally many the lower
    assert sorted(found.counts.tolist()) == [2, 3]


def test_more_groups_than_proxies():
    triplets = PatchTriplets(torch.rand(30, 2), torch.rand(30, 3), torch.arange(30) // 2)
    found = build(triplets, ProxyConfig(budget=4), {14: 1})
    assert sorted(found.groups.tolist()) == [0, 1, 2, 14]


@pytest.mark.parametrize("patches", [0, 1, 2])
def test_few_patches(patches):
    triplets = PatchTriplets(
        torch.ones(patches, 5), torch.ones(patches, 3), torch.zeros(patches).long()
    )
    found = build(triplets, CONFIG)
    assert found.features.shape == (patches, 5)
    assert found.counts.tolist() == [1] * patches


def test_half_precision_features():
    whole = scene()
    half = replace(whole, features=whole.features.half())
    found = build(half, CONFIG)
    assert found.features.dtype == torch.float16
    torch.testing.assert_close(
        found.features.float(), build(whole, CONFIG).features, atol=0.02, rtol=0.002
    )


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.sampled_from(["bfs", "dfs_mst", "greedy"]))
def test_the_order_of_the_patches_does_not_matter(seed, order):
    config, triplets = replace(CONFIG, order=order), scene(400, 5, seed)
    shuffle = torch.from_numpy(np.random.default_rng(seed).permutation(400))
    again = PatchTriplets(
        triplets.features[shuffle], triplets.points_scene[shuffle], triplets.groups[shuffle]
    )
    assert_same(build(again, config), build(triplets, config))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.floats(-3, 3))
def test_turning_the_scene_turns_the_proxies(seed, angle):
    triplets = scene(400, 5, seed)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = torch.tensor([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], dtype=torch.float32)
    turned = replace(triplets, points_scene=triplets.points_scene @ turn.T)
    a, b = build(triplets, CONFIG), build(turned, CONFIG)
    assert torch.equal(a.groups, b.groups)
    torch.testing.assert_close(a.points_scene @ turn.T, b.points_scene, atol=1e-4, rtol=1e-4)


def test_moving_the_scene_and_its_origin_moves_the_proxies():
    """Only the first group depends on where the origin is; without order none does."""
    triplets, shift = scene(), torch.tensor([0.5, -0.25, 1.0])
    moved = replace(triplets, points_scene=triplets.points_scene + shift)
    config = replace(CONFIG, order="none")
    a, b = build(triplets, config), build(moved, config)
    assert torch.equal(a.groups, b.groups)
    assert torch.equal(a.counts.sort()[0], b.counts.sort()[0])


def test_the_same_twice():
    assert_same(build(scene(), CONFIG), build(scene(), CONFIG))
