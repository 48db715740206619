"""Commands of ``spatial-vlm`` that are more than a call: their arguments, and what they do.

Everything heavy is imported when a command runs, so that --help is instant.
"""

from __future__ import annotations


def without_ros(error: ImportError) -> ValueError:
    """What to say when --ros was given and ROS is not there."""
    return ValueError(
        f"--ros needs a ROS environment ({error}): `spatial-vlm doctor` says what is missing"
    )


def without_simulation(error: ImportError) -> ValueError:
    """What to say when rooms are to be simulated and what renders them is not there."""
    return ValueError(
        f"the simulation is not installed ({error}): "
        "python -m pip install 'spatial_vlm_ros[simulation]'"
    )


def without_evaluation(error: ImportError) -> ValueError:
    """What to say when models are to be evaluated and what that needs is not there."""
    return ValueError(
        f"what evaluates is not installed ({error}): "
        "python -m pip install 'spatial_vlm_ros[evaluation]'"
    )
