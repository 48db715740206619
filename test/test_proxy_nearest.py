"""The nearest point of the same group, against all pairs."""

from __future__ import annotations

import pytest
import torch

from spatial_vlm_ros.proxies.nearest import nearest_of_group


@pytest.mark.parametrize("shift", [0.0, 1e4])
@pytest.mark.parametrize("seed", range(4))
def test_as_by_all_pairs(seed, shift):
    random = torch.Generator().manual_seed(seed)
    points = shift + 5 * torch.rand(80, 3, generator=random, dtype=torch.float64)
    to = shift + 5 * torch.rand(120, 3, generator=random, dtype=torch.float64)
    groups = torch.randint(-2, 6, (80,), generator=random)
    to_groups = torch.randint(-2, 5, (120,), generator=random)  # none is in group 5
    index, distance = nearest_of_group(points, groups, to, to_groups)
    apart = torch.cdist(points, to, compute_mode="donot_use_mm_for_euclid_dist")
    apart[groups[:, None] != to_groups] = torch.inf
    expected, nearest = apart.min(dim=1)
    torch.testing.assert_close(distance, expected)
    found = torch.isfinite(expected)
    assert found.any() and not found.all()
    assert torch.equal(index[found], nearest[found])


def test_a_point_far_away_is_in_its_own_group_still():
    """Groups are told apart however far their points are from each other."""
    to = torch.tensor([[0.0, 0.0, 0.0], [1000.0, 0.0, 0.0]])
    index, distance = nearest_of_group(
        torch.tensor([[1000.0, 0.0, 0.0]]), torch.tensor([7]), to, torch.tensor([7, 8])
    )
    assert index.tolist() == [0] and distance.tolist() == [1000.0]


def test_ids_may_be_any_integers():
    to, far = torch.zeros(2, 3), 2**62
    index, _ = nearest_of_group(
        torch.zeros(2, 3), torch.tensor([far, far + 1]), to, torch.tensor([far + 1, far])
    )
    assert index.tolist() == [1, 0]


def test_equal_points_and_one_point():
    zero = torch.zeros(1, 3)
    index, distance = nearest_of_group(zero, torch.tensor([1]), zero, torch.tensor([1]))
    assert index.tolist() == [0] and distance.tolist() == [0.0]
    assert nearest_of_group(zero, torch.tensor([1]), zero, torch.tensor([2]))[1].isinf().all()
