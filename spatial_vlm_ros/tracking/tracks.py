"""The things that are followed: who stays when there are too many, and which two are one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.naming.votes import NameVotes
from spatial_vlm_ros.tracking.masks import ious
from spatial_vlm_ros.tracking.propagation import Followed

Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]

_LARGER = 2.0  # times; a newcomer that displaces what is in view, so that they do not take turns


class Track:
    """One thing. mask: (h, w) where it was last seen; lost: images since then, 0 = in view."""

    def __init__(self, number: int, logits: Floats) -> None:
        self.number = number
        self.votes = NameVotes()
        self.seen = 0
        self.see(logits)

    def see(self, logits: Floats) -> None:
        """It is in view, here."""
        self.logits: Floats = logits
        self.mask: Mask = logits > 0
        self.area = int(np.count_nonzero(self.mask))
        self.lost = 0
        self.seen += 1

    def overlap(self, mask: Mask) -> float:
        """IoU of another mask (h, w) with where it was last seen."""
        return float(ious([self.mask], [mask])[0, 0])

    def miss(self) -> None:
        """It is not in view; of where it is only the last mask is kept."""
        self.lost += 1
        self.logits = np.empty((0, 0), np.float32)


class Tracks:
    """All that are followed, at most ``maximum``, by ids that are never given twice.

    When there is no room for a newcomer, one goes: what is lost before what is in view, the one
    lost longest first; of what is in view the unnamed before the named, the smaller first, and of
    equals the one seen less often. But what is in view goes only for a newcomer that is worth more:
    one named (by a detection) instead of one unnamed, or one at least twice as large that is named
    if the other is. Otherwise the newcomer is turned away. Named is here what a single detection
    called something: or else two would take turns, and neither would ever be seen twice.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._tracks: dict[int, Track] = {}
        self._next = 1

    def __len__(self) -> int:
        return len(self._tracks)

    def __iter__(self) -> Iterator[Track]:
        """In the order of their ids, the oldest first."""
        return iter(list(self._tracks.values()))

    def get(self, number: int) -> Track | None:
        """The one with this id, if it is still followed."""
        return self._tracks.get(number)

    def lost_for(self, most: int) -> list[Track]:
        """Those in view, and those lost for at most so many images; the oldest first."""
        return [track for track in self._tracks.values() if track.lost <= most]

    @property
    def in_view(self) -> list[Track]:
        """Those that the present image shows, the oldest first."""
        return self.lost_for(0)

    def update(
        self, followed: Iterable[tuple[int, Followed]], min_presence: float, min_cells: float
    ) -> None:
        """Take in where the network saw them."""
        reports = dict(followed)
        for track in self._tracks.values():
            report = reports.get(track.number)
            logits = report.logits if report and report.presence >= min_presence else None
            if logits is not None and np.count_nonzero(logits > 0) >= max(1.0, min_cells):
                track.see(logits)
            else:
                track.miss()

    def forget_lost(self, after: int) -> list[int]:
        """Let go of those lost for more than ``after`` images; their ids."""
        return self._drop([track.number for track in self if track.lost > after])

    def forget_duplicates(self, iou: float) -> list[int]:
        """Of two in view whose masks overlap as much the younger goes; its votes stay. The ids."""
        tracks = self.in_view
        masks = [track.mask for track in tracks]
        gone: set[int] = set()
        for old, young in zip(*np.nonzero(np.triu(ious(masks, masks), 1) >= iou), strict=True):
            if tracks[old].number not in gone and tracks[young].number not in gone:
                tracks[old].votes.merge(tracks[young].votes)
                gone.add(tracks[young].number)
        return self._drop(gone)

    def found(self, logits: Floats, named: bool = False) -> tuple[Track | None, list[int]]:
        """A new one at this mask, if there is or can be made room; and the ids of what went."""
        gone: list[int] = []
        if len(self._tracks) >= self._maximum:
            least = min(self._tracks.values(), key=_worth)
            area = int(np.count_nonzero(logits > 0))
            if not least.lost and not _displaces(area, named, least):
                return None, []
            gone = self._drop([least.number])
        track = Track(self._next, logits)
        self._tracks[track.number] = track
        self._next += 1
        return track, gone

    def clear(self) -> None:
        """Let go of all; their ids stay taken."""
        self._tracks.clear()

    def _drop(self, numbers: Iterable[int]) -> list[int]:
        gone = list(numbers)
        for number in gone:
            del self._tracks[number]
        return gone


def _worth(track: Track) -> tuple[int, bool, int, int]:
    """What has least goes first."""
    return -track.lost, track.votes.called if not track.lost else False, track.area, track.seen


def _displaces(area: int, named: bool, track: Track) -> bool:
    """Whether a newcomer is worth more than a track in view."""
    if track.votes.called:
        return named and area >= _LARGER * track.area
    return named or area >= _LARGER * track.area
