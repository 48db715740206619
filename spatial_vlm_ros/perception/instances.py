"""Instances in images: a detector finds words, a tracker follows masks, a namer compares crops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from spatial_vlm_ros.frame import Frame

if TYPE_CHECKING:  # they need torch, which a robot with a label image does not
    from spatial_vlm_ros.naming.detector import TextDetector
    from spatial_vlm_ros.naming.namer import Namer
    from spatial_vlm_ros.tracking.tracker import Tracker


class Instances:
    """Adds to frames which pixels are which instance; each part may be absent.

    period: seconds from one image that the detector looks at to the next.
    """

    def __init__(
        self,
        detector: TextDetector | None = None,
        period: float = 0.0,
        tracker: Tracker | None = None,
        namer: Namer | None = None,
    ) -> None:
        self._detector, self._period_ns = detector, round(1e9 * period)
        self._tracker, self._namer = tracker, namer
        self._looked_ns: int | None = None
        self._told: dict[str, str] = {}

    def see(self, frame: Frame) -> Frame | None:
        """The frame with its instances; None when it is passed over."""
        boxes = frame.detections
        if self._detector is not None:
            boxes = self._detector.find(frame.rgb) if self._is_due(frame.stamp_ns) else None
        if self._tracker is not None:
            labels = self._tracker.see(frame.rgb, boxes, frame.stamp_ns)
            for vote in self._namer.look(frame.rgb, labels.ids) if self._namer else ():
                self._tracker.vote(*vote)  # names show from the next image on
            self._told = _figures(self._tracker)
            return replace(frame, labels=labels, detections=None)
        if self._detector is not None and boxes is None:
            return None
        return replace(frame, detections=boxes)

    def look_for(self, words: Sequence[str]) -> None:
        """Change the vocabulary. ``ValueError`` names a word that cannot be looked for."""
        for part in (self._detector, self._namer):
            if part is not None:
                part.set_vocabulary(words)

    def reset(self) -> None:
        """The next image is the first of another stream."""
        self._looked_ns = None
        if self._tracker is not None:
            self._tracker.reset()
            self._told = _figures(self._tracker)
        if self._namer is not None:
            self._namer.reset()

    def values(self) -> dict[str, str]:
        """For diagnostics, in any thread: as it was after the last image."""
        return self._told

    def _is_due(self, stamp_ns: int) -> bool:
        if self._looked_ns is not None and stamp_ns - self._looked_ns < self._period_ns:
            return False
        self._looked_ns = stamp_ns
        return True


def _figures(tracker: Tracker) -> dict[str, str]:
    counts = {f"things {what}": str(number) for what, number in tracker.counts.items()}
    return {"things followed": str(tracker.followed), **counts, "tracker bytes": str(tracker.size)}
