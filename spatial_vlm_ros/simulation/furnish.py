"""Furnishing: pieces placed without touching, doorways and door swings kept clear."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import shapely
from shapely.geometry import Point, Polygon

from spatial_vlm_ros.simulation.furniture import CATALOGUE
from spatial_vlm_ros.simulation.model import Shelf
from spatial_vlm_ros.simulation.palette import COLOURS
from spatial_vlm_ros.simulation.programmes import PROGRAMMES, Programme, Standing
from spatial_vlm_ros.simulation.rooms import HEIGHT, Plan, Side
from spatial_vlm_ros.simulation.world import Placed, World

GAP = 0.12  # free width between two pieces that do not stand on one another
GAP_ON_TOP = 0.05
WALL_GAP = 0.02
HOOK = 0.005  # what hangs keeps this far from the wall
TRIES = 150


BACK_HALF = (
    "monitor",
    "tv",
    "desk_lamp",
    "plant",
)  # where they hide least of what is before
SQUARE_ON = ("monitor", "tv", "keyboard", "laptop")  # turned as their support, nearly


def furnish(plan: Plan, rng: np.random.Generator) -> World:
    """Furnish every room by a different programme; what finds no place is left out."""
    kinds = [str(kind) for kind in rng.permutation(list(PROGRAMMES))[: len(plan.rooms)]]
    decorator = _Decorator(plan, rng)
    for room, kind in enumerate(kinds):
        decorator.furnish_room(room, PROGRAMMES[kind])
    return World(plan, tuple(kinds), tuple(decorator.placed))


@dataclass(frozen=True)
class _Volume:
    """A prism nothing else may enter: outline from above, height range, and whose it is."""

    outline: Polygon
    low: float
    high: float
    owner: int | None = None


Spot = tuple[float, float, float]  # x, y, yaw of a piece's origin, map frame


@dataclass
class _Decorator:
    plan: Plan
    rng: np.random.Generator
    placed: list[Placed] = field(default_factory=list)
    shelves: dict[int, Shelf] = field(default_factory=dict)
    taken: list[_Volume] = field(default_factory=list)

    def furnish_room(self, room: int, programme: Programme) -> None:
        for doorway in self.plan.doorways:
            before = shapely.box(*doorway).buffer(0.75, cap_style="square")
            self.taken.append(_Volume(before, 0.0, 2.1))
        self.hang(room, "door", 0.0, self.outer_walls(room), clear=0.8)
        self.hang(room, "window", 0.80, self.outer_walls(room), clear=0.6)
        for standing in programme.backed:
            base = self.put(room, standing.name, self.by_wall(room), back=WALL_GAP)
            self.complete(room, standing, base)
        for standing in programme.middle:
            self.complete(room, standing, self.put(room, standing.name, self.central(room)))
        for name in programme.loose:
            self.put(room, name, self.near_wall(room))
        for name in programme.hung:
            spots = chain(self.over_furniture(room), self.outer_walls(room))
            self.hang(room, name, float(self.rng.uniform(1.0, 1.15)), spots, clear=0.3)

    def complete(self, room: int, standing: Standing, base: Placed | None) -> None:
        """Put the things on a piece and the chairs before it."""
        if base is None:
            return
        for name in standing.on_top:
            self.put(room, name, self.on_top(base, name), support=base)
        for side in range(standing.chairs):
            self.put(room, "chair", self.facing(base, side))

    # Where a piece might go --------------------------------------------------------------

    def walls(self, sides: list[Side], low: float, high: float) -> Iterator[Spot]:
        """Spots ``low`` to ``high`` metres off the given walls, backs to the wall."""
        shares = np.array([side.length for side in sides])
        for _ in range(TRIES):
            side = sides[self.rng.choice(len(sides), p=shares / shares.sum())]
            x, y = (
                side.start
                + self.rng.uniform(0, side.length) * side.along
                + self.rng.uniform(low, high) * side.inward
            )
            yield float(x), float(y), side.facing_yaw

    def by_wall(self, room: int) -> Iterator[Spot]:
        return self.walls(self.plan.rooms[room].sides(), 0.0, 0.0)

    def near_wall(self, room: int) -> Iterator[Spot]:
        """Not far from a wall, at any angle."""
        for x, y, _ in self.walls(self.plan.rooms[room].sides(), 0.35, 0.75):
            yield x, y, float(self.rng.uniform(-np.pi, np.pi))

    def central(self, room: int) -> Iterator[Spot]:
        """Near the room's centre, at any angle."""
        center = self.plan.rooms[room].polygon.centroid
        for _ in range(TRIES):
            x, y = self.rng.uniform(-0.7, 0.7, 2)
            yaw = self.rng.uniform(-np.pi, np.pi)
            yield float(center.x + x), float(center.y + y), float(yaw)

    def outer_walls(self, room: int) -> Iterator[Spot]:
        """On walls with no other room behind them."""
        others = [r.polygon for i, r in enumerate(self.plan.rooms) if i != room]
        sides = [
            side
            for side in self.plan.rooms[room].sides()
            if not any(other.distance(Point(*side.middle)) < 0.5 for other in others)
        ]
        return self.walls(sides, 0.0, 0.0)

    def over_furniture(self, room: int) -> Iterator[Spot]:
        """On the wall over low pieces that stand against it: their origin is on that wall."""
        for piece in self.placed:
            if piece.room == room and piece.category in ("bed", "sofa", "cabinet"):
                yield piece.x, piece.y, piece.yaw

    def on_top(self, base: Placed, name: str) -> Iterator[Spot]:
        """On the shelf of ``base``."""
        shelf = self.shelves[base.id]
        for _ in range(TRIES):
            dx = self.rng.uniform(-shelf.half_x, shelf.half_x)
            dy = self.rng.uniform(-shelf.half_y, 0.0 if name in BACK_HALF else shelf.half_y)
            turn = self.rng.uniform(-0.15, 0.15)
            if name not in SQUARE_ON:
                turn += self.rng.uniform(-np.pi, np.pi)
            x, y, _ = base.to_map(np.array([[dx, dy + shelf.y, 0.0]]))[0]
            yield float(x), float(y), base.yaw + float(turn)

    def facing(self, base: Placed, side: int) -> Iterator[Spot]:
        """For a chair drawn up to one side of ``base``: its front first, then round it."""
        turn = side * np.pi / 2
        half = base.size[1 if side % 2 == 0 else 0] / 2
        for _ in range(TRIES):
            slide, reach = (
                self.rng.uniform(-0.15, 0.15),
                half + self.rng.uniform(0.38, 0.55),
            )
            x, y = (
                slide * np.cos(turn) - reach * np.sin(turn),
                slide * np.sin(turn) + reach * np.cos(turn),
            )
            middle = base.bounds.mean(axis=0)
            x, y, _ = base.to_map(np.array([[x + middle[0], y + middle[1], 0.0]]))[0]
            yaw = base.yaw + turn + np.pi + self.rng.uniform(-0.35, 0.35)
            yield float(x), float(y), float(yaw)

    # Placing -----------------------------------------------------------------------------

    def put(
        self,
        room: int,
        name: str,
        spots: Iterable[Spot],
        z: float = 0.0,
        support: Placed | None = None,
        back: float | None = None,
    ) -> Placed | None:
        """Place one piece at the first spot where it fits; None when it fits nowhere.

        ``back`` moves the piece forward until its back is that far from its origin.
        """
        style = CATALOGUE[name]
        colour = self.colour(style.category, style.colours)
        model = style.build(COLOURS[colour]).scaled(self.rng.uniform(0.95, 1.05, 3))
        if back is not None:
            model = model.moved(back - min(float(p.vertices[:, 1].min()) for p in model.parts))
        if support is not None:
            z = support.z + self.shelves[support.id].z
        number, parent = len(self.placed) + 1, support.id if support else None
        for x, y, yaw in spots:
            piece = Placed(number, style.category, colour, model.parts, room, x, y, z, yaw, parent)
            if self.fits(piece, support):
                self.placed.append(piece)
                self.taken.append(_Volume(piece.footprint, *piece.z_range, number))
                if model.shelf is not None:
                    self.shelves[number] = model.shelf
                return piece
        return None

    def hang(self, room: int, name: str, z: float, spots: Iterable[Spot], clear: float) -> None:
        """Fix a piece to a wall and keep ``clear`` metres before it free."""
        piece = self.put(room, name, spots, z, back=HOOK)
        if piece is not None:
            x = piece.size[0] / 2
            zone = np.array([(-x, 0, 0), (x, 0, 0), (x, clear, 0), (-x, clear, 0)])
            outline = Polygon(piece.to_map(zone)[:, :2])
            self.taken.append(_Volume(outline, *piece.z_range))

    def fits(self, piece: Placed, support: Placed | None) -> bool:
        """Inside its room, on its support, and clear of everything at its height."""
        outline, (low, high) = piece.footprint, piece.z_range
        ground = self.plan.rooms[piece.room].polygon.buffer(1e-6)
        if support is not None:
            ground = self.shelf_outline(support)
        if high > HEIGHT or not ground.contains(outline):
            return False
        grown = outline.buffer(GAP_ON_TOP if support else GAP, join_style="mitre")
        return not any(
            low < other.high and other.low < high and grown.intersects(other.outline)
            for other in self.taken
            if support is None or other.owner != support.id
        )

    def shelf_outline(self, support: Placed) -> Polygon:
        """Where things may stand on a piece, from above, map frame."""
        shelf = self.shelves[support.id]
        x, low, high = shelf.half_x, shelf.y - shelf.half_y, shelf.y + shelf.half_y
        corners = np.array([(-x, low, 0), (x, low, 0), (x, high, 0), (-x, high, 0)])
        return Polygon(support.to_map(corners)[:, :2])

    def colour(self, category: str, colours: tuple[str, ...]) -> str:
        """A colour no other piece of the category has, while there is one."""
        used = {item.colour for item in self.placed if item.category == category}
        free = [colour for colour in colours if colour not in used] or list(colours)
        return free[self.rng.integers(len(free))]
