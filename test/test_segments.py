"""Instances: from label images, from detections, from depth alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from box_world import FLOOR, Block, frame, look

from spatial_vlm_ros.config import GeometricConfig, InstancesConfig, MemoryConfig, PointsConfig
from spatial_vlm_ros.frame import Detection
from spatial_vlm_ros.perception.detections import from_detections
from spatial_vlm_ros.perception.geometric import GeometricSegmenter
from spatial_vlm_ros.perception.labels import from_labels
from spatial_vlm_ros.perception.points import unproject
from spatial_vlm_ros.perception.segments import SURROUNDINGS, observations

EYE = look((0, 0, 1.2), (2, 0, 0.2))
NEAR = Block(1, "chair", (1.6, 0.0, 0.25), (0.3, 0.3, 0.5))
FAR = Block(2, "chair", (3.0, 0.15, 0.25), (0.3, 0.3, 0.5))


def mapped(seen):
    return unproject(seen, seen.T_fixed_camera, PointsConfig())


def segment(seen, config=InstancesConfig()):
    return from_labels(seen.labels, mapped(seen), config, PointsConfig())


def test_instances_and_background():
    seen = frame([NEAR, FAR], EYE)
    segments = segment(seen)
    assert segments.labels == ("chair", "chair")
    assert segments.whole
    assert (segments.ids == SURROUNDINGS).sum() == (seen.labels.ids == FLOOR).sum()
    for block, index in ((NEAR, 0), (FAR, 1)):
        np.testing.assert_array_equal(segments.ids == index, seen.labels.ids == block.id)


def test_floor_is_an_object_when_not_background():
    segments = segment(frame([NEAR], EYE), InstancesConfig(background=[]))
    assert set(segments.labels) == {"chair", "floor"}


def test_an_id_without_a_name_is_kept_and_counted():
    segments = segment(frame([replace(NEAR, label=None)], EYE))
    assert segments.labels == ("object",)
    assert segments.ignored == {"label id without a name": 1}


def test_large_ids():
    seen = frame([replace(NEAR, id=2_000_000_001)], EYE)
    assert segment(seen).labels == ("chair",)


def test_classes_are_split_by_depth():
    """Two chairs of one class id, the one before the other in the image: two segments."""
    seen = frame([replace(NEAR, id=5), replace(FAR, id=5)], EYE, per_instance=False)
    segments = segment(seen)
    found = observations(segments, mapped(seen), InstancesConfig(), PointsConfig())
    assert not segments.whole
    assert [item.label for item in found] == ["chair", "chair"]
    depths = sorted(item.points[:, 0].mean() for item in found)
    assert depths[0] < 1.8
    assert depths[1] > 2.8


def test_observation_of_a_truncated_instance():
    inside = frame([NEAR], EYE)
    cut = frame([replace(NEAR, center=(1.6, 1.0, 0.25))], EYE)
    for seen, truncated in ((inside, False), (cut, True)):
        (item,) = observations(segment(seen), mapped(seen), InstancesConfig(), PointsConfig())
        assert item.truncated is truncated


def test_few_points_are_counted():
    seen = frame([replace(NEAR, size=(0.01, 0.01, 0.01), center=(1.6, 0, 0.5))], EYE)
    segments = segment(seen)
    assert observations(segments, mapped(seen), InstancesConfig(), PointsConfig()) == []
    assert segments.ignored["instance with too few points"] == 1


def test_observations_are_thinned_evenly():
    seen = frame([NEAR], EYE)
    (item,) = observations(
        segment(seen), mapped(seen), InstancesConfig(max_points=100), PointsConfig()
    )
    assert 50 <= len(item.points) <= 100
    assert item.pixels == (seen.labels.ids == 1).sum()
    assert NEAR.label == item.label


def shapes(seen):
    """Ids of the segmentation by depth alone."""
    return GeometricSegmenter(MemoryConfig()).segment(mapped(seen), 0.0).ids


def detection(seen, ids, label="thing", score=0.9, grow=8) -> Detection:
    v, u = np.nonzero(np.isin(seen.labels.ids, ids))
    return Detection(
        label, score, u.min() - grow, v.min() - grow, u.max() + 1 + grow, v.max() + 1 + grow
    )


def test_detection_keeps_its_foreground():
    """A box drawn too large round the near chair holds floor and the far chair too."""
    seen = frame([NEAR, FAR], EYE, noise=0.001)
    segments = from_detections([detection(seen, [1])], mapped(seen), shapes(seen), MemoryConfig())
    cells = segments.ids == 0
    wanted = seen.labels.ids == 1
    assert (cells & wanted).sum() > 0.85 * wanted.sum()
    assert (cells & ~wanted).sum() < 0.05 * wanted.sum()


def test_overlapping_detections_share_no_cell():
    seen = frame([NEAR, FAR], EYE)
    boxes = [detection(seen, [1], "near"), detection(seen, [2], "far")]
    segments = from_detections(boxes, mapped(seen), shapes(seen), MemoryConfig())
    for label, block in (("near", 1), ("far", 2)):
        cells = segments.ids == segments.labels.index(label)
        assert (seen.labels.ids[cells] == block).mean() > 0.9


def test_unusable_detections_are_counted():
    seen = frame([NEAR], EYE)
    boxes = [
        detection(seen, [1], score=0.1),
        Detection("sky", 0.9, 10, 0, 60, 8),
        Detection("outside", 0.9, -50, -50, -10, -10),
        Detection("wall", 0.9, 0, 0, 320, 240),
    ]
    segments = from_detections(boxes, mapped(seen), shapes(seen), MemoryConfig())
    assert segments.labels == ()
    assert segments.ignored == {"detection with a low score": 1, "detection without depth": 2}


ROOM = [
    Block(10, "wall", (4.05, 0, 1.3), (0.1, 8.0, 2.6)),
    Block(11, "wall", (1.5, 2.55, 1.3), (5.0, 0.1, 2.6)),
]
TABLE = Block(1, "table", (2.4, 0.3, 0.72), (0.7, 1.1, 0.04))
BOX = Block(2, "box", (2.35, 0.5, 0.84), (0.2, 0.2, 0.2))
BIN = Block(3, "bin", (2.0, -0.9, 0.2), (0.3, 0.3, 0.4))


@pytest.fixture
def room_segments():
    seen = frame([*ROOM, TABLE, BOX, BIN], look((0, -0.6, 1.4), (2.4, 0.3, 0.7)), noise=0.0012)
    segments = GeometricSegmenter(MemoryConfig()).segment(mapped(seen), 0.0)
    return seen, segments


def test_geometric_removes_surroundings(room_segments):
    seen, segments = room_segments
    for block in (FLOOR, 10, 11):
        assert (segments.ids[seen.labels.ids == block] < 0).mean() > 0.97


def test_geometric_separates_what_stands_on_a_table(room_segments):
    seen, segments = room_segments
    best = {}
    for block in (1, 2, 3):
        wanted = (seen.labels.ids == block) & (seen.depth > 0)
        found = np.bincount(segments.ids[wanted & (segments.ids >= 0)])
        best[block] = int(found.argmax())
        assert found.max() > 0.7 * wanted.sum()
    assert len(set(best.values())) == 3


def test_what_is_in_line_with_a_wall_is_not_the_wall():
    """A cabinet 0.9 m beside the end of a wall, its front in the plane of the wall's face."""
    wall = Block(10, "wall", (3.05, 1.3, 1.3), (0.1, 1.8, 2.6))
    cabinet = Block(1, "cabinet", (3.2, -0.75, 0.4), (0.4, 0.5, 0.8))
    segmenter = GeometricSegmenter(MemoryConfig())
    for step in range(3):
        seen = frame([wall, cabinet], look((-0.5, 0.3, 1.4), (3, 0.3, 0.9)), step, noise=0.0012)
        segments = segmenter.segment(mapped(seen), 0.0)
    assert len(segmenter.walls.found) == 1
    assert segmenter.walls.found[0].along == pytest.approx([-2.2, -0.4], abs=0.1)
    assert (segments.ids[seen.labels.ids == 10] < 0).mean() > 0.97
    front = segments.ids[seen.labels.ids == 1]
    assert (front >= 0).mean() > 0.9


def test_geometric_without_objects():
    seen = frame([], look((0, 0, 1.4), (2.4, 0, 0)))
    segments = GeometricSegmenter(MemoryConfig()).segment(mapped(seen), 0.0)
    assert segments.labels == ()


def test_geometric_size_limits(room_segments):
    seen, _ = room_segments
    small = MemoryConfig(geometric=GeometricConfig(max_size=0.5))
    segments = GeometricSegmenter(small).segment(mapped(seen), 0.0)
    assert segments.ignored["surface too large for an object"] >= 1


def test_lines_of_holes_do_not_cut_surfaces_into_tiles():
    """Depth warped onto a colour camera lacks every 16th row and column."""
    seen = frame([BIN], look((0, 0, 1.4), (2.0, -0.9, 0.2)), noise=0.001)
    depth = seen.depth.copy()
    depth[::16], depth[:, ::16] = 0, 0
    seen = replace(seen, depth=depth)
    segments = GeometricSegmenter(MemoryConfig()).segment(mapped(seen), 0.0)
    found = np.unique(segments.ids[(seen.labels.ids == 3) & (seen.depth > 0)])
    assert len(found[found >= 0]) == 1
