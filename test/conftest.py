"""What all tests share."""

import os

import pytest
from hypothesis import settings

# On a busy machine torch's threads wait for each other: small tensors take 20 times as long. It is
# read when torch is imported, here and in the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Nor does a slow machine make a property false.
settings.register_profile("unhurried", settings.default, deadline=None)
settings.load_profile("unhurried")


@pytest.fixture
def rig(tmp_path):
    """Nodes in a domain of their own, which have to end well."""
    from ros_rig import Rig  # not everywhere is there ROS

    with Rig(tmp_path) as made:
        yield made
        made.end_all()


@pytest.fixture(scope="session")
def small_weights(tmp_path_factory):
    """A folder of untrained checkpoints with the names of those that ship."""
    from small_shipped import ship  # needs torch

    folder = tmp_path_factory.mktemp("weights")
    ship(folder)
    return folder


@pytest.fixture
def small_ship(small_weights, monkeypatch):
    """They are what ships."""
    from spatial_vlm_ros import shipped

    monkeypatch.setattr(shipped, "FOLDER", small_weights)
    return small_weights
