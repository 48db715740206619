"""Remembered objects held against a frame: shown, hidden, disproved, out of view."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from box_world import CAMERA, FLOOR, Block, frame, look

from spatial_vlm_ros.config import AssociationConfig, BoxConfig, PointsConfig
from spatial_vlm_ros.perception.points import PointMap, unproject
from spatial_vlm_ros.perception.segments import SURROUNDINGS, Segments
from spatial_vlm_ros.scene.box_fit import fit_box
from spatial_vlm_ros.scene.tracked import TrackedObject, extent_of
from spatial_vlm_ros.scene.visibility import Visibility, in_view, look_up
from spatial_vlm_ros.scene.voxel_points import VoxelPoints

EYE = look((0, 0, 1.0), (2, 0, 0.4))
CHAIR = Block(1, "chair", (2.0, 0.0, 0.4), (0.4, 0.4, 0.8))


def mapped(blocks, pose=EYE) -> tuple[PointMap, Segments]:
    """The frame's points and true segments; the scene frame is the fixed frame."""
    seen = frame(blocks, pose)
    points = unproject(seen, pose, PointsConfig())
    ids = np.full(seen.labels.ids.shape, -1, np.int32)
    for number, block in enumerate(blocks):
        ids[seen.labels.ids == block.id] = number
    ids[seen.labels.ids == FLOOR] = SURROUNDINGS
    return points, Segments(ids, tuple(b.label for b in blocks), (1.0,) * len(blocks), True)


def remembered(block: Block) -> TrackedObject:
    """The object as it was seen from EYE, alone."""
    points, segments = mapped([block])
    own = points.points_scene[(segments.ids == 0) & points.valid]
    ones = np.ones(len(own), np.float32)
    box = fit_box(own, ones, BoxConfig())
    return TrackedObject(1, VoxelPoints(0.02, 3000), own[::5], box, extent_of(box), 0, 0)


def look_at(blocks, pose=EYE, objects=None) -> Visibility:
    points, segments = mapped(blocks, pose)
    objects = [remembered(CHAIR)] if objects is None else objects
    return look_up(objects, points, segments, AssociationConfig(), PointsConfig())


def test_an_object_that_is_there():
    seen = look_at([CHAIR])
    assert seen.sampled[0] > 100
    assert seen.surface[0] > 0.95 * seen.sampled[0]
    assert seen.through[0] < 0.03 * seen.sampled[0]
    assert seen.on_segment[0, 0] == seen.surface[0]


def test_an_object_that_is_gone_is_seen_through():
    cupboard = Block(3, "cupboard", (3.5, 0, 1.0), (0.1, 8.0, 2.0))
    seen = look_at([cupboard])
    assert seen.through[0] > 0.95 * seen.sampled[0]
    assert seen.surface[0] == 0


@pytest.mark.parametrize(("distance", "proof"), [(7.5, True), (13.0, False)])
def test_depth_beyond_the_range_disproves_unless_it_is_absurd(distance, proof):
    """Used is depth up to 6 m, believed up to 12 m."""
    seen = frame([], EYE)
    points = unproject(replace(seen, depth=np.full_like(seen.depth, distance)), EYE, PointsConfig())
    ids = np.full(points.depth.shape, -1, np.int32)
    found = look_up(
        [remembered(CHAIR)],
        points,
        Segments(ids, (), (), True),
        AssociationConfig(),
        PointsConfig(),
    )
    assert not points.valid.any()
    assert (found.through[0] == found.sampled[0]) is np.bool_(proof)
    assert found.surface[0] == 0


def test_behind_something_nearer_nothing_is_said():
    screen = Block(2, "screen", (1.0, 0, 0.6), (0.1, 2.0, 1.2))
    seen = look_at([screen])
    assert (seen.surface[0], seen.through[0], seen.on_segment.sum()) == (0, 0, 0)


def test_without_depth_nothing_is_said():
    points, segments = mapped([])
    points.depth[:], points.beyond[:] = 0, 0
    seen = look_up([remembered(CHAIR)], points, segments, AssociationConfig(), PointsConfig())
    assert (seen.surface[0], seen.through[0]) == (0, 0)


def test_out_of_view_nothing_is_said():
    seen = look_at([], look((0, 0, 1.0), (-2, 0, 0.4)))
    assert (seen.surface[0], seen.through[0]) == (0, 0)


def test_surroundings_at_the_same_depth_disprove():
    """What was an object turns out to be floor: its points agree in depth, but it is not there."""
    points, segments = mapped([CHAIR])
    segments.ids[segments.ids == 0] = SURROUNDINGS
    seen = look_up([remembered(CHAIR)], points, segments, AssociationConfig(), PointsConfig())
    assert seen.surface[0] == 0
    assert seen.through[0] > 0.95 * seen.sampled[0]


def test_each_object_has_its_own_counts():
    other = Block(2, "chair", (2.0, 0.8, 0.4), (0.4, 0.4, 0.8))
    seen = look_at([CHAIR, other], objects=[remembered(CHAIR), remembered(other)])
    shares = seen.on_segment / seen.sampled[:, None]
    np.testing.assert_allclose(shares, np.eye(2), atol=0.06)
    assert set(zip(seen.owners.tolist(), seen.segments.tolist(), strict=True)) == {(0, 0), (1, 1)}


def test_no_objects_no_segments():
    seen = look_at([], objects=[])
    assert seen.on_segment.shape == (0, 0)


@pytest.mark.parametrize(
    ("center", "visible"),
    [
        ((2.0, 0.0, 0.4), True),
        ((-2.0, 0.0, 0.4), False),  # behind
        ((2.0, 5.0, 0.4), False),  # far to the left
        ((2.0, 1.45, 0.4), True),  # half over the left edge: 2.09 m deep, 160 px of 260 is 1.28 m
        ((20.0, 0.0, -5.0), False),  # out of range
        ((0.0, 0.0, 1.0), True),  # round the camera
    ],
)
def test_in_view(center, visible):
    points, _ = mapped([])
    bounds = np.array([np.subtract(center, 0.25), np.add(center, 0.25)])[None]
    assert in_view(bounds, points, 6.0).tolist() == [visible]


def test_in_view_is_never_wrongly_false():
    """Of 5000 random boxes every one with a point in the image and in range is in view."""
    rng = np.random.default_rng(0)
    points, _ = mapped([])
    center = rng.uniform(-7, 7, (5000, 3))
    half = rng.uniform(0.01, 0.8, (5000, 3))
    inside = center[:, None] + half[:, None] * rng.uniform(-1, 1, (5000, 40, 3))
    camera = (inside - EYE[:3, 3]) @ EYE[:3, :3]
    depth = camera[..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        u = CAMERA.fx * camera[..., 0] / depth + CAMERA.cx
        v = CAMERA.fy * camera[..., 1] / depth + CAMERA.cy
    shown = (depth > 0.01) & (depth < 6) & (u > 0) & (u < 319) & (v > 0) & (v < 239)
    shown = shown.any(axis=1)
    found = in_view(np.stack([center - half, center + half], axis=1), points, 6.0)
    assert 100 < shown.sum() < 2500
    assert found[shown].all()
    assert found.sum() < 2 * shown.sum()
