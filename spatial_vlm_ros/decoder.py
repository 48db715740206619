"""The messages of one instant, decoded and rectified, as a frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from spatial_vlm_ros.camera_model import CameraModel
from spatial_vlm_ros.frame import Frame, LabelImage
from spatial_vlm_ros.ros_image import decode_color, decode_depth, decode_labels, detections


class FrameDecoder:
    """Decodes frames of one camera; makes its lens model anew only when camera_info changes."""

    def __init__(self, labels_per_instance: bool, rectified: bool) -> None:
        self._per_instance, self._rectified = labels_per_instance, rectified
        self._camera: tuple[Any, CameraModel] | None = None

    def decode(
        self,
        stamp_ns: int,
        color: Any,
        partners: Mapping[str, Any],
        info: Any,
        names: dict[int, str],
        T_fixed_camera: NDArray[Any] | None,
    ) -> Frame:
        """The frame of a colour image and what "depth", "labels" or "detections" came with it.

        ``info`` is the CameraInfo, ``names`` the category of each label id. ``ValueError`` says
        which message cannot be used, and why.
        """
        if self._camera is None or self._camera[0] is not info:
            self._camera = (info, CameraModel(info, self._rectified))
        camera = self._camera[1]
        rgb, intrinsics = decode_color(color), camera.intrinsics
        if rgb.shape[:2] != (intrinsics.height, intrinsics.width):
            raise ValueError(
                f"colour image is {rgb.shape[1]}x{rgb.shape[0]}, camera_info says "
                f"{intrinsics.width}x{intrinsics.height}: is it the camera_info of this image?"
            )
        depth = labels = boxes = None
        if "depth" in partners:
            depth = camera.rectify(decode_depth(partners["depth"]), smooth=False)
        if "labels" in partners:
            ids = camera.rectify(decode_labels(partners["labels"]), smooth=False)
            labels = LabelImage(ids, names, self._per_instance)
        if "detections" in partners:
            found = detections(partners["detections"], names)
            boxes = tuple(camera.rectify_detection(box) for box in found)
        return Frame(
            stamp_ns,
            camera.rectify(rgb, smooth=True),
            depth,
            intrinsics,
            T_fixed_camera,
            labels,
            boxes,
            color.header.frame_id,
        )
