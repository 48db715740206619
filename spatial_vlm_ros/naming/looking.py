"""Which things are looked at now, since a network that names them has no time for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import dist

from spatial_vlm_ros.naming.config import NamerConfig
from spatial_vlm_ros.naming.crops import View

_FORGOTTEN = 300  # images since a thing was in one; it is a new one when it comes again


@dataclass
class _Look:
    """When and how a thing was last looked at. image: -1 never; largest: pixels it ever covered."""

    seen: int
    image: int = -1
    view: View | None = None
    largest: int = 0


class Looking:
    """At most ``crops`` things per image, of those with a view that says something new.

    First those never looked at, the largest first; then those larger than ever; then those seen
    from elsewhere, or not looked at for long, the longest first. So all have their turn. A view of
    the same thing from the same place is not a second opinion, and is not asked for soon.
    """

    def __init__(self, config: NamerConfig) -> None:
        self._config = config
        self._known: dict[int, _Look] = {}
        self._image = 0

    def choose(self, views: Mapping[int, View]) -> list[int]:
        """The ids of things to look at, of those that the next image shows."""
        self._image += 1
        wanted: list[tuple[int, int, int]] = []
        for number, view in views.items():
            look = self._known.setdefault(number, _Look(self._image))
            look.seen = self._image
            rank = self._rank(look, view) if min(view.sides) >= self._config.min_side else None
            if rank is not None:
                wanted.append((*rank, number))
        chosen = [number for _, _, number in sorted(wanted)[: self._config.crops]]
        for number in chosen:
            look, view = self._known[number], views[number]
            look.image, look.view = self._image, view
            look.largest = max(look.largest, view.area)
        self._forget()
        return chosen

    def again(self) -> None:
        """Look at all anew: the words have changed."""
        for look in self._known.values():
            look.image, look.view, look.largest = -1, None, 0

    def reset(self) -> None:
        """Other things come."""
        self._known.clear()

    def __len__(self) -> int:
        return len(self._known)

    def _rank(self, look: _Look, view: View) -> tuple[int, int] | None:
        """What is looked at first has less; None: there is nothing new to see."""
        if look.view is None:
            return 0, -view.area
        if view.area >= self._config.growth * look.largest:
            return 1, look.image
        moved = dist(view.centre, look.view.centre) >= self._config.shift * max(view.sides)
        shrunk = view.area * self._config.growth <= look.view.area
        if moved or shrunk or self._image - look.image >= self._config.again:
            return 2, look.image
        return None

    def _forget(self) -> None:
        """Things that have not been in view for long; looked through once in a while."""
        if self._image % _FORGOTTEN == 0:
            last = self._image - _FORGOTTEN
            self._known = {k: look for k, look in self._known.items() if look.seen > last}
