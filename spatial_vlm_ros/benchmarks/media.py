"""What an item is about as images: those it names, or frames of its video."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.benchmarks.item import Item

Image = NDArray[np.uint8]


def images_of(item: Item, frames: int) -> list[Image]:
    """(H, W, 3) red, green and blue: all images, or so many frames.

    ``ValueError``, ``OSError``: one cannot be read.
    """
    if item.video is not None:
        return frames_of(item.video, frames)
    found = []
    for number, picture in enumerate(item.images):
        image = cv2.imdecode(np.frombuffer(picture.read(), np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError(f"image {number} of {item.id} is no image")
        found.append(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8))
    return found


def frames_of(path: Path, count: int) -> list[Image]:
    """Evenly spread over the video, with its first and last frame: ``np.linspace`` without rounding
    up, as VSI-Bench's evaluation takes them. Of a shorter video some come more than once.
    """
    total = _length(path)
    wanted = np.linspace(0, total - 1, count, dtype=int).tolist()
    kept: dict[int, Image] = {}
    video = cv2.VideoCapture(str(path))
    try:
        for number in range(wanted[-1] + 1):
            if not video.grab():
                break
            if number in wanted:
                read, image = video.retrieve()
                if read:
                    kept[number] = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
    finally:
        video.release()
    if missing := sorted(set(wanted) - set(kept)):
        raise ValueError(f"{path}: frame {missing[0]} of {total} cannot be read")
    return [kept[number] for number in wanted]


def _length(path: Path) -> int:
    """Number of frames, counted: what a file says of itself may be wrong."""
    path.stat()  # says when it is not there
    video, total = cv2.VideoCapture(str(path)), 0
    try:
        while video.grab():
            total += 1
    finally:
        video.release()
    if not total:
        raise ValueError(f"{path} is no video that can be read")
    return total
