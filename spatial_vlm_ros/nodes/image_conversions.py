"""What images are kept as, proxies and keyframes, as messages, and back."""

from __future__ import annotations

import array
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage

from spatial_vlm_ros.keyframes import Keyframe
from spatial_vlm_ros.nodes import interfaces as ros
from spatial_vlm_ros.nodes.conversions import header, pose_from, pose_message
from spatial_vlm_ros.ros_image import stamp_ns

if TYPE_CHECKING:  # needs torch
    from spatial_vlm_ros.proxies.scene_proxies import Reading


# -- proxies ---------------------------------------------------------------------------------


def proxies_message(reading: Reading, frame: str) -> ros.ProxySequence:
    """Proxies in the order in which they are read; background has object id 0."""
    sequence = reading.sequence
    features = sequence.features.cpu().half().numpy().astype("<f2")
    points = sequence.points_scene.cpu().numpy().astype(np.float32)
    ids = sequence.groups.clamp(min=0).cpu().numpy().astype(np.uint32)
    return ros.ProxySequence(
        header=header(reading.stamp_ns, frame),
        revision=reading.revision,
        count=len(sequence),
        dimension=features.shape[1],
        features=array.array("B", features.tobytes()),
        points=array.array("f", points.tobytes()),
        object_ids=array.array("I", ids.tobytes()),
        counts=array.array("I", sequence.counts.cpu().numpy().astype(np.uint32).tobytes()),
        encoder=reading.encoder,
    )


def proxies_from(message: ros.ProxySequence) -> Reading:
    """The proxies a message carries: features in half precision, all background in group 0."""
    import torch

    from spatial_vlm_ros.proxies.scene_proxies import Reading
    from spatial_vlm_ros.proxies.sequence import ProxySequence

    features = np.frombuffer(message.features, "<f2").reshape(message.count, message.dimension)
    points, ids = proxy_places(message)
    counts = np.array(message.counts, np.int64)
    parts = features.astype(np.float16), points, ids, counts
    sequence = ProxySequence(*map(torch.from_numpy, parts))
    return Reading(sequence, message.revision, stamp_ns(message.header.stamp), message.encoder)


def proxy_places(
    message: ros.ProxySequence,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(K, 3) points and (K,) object ids of a message's proxies, in their order."""
    points = np.array(message.points, np.float32).reshape(-1, 3)
    return points, np.array(message.object_ids, np.int64)


# -- keyframes -------------------------------------------------------------------------------


def keyframe_message(keyframe: Keyframe, scene_frame: str) -> ros.Keyframe:
    """One kept image; the message holds its bytes as they are."""
    its_header = header(keyframe.stamp_ns, keyframe.frame)
    rows, columns = keyframe.points_scene.shape[:2]
    image = CompressedImage(header=its_header, format="jpeg")
    image.data = array.array("B", keyframe.jpeg)
    return ros.Keyframe(
        header=its_header,
        id=keyframe.id,
        image=image,
        k=keyframe.intrinsics.reshape(9).astype(np.float64),
        scene_frame=scene_frame,
        camera_pose=pose_message(keyframe.T_scene_camera),
        rows=rows,
        columns=columns,
        points=array.array("f", keyframe.points_scene.astype(np.float32).tobytes()),
        visible=list(keyframe.visible),
    )


def keyframe_from(message: ros.Keyframe) -> Keyframe:
    """The kept image a message carries."""
    points = np.array(message.points, np.float32).reshape(message.rows, message.columns, 3)
    return Keyframe(
        message.id,
        stamp_ns(message.header.stamp),
        message.header.frame_id,
        bytes(message.image.data),
        np.array(message.k, np.float64).reshape(3, 3),
        pose_from(message.camera_pose),
        points,
        tuple(map(int, message.visible)),
    )
