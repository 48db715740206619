"""The generated interfaces the nodes need; without them a node ends with one line that says so."""

from __future__ import annotations

try:
    from tf2_msgs.msg import TFMessage
    from vision_msgs.msg import (
        Detection2DArray,
        Detection3D,
        Detection3DArray,
        LabelInfo,
        ObjectHypothesisWithPose,
    )

    from spatial_vlm_msgs.action import Ask
    from spatial_vlm_msgs.msg import (
        Keyframe,
        LocalCogMap,
        Object3D,
        ProxySequence,
        Relation,
        SceneGraph,
        View,
    )
    from spatial_vlm_msgs.srv import LoadScene, QueryObjects, RemoveObject, SaveScene
except ImportError as error:
    raise SystemExit(
        f"ROS interfaces are not built or not sourced ({error}): run `make setup` and "
        "`. tools/env.sh`, or with a ROS distribution `colcon build --base-paths . "
        "spatial_vlm_msgs` and `. install/setup.bash`"
    ) from None

__all__ = [
    "Ask",
    "Detection2DArray",
    "Detection3D",
    "Detection3DArray",
    "Keyframe",
    "LabelInfo",
    "LoadScene",
    "LocalCogMap",
    "Object3D",
    "ObjectHypothesisWithPose",
    "ProxySequence",
    "QueryObjects",
    "Relation",
    "RemoveObject",
    "SaveScene",
    "SceneGraph",
    "TFMessage",
    "View",
]
