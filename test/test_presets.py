"""Presets and parameter files, read without ROS."""

from __future__ import annotations

import pytest

from spatial_vlm_ros import presets
from spatial_vlm_ros.nodes.mapper_config import MapperConfig
from spatial_vlm_ros.perception_config import PerceptionConfig

NEEDED = {"rgbd_labels", "rgbd_detections", "rgbd_geometric", "rgbd_open_vocabulary", "rgb_vggt"}


def write(folder, text):
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def test_all_presets_are_there_and_valid():
    assert set(presets.names()) >= NEEDED
    for name in presets.names():
        config = presets.load(MapperConfig, presets.preset_file(name))
        assert config != MapperConfig(), f"{name} sets nothing"
        assert (
            set(config.streams)
            == {
                "rgbd_labels": {"depth", "labels"},
                "rgbd_detections": {"depth", "detections"},
                "rgbd_geometric": {"depth"},
                "rgbd_open_vocabulary": {"depth"},
                "rgb_metric_depth": set(),
                "rgb_vggt": set(),
            }[name]
        )


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_every_number_of_a_preset_is_explained(name):
    """A comment stands before each value but the first, which the head of the file explains."""
    lines = presets.preset_file(name).read_text().splitlines()
    start = lines.index("  ros__parameters:")
    assert lines[0].startswith("#")
    before = lines[start + 1]
    for line in lines[start + 2 :]:
        if line.strip() and not line.strip().startswith("#"):
            assert before.strip().startswith("#"), f"{name}: {line.strip()}"
        before = line


def test_an_unknown_preset_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="'rgbd' is not one of .*rgb_vggt, .*rgbd_labels"):
        presets.preset_file("rgbd")


def test_files_lie_over_each_other_and_given_over_all(tmp_path):
    mine = write(
        tmp_path,
        "/**/mapper:\n  ros__parameters:\n    box: {voxel: 0.02}\n    box.trim: 0.01\n    up: y\n"
        "/**/reasoner:\n  ros__parameters:\n    whatever: 1\n",
    )
    config = presets.load(PerceptionConfig, mine, given={"up": "-y", "encoder.checkpoint": "none"})
    assert (config.box.voxel, config.box.trim, config.up) == (0.02, 0.01, "-y")
    assert config.encoder.checkpoint == "none"
    config = presets.load(MapperConfig, presets.preset_file("rgbd_labels"), mine)
    assert (config.instances, config.up, config.input.pair_wait) == ("labels", "y", 2.0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("box.voxl: 0.02", r"mine.yaml: parameter box.voxl is not known, did you mean box.voxel\?"),
        ("box.voxel: 1", "mine.yaml: box.voxel is 1, which is no float"),
        ("box.max_voxels: 1.0", "box.max_voxels is 1.0, which is no int"),
        ("instances: true", "instances is True, which is no str"),
        ("box.voxel: -1.0", "mine.yaml: box.voxel: -1.0 is below"),
        ("instances: psychic", "mine.yaml: instances: 'psychic' is not one of"),
        ("vocabulary: chair", "vocabulary is 'chair', which is no list"),
        ("geometry.poses: images", "mine.yaml: geometry.poses: images needs source vggt"),
        ("geometry: {source: vggt, poses: images}\n    up: -y", "up: '-y' does not go with"),
        ("geometry.source: vggt\n    geometry.scale.camera_height: 1.0\n    up: x", "up: 'x'"),
        ("geometry: {source: vggt, poses: images}\n    clock_jump: keep", "clock_jump: keep needs"),
        (
            "instances: tracked\n    detector.checkpoint: x\n    vocabulary: ['-']",
            "vocabulary: '-' has no letter",
        ),
        ("instances: tracked\n    tracker.checkpoint: ''", "mine.yaml: tracker.checkpoint: name"),
        ("- 1", "mine.yaml: .*no ros__parameters"),
        ("a: [", "mine.yaml cannot be read"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(tmp_path, text, says):
    with pytest.raises(ValueError, match=says):
        content = f"/**/mapper:\n  ros__parameters:\n    {text}\n"
        presets.load(MapperConfig, write(tmp_path, content))


def test_files_that_are_none_are_refused(tmp_path):
    with pytest.raises(ValueError, match="nothing.yaml does not exist"):
        presets.load(MapperConfig, tmp_path / "nothing.yaml")
    with pytest.raises(ValueError, match="no file of ROS parameters"):
        presets.load(MapperConfig, write(tmp_path, "just text"))
    with pytest.raises(ValueError, match="mapper has no ros__parameters"):
        presets.load(MapperConfig, write(tmp_path, "mapper: 1"))
