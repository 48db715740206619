"""Proxies kept up to date image by image: as good as all at once, bounded, stable."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from spatial_vlm_ros.config import ProxyConfig
from spatial_vlm_ros.proxies.cells import Cells, blended, merged
from spatial_vlm_ros.proxies.merging import ward
from spatial_vlm_ros.proxies.sequence import ProxySequence, build
from spatial_vlm_ros.proxies.streaming import ProxyMemory
from spatial_vlm_ros.proxies.triplets import PatchTriplets

CONFIG = ProxyConfig(budget=80)
GROUPS = 9


def image(number: int, groups=range(GROUPS), patches=300) -> PatchTriplets:
    """Random patches of boxes in a room; group 0 is its floor. The features are the points."""
    rng = np.random.default_rng(number)
    low = np.random.default_rng(99).uniform(0, [6, 5, 1.5], (GROUPS, 3))
    size = np.full((GROUPS, 3), 0.8)
    low[0], size[0] = 0, [6, 5, 0.02]
    share = np.array([8.0 if group == 0 else 1.0 for group in groups])
    group = rng.choice(list(groups), patches, p=share / share.sum())
    points = torch.tensor(low[group] + rng.random((patches, 3)) * size[group], dtype=torch.float32)
    return PatchTriplets(points.clone(), points, torch.tensor(group))


def error(patches: PatchTriplets, proxies: ProxySequence) -> float:
    """Mean squared distance of the patches to the nearest proxy of their group, square metres."""
    apart = torch.cdist(patches.points_scene, proxies.points_scene)
    apart[patches.groups[:, None] != proxies.groups] = torch.inf
    return float(apart.amin(1).square().mean())


def filled(images, config=CONFIG) -> ProxyMemory:
    memory = ProxyMemory(config)
    for number, each in enumerate(images):
        memory.update(each, number)
    return memory


# -- against all at once ---------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_quantisation_error_is_within_a_tenth_of_all_at_once(seed):
    images = [image(100 * seed + n) for n in range(40)]
    everything = PatchTriplets.concatenate(images)
    streamed, batch = filled(images).sequence(), build(everything, CONFIG)
    assert len(streamed) == len(batch) == 80
    assert error(everything, streamed) <= 1.10 * error(everything, batch)


def test_groups_seen_one_after_the_other():
    """Shares change all the time, and with them what the groups seen first may keep."""
    images = [image(10 * group + n, [group]) for group in range(GROUPS) for n in range(4)]
    everything = PatchTriplets.concatenate(images)
    memory = ProxyMemory(CONFIG)
    for number, each in enumerate(images):
        memory.update(each, number)
        memory.sequence()
    streamed, batch = memory.sequence(), build(everything, CONFIG)
    assert error(everything, streamed) <= 1.10 * error(everything, batch)
    counts = [np.bincount(s.groups, minlength=GROUPS) for s in (streamed, batch)]
    assert np.abs(counts[0] - counts[1]).max() <= 2


def test_few_patches_far_apart_are_kept_as_they_are():
    points = torch.tensor([[0.0, 0, 0], [1.0, 0, 0], [2.0, 0, 0], [9.0, 1, 1]])
    patches = PatchTriplets(10 * points, points, torch.tensor([1, 1, 1, 2]))
    streamed, batch = filled([patches]).sequence(), build(patches, CONFIG)
    assert torch.equal(streamed.points_scene, batch.points_scene)
    assert torch.equal(streamed.features, batch.features)
    assert torch.equal(streamed.groups, batch.groups)


def test_no_patch_is_lost():
    images = [image(n) for n in range(30)]
    everything, found = PatchTriplets.concatenate(images), filled(images).sequence()
    np.testing.assert_array_equal(
        np.bincount(found.groups, found.counts), np.bincount(everything.groups)
    )
    mean = (found.points_scene * found.counts[:, None]).sum(0) / found.counts.sum()
    torch.testing.assert_close(mean, everything.points_scene.mean(0), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.features, found.points_scene, atol=1e-4, rtol=1e-4)


# -- bounds ----------------------------------------------------------------------------------


def test_cells_and_bytes_stay_within_bounds():
    memory, sizes = ProxyMemory(CONFIG), []
    for number in range(60):
        memory.update(image(number), number)
        sizes.append(memory.bytes_used)
    per_cell = 4 * 3 + 80
    assert max(sizes) <= (4 * 80 + GROUPS) * per_cell
    assert max(sizes[30:]) <= 1.2 * max(sizes[:30])


def test_less_room_means_fewer_cells_never_fewer_proxies():
    images = [image(n, patches=50) for n in range(40)]
    tight = replace(CONFIG, max_megabytes=150 * (4 * 3 + 80) / 1e6)
    memory = ProxyMemory(tight)
    for number, each in enumerate(images):
        memory.update(each, number)
        assert memory.bytes_used <= 1e6 * tight.max_megabytes
    assert len(memory.sequence()) == 80


def test_without_room_it_says_how_much_is_needed():
    memory = ProxyMemory(replace(CONFIG, max_megabytes=0.01))
    with pytest.raises(
        ValueError, match=r"0\.01 MB have no room for 80 proxies.*raise max_megabyt"
    ):
        memory.update(image(0), 0)
    assert len(memory.sequence()) == 0


def test_when_room_is_short_small_groups_unseen_for_longest_go():
    """40 groups of one patch, 10 proxies, room for 30 cells: the groups seen last remain."""
    config = ProxyConfig(budget=10, max_megabytes=30 * (4 * 3 + 80) / 1e6)
    memory = ProxyMemory(config)
    for group in range(40):
        point = torch.tensor([[float(group), 0, 0]])
        memory.update(PatchTriplets(point, point, torch.tensor([group])), group)
    assert memory.bytes_used <= 1e6 * config.max_megabytes
    kept = set(memory._memory.cells.groups.tolist())
    assert set(range(30, 40)) <= kept  # the newest
    assert set(range(10)) <= kept  # those that have the proxies: of equal groups the lowest ids


# -- stability -------------------------------------------------------------------------------


def test_the_order_of_a_static_scene_stays():
    images = [image(n) for n in range(40)]
    memory = filled(images)
    before = memory.sequence()
    revision = memory.revision
    for number, each in enumerate(images * 2):
        memory.update(each, 100 + number)
        after = memory.sequence()
    assert memory.revision == revision
    assert torch.equal(before.groups, after.groups)
    assert (before.points_scene - after.points_scene).norm(dim=1).max() < 0.25


def test_asking_changes_nothing():
    memory = filled([image(n) for n in range(10)])
    before, revision = memory.sequence(), memory.revision
    assert (before.groups == 3).sum() < 8
    asked = memory.sequence({3: 15})
    assert (asked.groups == 3).sum() == 15
    assert len(asked) == 80
    after = memory.sequence()
    assert memory.revision == revision
    assert torch.equal(before.points_scene, after.points_scene)


def test_a_new_group_changes_the_structure():
    memory = filled([image(n, [0, 1, 2]) for n in range(10)])
    memory.sequence()
    revision = memory.revision
    memory.update(image(50, [5], patches=40), 50)
    found = memory.sequence()
    assert memory.revision == revision + 1
    assert set(found.groups.tolist()) == {0, 1, 2, 5}
    assert len(found) == 80


def test_forgetting_and_renaming():
    memory = filled([image(n) for n in range(10)])
    total = memory.sequence().counts.sum()
    revision = memory.revision
    memory.rename(4, 5)
    found = memory.sequence()
    assert 4 not in found.groups
    assert found.counts.sum() == total
    assert memory.revision > revision
    memory.forget(5)
    memory.forget(77)
    found = memory.sequence()
    assert set(found.groups.tolist()) == set(range(GROUPS)) - {4, 5}
    assert len(found) == 80
    for group in range(GROUPS):
        memory.forget(group)
    assert len(memory.sequence()) == 0
    memory.update(image(0), 99)
    assert len(memory.sequence()) == 80


def test_the_same_images_give_the_same():
    a, b = (filled([image(n) for n in range(15)]).sequence() for _ in range(2))
    assert torch.equal(a.features, b.features)
    assert torch.equal(a.groups, b.groups)


# -- bad input -------------------------------------------------------------------------------


def test_bad_images_are_refused_and_change_nothing():
    memory = filled([image(n) for n in range(5)])
    before = memory.sequence()
    good = image(9)
    wrong = good.features.clone()
    wrong[7, 1] = float("nan")
    with pytest.raises(ValueError, match="features that are not finite"):
        memory.update(replace(good, features=wrong), 9)
    with pytest.raises(ValueError, match="features are 2 long, those before were 3"):
        memory.update(replace(good, features=good.features[:, :2]), 9)
    assert torch.equal(memory.sequence().features, before.features)


def test_an_image_without_patches():
    memory = ProxyMemory(CONFIG)
    nothing = PatchTriplets(torch.empty(0, 3), torch.empty(0, 3), torch.empty(0).long())
    memory.update(nothing, 0)
    assert len(memory.sequence()) == 0
    memory.update(image(0), 1)
    memory.update(nothing, 2)
    assert len(memory.sequence()) == 80


# -- cells -----------------------------------------------------------------------------------


def cells(points, counts) -> Cells:
    points = torch.tensor(points, dtype=torch.float32)
    made = Cells.of_patches(torch.zeros(len(points)).long(), points[:, :1] * 2, points, 5)
    made.counts = torch.tensor(counts, dtype=torch.float64)
    return made


def test_merged_by_hand():
    found = merged(cells([[0, 0, 0], [4, 0, 0], [7, 7, 7]], [3, 1, 2]), torch.tensor([0, 0, 1]), 2)
    assert found.counts.tolist() == [4, 2]
    assert found.points.tolist() == [[1, 0, 0], [7, 7, 7]]
    assert found.features.tolist() == [[2], [14]]
    assert found.spread[0].tolist() == [[3, 0, 0], [0, 0, 0], [0, 0, 0]]  # (3 * 1 + 1 * 9) / 4


def test_blended_equals_merged():
    generator = torch.Generator().manual_seed(0)
    both = cells(torch.randn(6, 3, generator=generator).tolist(), [1, 5, 2, 3, 1, 9])
    both.spread = torch.rand(6, 3, 3, generator=generator)
    a = blended(both.take(slice(0, 3)), both.take(slice(3, 6)))
    b = merged(both, torch.tensor([0, 1, 2, 0, 1, 2]), 3)
    for name in ("counts", "features", "points", "spread"):
        torch.testing.assert_close(getattr(a, name), getattr(b, name))


def test_ward_by_hand():
    """0 and 1 are nearest, but heavy: joining them costs 50 * 1, the light pair 0.5 * 9."""
    points = torch.tensor([[0.0, 0, 0], [1.0, 0, 0], [10.0, 0, 0], [13.0, 0, 0]])
    heavy = torch.tensor([100.0, 100.0, 1.0, 1.0])
    assert ward(points, heavy, 3).tolist() == [0, 1, 2, 2]
    assert ward(points, torch.ones(4), 3).tolist() == [0, 0, 1, 2]
    assert ward(points, torch.ones(4), 1).tolist() == [0, 0, 0, 0]
    assert ward(torch.zeros(5, 3), torch.ones(5), 2).max() == 1
