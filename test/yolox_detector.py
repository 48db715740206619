"""A detector such as a robot may run: YOLOX-nano by onnxruntime, for tests only.

    python test/yolox_detector.py weights_folder image_topic

Publishes ``detections`` (vision_msgs/Detection2DArray) for the newest compressed image.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage
from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

from spatial_vlm_ros.ros_image import decode_color

SIZE, MIN_SCORE, MAX_OVERLAP = 416, 0.35, 0.45
COCO = (
    "person|bicycle|car|motorcycle|airplane|bus|train|truck|boat|traffic light|fire hydrant|"
    "stop sign|parking meter|bench|bird|cat|dog|horse|sheep|cow|elephant|bear|zebra|giraffe|"
    "backpack|umbrella|handbag|tie|suitcase|frisbee|skis|snowboard|sports ball|kite|baseball bat|"
    "baseball glove|skateboard|surfboard|tennis racket|bottle|wine glass|cup|fork|knife|spoon|"
    "bowl|banana|apple|sandwich|orange|broccoli|carrot|hot dog|pizza|donut|cake|chair|couch|"
    "potted plant|bed|dining table|toilet|tv|laptop|mouse|remote|keyboard|cell phone|microwave|"
    "oven|toaster|sink|refrigerator|book|clock|vase|scissors|teddy bear|hair drier|toothbrush"
).split("|")


class Yolox:
    """Boxes (n, 4) as u_min, v_min, width, height in pixels, scores (n,), classes (n,)."""

    def __init__(self, model: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model), options)
        self._input = self._session.get_inputs()[0].name
        grids, strides = [], []
        for stride in (8, 16, 32):
            v, u = np.mgrid[: SIZE // stride, : SIZE // stride]
            grids.append(np.stack([u, v], -1).reshape(-1, 2))
            strides.append(np.full((grids[-1].shape[0], 1), stride))
        self._grid, self._stride = np.concatenate(grids), np.concatenate(strides)

    def __call__(self, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        ratio = min(SIZE / rgb.shape[0], SIZE / rgb.shape[1])
        small = cv2.resize(rgb[..., ::-1], None, fx=ratio, fy=ratio)
        padded = np.full((SIZE, SIZE, 3), 114, np.float32)
        padded[: small.shape[0], : small.shape[1]] = small
        (out,) = self._session.run(None, {self._input: padded.transpose(2, 0, 1)[None]})
        center = (out[0, :, :2] + self._grid) * self._stride
        size = np.exp(out[0, :, 2:4]) * self._stride
        scores = out[0, :, 4:5] * out[0, :, 5:]
        classes, best = scores.argmax(1), scores.max(1)
        boxes = np.concatenate([center - size / 2, size], 1) / ratio
        keep = cv2.dnn.NMSBoxesBatched(
            boxes.tolist(), best.tolist(), classes.tolist(), MIN_SCORE, MAX_OVERLAP
        )
        keep = np.asarray(keep, int)
        return boxes[keep], best[keep], classes[keep]


class Detector(Node):
    def __init__(self, weights: Path, topic: str) -> None:
        super().__init__("detector")
        self._model = Yolox(next(weights.glob("*.onnx")))
        self._publisher = self.create_publisher(Detection2DArray, "detections", 10)
        qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.create_subscription(CompressedImage, topic, self._detect, qos)

    def _detect(self, image: CompressedImage) -> None:
        array = Detection2DArray(header=image.header)
        for box, score, kind in zip(*self._model(decode_color(image)), strict=True):
            detection = Detection2D(header=image.header)
            detection.bbox.center.position.x = float(box[0] + box[2] / 2)
            detection.bbox.center.position.y = float(box[1] + box[3] / 2)
            detection.bbox.size_x, detection.bbox.size_y = float(box[2]), float(box[3])
            hypothesis = ObjectHypothesisWithPose()
            hypothesis.hypothesis.class_id = COCO[kind]
            hypothesis.hypothesis.score = float(score)
            detection.results.append(hypothesis)
            array.detections.append(detection)
        self._publisher.publish(array)


if __name__ == "__main__":
    rclpy.init()
    detector = Detector(Path(sys.argv[1]), sys.argv[2])
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(detector)
    detector.destroy_node()
    rclpy.try_shutdown()
