"""What both pictures share: colours, names, corners and lines."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.scene.graph import SceneObject

Colour = tuple[int, int, int]
INK: Colour = (40, 40, 40)
WHITE: Colour = (255, 255, 255)


def object_colour(object_id: int) -> Colour:
    """A strong colour of its own for an id; neighbouring ids differ clearly."""
    hue = object_id * 0.61803398875 % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, 0.62 + 0.2 * (object_id % 2))
    return int(255 * red), int(255 * green), int(255 * blue)


def object_name(item: SceneObject) -> str:
    """What a picture calls an object: "chair 7"."""
    return f"{item.label} {item.id}"


def draw_names(
    image: NDArray[np.uint8], names: Sequence[tuple[str, NDArray[np.int32], Colour]]
) -> None:
    """Name plates near their anchors (pixels), moved up or down until they do not overlap."""
    taken: list[tuple[int, int, int, int]] = []
    for text, anchor, colour in names:
        (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, 0.42, 1)
        width, height = width + 8, height + 8
        left = int(np.clip(anchor[0] - width // 2, 0, max(image.shape[1] - width, 0)))
        for shift in sorted(range(-6, 7), key=abs):
            top = int(anchor[1]) - height // 2 + shift * (height + 1)
            top = int(np.clip(top, 0, image.shape[0] - height))
            plate = (left, top, left + width, top + height)
            if not any(_overlap(plate, other) for other in taken):
                break
        taken.append(plate)
        if abs(shift) > 1:
            draw_line(image, anchor, np.array([left + width // 2, top + height // 2]), colour, 1)
        cv2.rectangle(image, plate[:2], plate[2:], WHITE, -1)
        cv2.rectangle(image, plate[:2], plate[2:], colour, 1)
        cv2.putText(image, text, (left + 4, top + height - 5), cv2.FONT_HERSHEY_DUPLEX, 0.42, INK,
                    1, cv2.LINE_AA)  # fmt: skip


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def draw_line(
    image: NDArray[np.uint8],
    start: NDArray[Any],
    end: NDArray[Any],
    colour: Colour,
    thickness: int,
) -> None:
    """A line whose ends may lie far outside the image."""
    # OpenCV's drawing works in 16.16 fixed point: an end cut at the near plane can exceed it.
    height, width = image.shape[:2]
    first, second = np.clip([start, end], -(10**8), 10**8).round().astype(int).tolist()
    visible, a, b = cv2.clipLine((-width, -height, 3 * width, 3 * height), first, second)
    if visible:
        cv2.line(image, a, b, colour, thickness, cv2.LINE_AA)


def xy(point: NDArray[np.int32]) -> tuple[int, int]:
    """A pixel as OpenCV takes it."""
    return int(point[0]), int(point[1])
