"""Instances from images: things are found, followed, lost, found again, named and let go."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.frame import Detection, LabelImage
from spatial_vlm_ros.perception.segments import UNNAMED
from spatial_vlm_ros.tracking.config import TrackerConfig
from spatial_vlm_ros.tracking.masks import box_of, label_image
from spatial_vlm_ros.tracking.prompting import Prompting
from spatial_vlm_ros.tracking.propagation import Candidate, MaskPropagator
from spatial_vlm_ros.tracking.tracks import Track, Tracks
from spatial_vlm_ros.vision.boxes import ious

Mask = NDArray[np.bool_]


class Tracker:
    """One label image for each camera image, in which a thing keeps its id.

    A thing that the network loses from view stays in its memory for ``lost_after`` images and has
    the same id when it is seen again within them. Later it is a new thing with a new id; that both
    are one object is for the map to say, which knows where they are. Ids are never given twice, not
    even after a reset. Which things go when there are too many: :class:`Tracks`.

    counts: things so far found, forgotten after having been lost, found to be another's duplicate,
    and displaced by newcomers.
    """

    def __init__(self, config: TrackerConfig, propagator: MaskPropagator) -> None:
        self._config = config
        self._propagator = propagator
        self._tracks = Tracks(config.maximum)
        self._prompting = Prompting(config)
        self._last_ns: int | None = None
        self.counts = {"found": 0, "forgotten": 0, "duplicates": 0, "displaced": 0}

    def see(
        self,
        rgb: NDArray[np.uint8],
        detections: Sequence[Detection] | None = None,
        stamp_ns: int = 0,
    ) -> LabelImage:
        """The next image (H, W, 3), and what a detector found in it, if one looked.

        A stamp before the last one (a recording that starts again) forgets everything first.
        """
        if self._last_ns is not None and stamp_ns < self._last_ns:
            self.reset()
        self._last_ns = stamp_ns
        config = self._config
        followed = self._propagator.step(rgb)
        cells = next((report.logits.size for report in followed.values()), 0)
        self._tracks.update(followed.items(), config.min_presence, config.min_area * cells)
        self._gone(self._tracks.forget_lost(config.lost_after), "forgotten")
        self._gone(self._tracks.forget_duplicates(config.duplicate), "duplicates")
        height, width = rgb.shape[:2]
        if detections:
            self._take_detections(detections, height, width)
        self._search(height, width)
        return self._labels(height, width)

    def vote(self, number: int, name: str | None, score: float) -> None:
        """Somebody looked at this thing and calls it so; None: it is none of what he knows.

        Votes for things that are no longer followed are ignored.
        """
        track = self._tracks.get(number)
        if track is not None:
            track.votes.add(name, score)

    def reset(self) -> None:
        """Forget all things; the ids that come are new ones."""
        self._propagator.reset()
        self._tracks.clear()
        self._prompting.reset()
        self._last_ns = None

    @property
    def followed(self) -> int:
        """Things that are followed now, in view or lost."""
        return len(self._tracks)

    @property
    def size(self) -> int:
        """Bytes of what the network remembers and of the masks kept here."""
        masks = sum(track.mask.nbytes + track.logits.nbytes for track in self._tracks)
        return self._propagator.size + masks

    def _take_detections(self, detections: Sequence[Detection], height: int, width: int) -> None:
        """A detection votes for the thing it is of; if it is of none, it founds one."""
        rest: list[Detection] = []
        view = self._tracks.in_view
        boxes = np.array([_in_pixels(track.mask, height, width) for track in view]).reshape(-1, 4)
        for detection in sorted(detections, key=lambda one: -one.score):
            box = _clipped(detection, height, width)
            if detection.score < self._config.min_score or box[0] >= box[2] or box[1] >= box[3]:
                continue
            matches = ious(np.array(box), boxes)
            best = int(np.argmax(matches)) if len(matches) else -1
            if best >= 0 and matches[best] >= self._config.match:
                view[best].votes.add(detection.label, detection.score)
            else:
                rest.append(detection)
        if not rest:
            return
        del rest[self._config.prompt_points :]  # the least sure
        prompts = np.array([_clipped(one, height, width) for one in rest], np.float32)
        for detection, candidate in zip(rest, self._propagator.in_boxes(prompts), strict=True):
            fits = candidate.quality >= self._config.min_quality
            track = self._take(candidate, named=True) if fits else None
            if track is not None:
                track.votes.add(detection.label, detection.score)

    def _take(self, candidate: Candidate, named: bool = False) -> Track | None:
        """The thing that a candidate is: one in view, one lost a moment ago, or a new one.

        None when it is too small, or there is no room. The network is shown again what it lost.
        """
        mask = candidate.logits > 0
        if np.count_nonzero(mask) < max(1.0, self._config.min_area * mask.size):
            return None
        recent = self._tracks.lost_for(self._config.patience)
        track = max(recent, key=lambda one: one.overlap(mask), default=None)
        if track is not None and track.overlap(mask) >= self._config.match:
            if track.lost:
                track.see(candidate.logits)
                self._propagator.follow(track.number, candidate.logits)
            return track
        track, gone = self._tracks.found(candidate.logits, named)
        self._gone(gone, "displaced")
        if track is not None:
            self._propagator.follow(track.number, candidate.logits)
            self.counts["found"] += 1
        return track

    def _search(self, height: int, width: int) -> None:
        """Look for things where no mask is, when that is due."""
        covered = self._covered(height, width)
        if not self._prompting.due(covered):
            return
        points = self._prompting.points(covered, height, width)
        candidates = self._propagator.at_points(points) if len(points) else []
        if candidates and candidates[0].logits.shape != covered.shape:  # nothing was followed yet
            covered = np.zeros(candidates[0].logits.shape, bool)
        for candidate in self._prompting.accepted(candidates, covered, self._config.births):
            if self._take(candidate) is not None:
                covered |= candidate.logits > 0
        self._prompting.searched(covered)

    def _covered(self, height: int, width: int) -> Mask:
        """(h, w): where things are, or were until a moment ago."""
        masks = [track.mask for track in self._tracks.lost_for(self._config.patience)]
        if not masks:
            return np.zeros((height, width), bool)
        covered: Mask = np.logical_or.reduce(masks)
        return covered

    def _gone(self, numbers: list[int], why: str) -> None:
        self._propagator.drop(numbers)
        self.counts[why] += len(numbers)

    def _labels(self, height: int, width: int) -> LabelImage:
        shown = self._config.confirm_after
        view = [track for track in self._tracks.in_view if track.seen >= shown]
        ids = label_image([(track.number, track.logits) for track in view], height, width)
        winners = {track.number: track.votes.winner for track in view}
        return LabelImage(
            ids,
            {number: name or UNNAMED for number, (name, _) in winners.items()},
            per_instance=True,
            scores={number: score if name else 0.0 for number, (name, score) in winners.items()},
        )


def _in_pixels(mask: Mask, height: int, width: int) -> tuple[float, float, float, float]:
    """The box of a mask (h, w) in pixels of the image."""
    u_min, v_min, u_max, v_max = box_of(mask)
    across, down = width / mask.shape[1], height / mask.shape[0]
    return u_min * across, v_min * down, u_max * across, v_max * down


def _clipped(detection: Detection, height: int, width: int) -> tuple[float, float, float, float]:
    """The part of a detection's box that is in the image."""
    return (
        max(0.0, detection.u_min),
        max(0.0, detection.v_min),
        min(float(width), detection.u_max),
        min(float(height), detection.v_max),
    )
