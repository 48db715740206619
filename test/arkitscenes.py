"""Real rooms: the annotated boxes of VSI-Bench's ARKitScenes part, where that data is at hand."""

from __future__ import annotations

import json

import numpy as np
from real_data import DATA

from spatial_vlm_ros.scene.graph import ObjectState, SceneObject
from spatial_vlm_ros.scene.nine_dof import OrientedBox, in_first_frame

BOXES = DATA / "gt" / "vsi_arkitscenes_meta_info_val.json"
QUESTIONS = DATA / "gt" / "vsi_arkitscenes_questions_sample.json"

#: A camera at the data's origin that looks along its y axis, the image upright.
LOOKING_ALONG_Y = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


def rooms() -> dict[str, tuple[SceneObject, ...]]:
    """The objects of every room, in the frame of one camera for all."""
    found = {}
    for name, room in json.loads(BOXES.read_text()).items():
        records = [(label, each) for label, many in room["object_bbox"].items() for each in many]
        found[name] = tuple(
            SceneObject(
                number,
                label,
                1.0,
                in_first_frame(
                    OrientedBox.from_axes(
                        record["centroid"], record["axesLengths"], record["normalizedAxes"]
                    ),
                    LOOKING_ALONG_Y,
                ),
                ObjectState.CONFIRMED,
                *("", 0.0, 0, 0, 1),
            )
            for number, (label, record) in enumerate(records, 1)
        )
    return found
