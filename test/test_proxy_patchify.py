"""Images to patches: which group a cell shows, where it is, and what is dropped."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spatial_vlm_ros.proxies.patchify import patchify, upsample
from spatial_vlm_ros.proxies.triplets import PatchTriplets


def image(groups, x=None, valid=None):
    """Arguments of patchify for a 1x2 map over ``groups`` (H, W); points are (x, row, 1)."""
    groups = torch.tensor(groups)
    points = torch.ones(*groups.shape, 3)
    points[..., 0] = torch.tensor(x, dtype=torch.float32) if x is not None else 0.0
    points[..., 1] = torch.arange(len(groups))[:, None]
    valid = torch.ones(groups.shape, dtype=torch.bool) if valid is None else torch.tensor(valid)
    return torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]), points, valid, groups


def test_the_larger_area_wins_and_only_its_points_count():
    found = patchify(
        *image([[7, 7, 3, 3], [7, 9, 3, 3]], x=[[1.0, 2.0, 5.0, 5.0], [3.0, 90.0, 5.0, 7.0]])
    )
    assert found.groups.tolist() == [7, 3]
    # left: the median of three points; right: the mean of four
    torch.testing.assert_close(found.points_scene, torch.tensor([[2.0, 0.0, 1.0], [5.5, 0.5, 1.0]]))
    assert found.features.tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_three_points_give_their_median():
    found = patchify(*image([[7, 7, 3, 3], [7, 9, 3, 3]], x=[[1.0, 2.0, 0, 0], [900.0, 0, 0, 0]]))
    assert found.points_scene[0].tolist() == [2.0, 0.0, 1.0]


def test_two_points_give_their_mean():
    valid = [[True, True, True, True], [False, False, True, True]]
    found = patchify(*image([[7, 7, 3, 3], [7, 7, 3, 3]], [[1.0, 2.0, 0, 0], [9, 9, 0, 0]], valid))
    assert found.points_scene[0].tolist() == [1.5, 0.0, 1.0]


def test_equal_areas_go_to_the_lower_id():
    found = patchify(*image([[9, -4, 5, 2], [-4, 9, 2, 5]]))
    assert found.groups.tolist() == [-4, 2]


@pytest.mark.parametrize("far", [2**30, -(2**40)])
def test_ids_may_be_far_apart(far):
    near = patchify(*image([[7, 7, 3, 3], [7, 9, 3, 5]]))
    found = patchify(*image([[far, far, 3, 3], [far, 9, 3, 5]]))
    assert near.groups.tolist() == [7, 3] and found.groups.tolist() == [far, 3]
    assert torch.equal(near.points_scene, found.points_scene)


def test_a_cell_whose_group_has_no_confident_point_is_dropped():
    """The area is counted in all pixels: the smaller group does not take over the cell."""
    valid = [[False, False, True, True], [False, True, True, True]]
    found = patchify(*image([[7, 7, 3, 3], [7, 9, 3, 3]], valid=valid))
    assert found.groups.tolist() == [3]
    nothing = patchify(*image([[7, 7, 3, 3]] * 2, valid=np.zeros((2, 4), bool)))
    assert len(nothing) == 0


def test_points_that_are_not_confident_may_be_anything():
    groups, valid = [[7, 7, 3, 3]] * 2, [[True, False, True, True]] * 2
    found = patchify(*image(groups, [[1.0, float("nan"), 0, 0], [1.0, float("inf"), 0, 0]], valid))
    assert found.points_scene[0].tolist() == [1.0, 0.5, 1.0]


@pytest.mark.parametrize("size", [(480, 640), (448, 588), (31, 45), (16, 21)])
def test_any_image_size(size):
    """Each pixel is its own group: every cell takes one of its own pixels."""
    rows, columns = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    points = torch.stack([columns, rows, rows], dim=-1).float()
    valid = torch.ones(size, dtype=torch.bool)
    found = patchify(torch.zeros(16, 21, 3), points, valid, torch.zeros(size, dtype=torch.int64))
    assert len(found) == 16 * 21
    centres = found.points_scene.view(16, 21, 3)
    step = torch.tensor([size[1] / 21, size[0] / 16])
    where = torch.stack(torch.meshgrid(torch.arange(21), torch.arange(16), indexing="xy"), dim=-1)
    exact = (where + 0.5) * step - 0.5
    assert (centres[..., :2] - exact).abs().max() <= 0.5
    torch.testing.assert_close(points.mean((0, 1)), centres.mean((0, 1)), atol=0.5, rtol=0)


def test_an_image_smaller_than_its_map_is_refused():
    with pytest.raises(ValueError, match="fewer pixels"):
        patchify(
            torch.zeros(1, 2, 3), torch.zeros(4, 1, 3), torch.ones(4, 1) > 0, torch.zeros(4, 1)
        )


def test_upsampling_a_ramp_is_exact_inside():
    ramp = torch.arange(21.0).expand(16, 21)[..., None]
    larger = upsample(ramp, 2)
    assert larger.shape == (32, 42, 1)
    expected = (torch.arange(42.0) - 0.5) / 2
    torch.testing.assert_close(larger[5, 1:-1, 0], expected[1:-1])
    assert upsample(ramp, 1) is ramp


def test_wrong_triplets_are_refused():
    good = (torch.zeros(2, 4), torch.zeros(2, 3), torch.zeros(2).long())
    PatchTriplets(*good)
    with pytest.raises(ValueError, match="1 of 2 patches have a point that is not finite"):
        PatchTriplets(good[0], torch.tensor([[0, 0, 0], [0, float("nan"), 0]]), good[2])
    with pytest.raises(ValueError, match="features are"):
        PatchTriplets(good[0].long(), *good[1:])
    with pytest.raises(ValueError, match="points of 2 patches"):
        PatchTriplets(good[0], good[1][:1], good[2])
    with pytest.raises(ValueError, match="int64"):
        PatchTriplets(*good[:2], good[2].int())


def test_images_one_after_the_other():
    first = patchify(*image([[7, 7, 3, 3]] * 2))
    both = PatchTriplets.concatenate([first, first])
    assert len(both) == 4
    assert both.groups.tolist() == [7, 3, 7, 3]
    with pytest.raises(ValueError, match="no images"):
        PatchTriplets.concatenate([])
