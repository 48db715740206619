"""References added to the features of proxies."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_vlm_ros.proxies.fusion import fuse, norm_ratio


def test_fusion_by_hand():
    """|f| are 3, 4, 5, mean 4; |e| are 1 and 3, mean 2; so alpha is 2 * strength."""
    features = torch.tensor([[3.0, 0.0], [0.0, 4.0], [3.0, 4.0]])
    references = {7: torch.tensor([0.0, 1.0]), 9: torch.tensor([3.0, 0.0])}
    assert norm_ratio(features, references) == 2.0
    found = fuse(features, torch.tensor([7, 8, 9]), references)
    torch.testing.assert_close(found, torch.tensor([[3.0, 2.0], [0.0, 4.0], [9.0, 4.0]]))
    found = fuse(features, torch.tensor([7, 7, 7]), references, strength=0.5)
    torch.testing.assert_close(found, features + torch.tensor([0.0, 1.0]))
    assert features[0, 1] == 0, "the features given were changed"


@pytest.mark.parametrize("references", [{}, {1: torch.zeros(4)}, {5: torch.ones(4)}])
def test_without_anything_to_add_features_stay(references):
    features, groups = torch.randn(6, 4), torch.tensor([0, 1, 1, 2, 2, -3])
    assert torch.equal(fuse(features, groups, references), features)


def test_no_features_can_be_fused():
    empty = torch.empty(0, 4)
    assert fuse(empty, torch.empty(0, dtype=torch.int64), {1: torch.ones(4)}).shape == (0, 4)


def test_half_precision_does_not_overflow():
    """The norm 240000 does not fit into float16; the sum 60000 does."""
    features = torch.full((2, 64), 30000.0, dtype=torch.float16)
    found = fuse(features, torch.tensor([1, 2]), {1: torch.full((64,), 0.5)})
    assert found.dtype == torch.float16
    assert found[0].tolist() == [60000.0] * 64
    assert found[1].tolist() == [30000.0] * 64


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), strength=st.floats(0.1, 3.0))
def test_fusing_before_and_after_pooling_is_the_same(seed, strength):
    """A mean is linear, and a proxy's patches are all of its group; alpha has to be the same."""
    random = torch.Generator().manual_seed(seed)
    patches = torch.randn(60, 8, generator=random, dtype=torch.float64)
    owner = torch.randint(0, 9, (60,), generator=random)
    group_of = torch.randint(0, 4, (9,), generator=random)
    pooling = torch.nn.functional.one_hot(owner, 9).T.double()
    pooling = pooling / pooling.sum(dim=1, keepdim=True).clamp_min(1)
    kept = pooling.sum(dim=1) > 0
    references = {1: torch.randn(8, generator=random), 3: torch.randn(8, generator=random)}
    before = pooling @ fuse(patches, group_of[owner], references, strength)
    proxies = pooling @ patches
    same = strength * norm_ratio(patches, references) / norm_ratio(proxies, references)
    after = fuse(proxies, group_of, references, float(same))
    torch.testing.assert_close(before[kept], after[kept], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(before[kept], proxies[kept]) or not {1, 3} & set(group_of.tolist())
