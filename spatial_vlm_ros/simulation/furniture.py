"""The catalogue: what each category of object looks like, built from painted solids.

A piece's own frame has x to its right, y to its front and z up, with the origin under its middle
at the height where it stands (for wall pieces: y = 0 is the wall).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spatial_vlm_ros.simulation.model import Model, Shelf
from spatial_vlm_ros.simulation.palette import Rgb
from spatial_vlm_ros.simulation.shapes import Texture, ball, block, cone, drum, legs

OAK: Rgb = (150, 105, 62)
STEEL: Rgb = (95, 97, 100)
DARK: Rgb = (32, 32, 35)
WOOD, FABRIC = Texture.WOOD, Texture.FABRIC


Builder = Callable[[Rgb], Model]


def _chair(rgb: Rgb) -> Model:
    parts = legs(0.44, 0.44, 0.43, 0.045, OAK)
    parts.append(block((0.46, 0.46, 0.06), (0, 0, 0.45), rgb, FABRIC))
    parts.append(block((0.46, 0.06, 0.46), (0, -0.20, 0.70), rgb, FABRIC))
    return Model(parts)


def _stool(rgb: Rgb) -> Model:
    parts = legs(0.28, 0.28, 0.44, 0.04, rgb)
    return Model([*parts, drum(0.19, 0.08, (0, 0, 0.42), rgb, FABRIC)])


def _table(rgb: Rgb) -> Model:
    parts = legs(1.24, 0.80, 0.71, 0.06, rgb)
    parts.append(block((1.30, 0.86, 0.05), (0, 0, 0.725), rgb, WOOD))
    return Model(parts, Shelf(0.65, 0.43, 0.75))


def _coffee_table(rgb: Rgb) -> Model:
    parts = legs(0.92, 0.54, 0.38, 0.06, rgb)
    parts.append(block((0.96, 0.58, 0.06), (0, 0, 0.40), rgb, WOOD))
    return Model(parts, Shelf(0.48, 0.29, 0.43))


def _desk(rgb: Rgb) -> Model:
    top = block((1.40, 0.70, 0.05), (0, 0, 0.725), rgb, WOOD)
    sides = [block((0.05, 0.66, 0.70), (x, 0, 0.35), rgb, WOOD) for x in (-0.66, 0.66)]
    back = block((1.30, 0.03, 0.40), (0, -0.30, 0.50), rgb, WOOD)
    return Model([top, *sides, back], Shelf(0.70, 0.35, 0.75))


def _sofa(rgb: Rgb) -> Model:
    seat = block((1.60, 0.70, 0.26), (0, 0.08, 0.29), rgb, FABRIC)
    base = block((1.90, 0.80, 0.16), (0, 0.0, 0.08), DARK)
    back = block((1.96, 0.22, 0.70), (0, -0.34, 0.49), rgb, FABRIC)
    arms = [block((0.20, 0.88, 0.46), (x, 0.0, 0.37), rgb, FABRIC) for x in (-0.88, 0.88)]
    return Model([base, seat, back, *arms], Shelf(0.76, 0.28, 0.42, y=0.10))


def _bed(rgb: Rgb) -> Model:
    frame = block((1.50, 2.00, 0.14), (0, 0, 0.13), OAK, WOOD)
    feet = legs(1.40, 1.90, 0.08, 0.08, DARK)
    mattress = block((1.46, 1.96, 0.32), (0, 0, 0.34), rgb, FABRIC)
    return Model([frame, *feet, mattress], Shelf(0.70, 0.90, 0.50))


def _cabinet(rgb: Rgb) -> Model:
    body = block((1.10, 0.45, 0.72), (0, 0, 0.44), rgb, WOOD)
    base = block((1.02, 0.39, 0.08), (0, 0, 0.04), DARK)
    knobs = [block((0.03, 0.03, 0.12), (x, 0.235, 0.50), STEEL) for x in (-0.06, 0.06)]
    return Model([base, body, *knobs], Shelf(0.55, 0.225, 0.80))


def _nightstand(rgb: Rgb) -> Model:
    body = block((0.46, 0.40, 0.42), (0, 0, 0.31), rgb, WOOD)
    knob = block((0.12, 0.03, 0.03), (0, 0.21, 0.38), STEEL)
    return Model([*legs(0.44, 0.38, 0.10, 0.05, DARK), body, knob], Shelf(0.23, 0.20, 0.52))


def _bookshelf(rgb: Rgb) -> Model:
    sides = [block((0.04, 0.34, 1.40), (x, 0, 0.70), rgb, WOOD) for x in (-0.43, 0.43)]
    boards = [block((0.90, 0.34, 0.04), (0, 0, z), rgb, WOOD) for z in (0.05, 0.48, 0.92, 1.38)]
    back = block((0.88, 0.03, 1.40), (0, -0.155, 0.70), rgb, WOOD)
    return Model([*sides, *boards, back], Shelf(0.40, 0.14, 0.94))


def _fridge(rgb: Rgb) -> Model:
    body = block((0.66, 0.64, 1.60), (0, 0, 0.80), rgb)
    seam = block((0.665, 0.02, 0.02), (0, 0.315, 1.10), DARK)
    handles = [block((0.03, 0.05, 0.30), (0.26, 0.34, z), STEEL) for z in (0.85, 1.32)]
    return Model([body, seam, *handles])


def _floor_lamp(rgb: Rgb) -> Model:
    base, pole = (drum(0.16, 0.04, (0, 0, 0), STEEL), drum(0.025, 1.10, (0, 0, 0.02), STEEL))
    return Model([base, pole, cone(0.24, 0.16, 0.32, (0, 0, 1.08), rgb, FABRIC)])


def _desk_lamp(rgb: Rgb) -> Model:
    base, pole = drum(0.08, 0.03, (0, 0, 0), rgb), drum(0.02, 0.20, (0, 0, 0.02), STEEL)
    return Model([base, pole, cone(0.14, 0.09, 0.18, (0, 0, 0.20), rgb, FABRIC)])


def _bin(rgb: Rgb) -> Model:
    body = cone(0.13, 0.17, 0.38, (0, 0, 0), rgb)
    return Model([body, drum(0.175, 0.03, (0, 0, 0.37), rgb)])


def _box(rgb: Rgb) -> Model:
    body = block((0.42, 0.32, 0.30), (0, 0, 0.15), rgb)
    tape = block((0.05, 0.325, 0.305), (0, 0, 0.153), (200, 185, 150))
    return Model([body, tape])


def _plant(rgb: Rgb) -> Model:
    pot = cone(0.12, 0.16, 0.26, (0, 0, 0), (150, 85, 60))
    stem = drum(0.03, 0.20, (0, 0, 0.24), OAK)
    leaves = [
        ball((0.17, 0.17, 0.17), (0.13 * np.cos(a), 0.13 * np.sin(a), 0.52 + 0.04 * i), rgb, FABRIC)
        for i, a in enumerate(np.arange(5) * 2.5)
    ]
    crown = ball((0.18, 0.18, 0.18), (0, 0, 0.78), rgb, FABRIC)
    return Model([pot, stem, *leaves, crown])


def _monitor(rgb: Rgb) -> Model:
    foot = block((0.24, 0.18, 0.03), (0, 0, 0.015), DARK)
    neck = block((0.06, 0.05, 0.14), (0, -0.03, 0.09), DARK)
    return Model([foot, neck, block((0.56, 0.06, 0.34), (0, 0.0, 0.31), rgb)])


def _tv(rgb: Rgb) -> Model:
    feet = [block((0.05, 0.22, 0.06), (x, 0, 0.03), DARK) for x in (-0.30, 0.30)]
    return Model([*feet, block((0.90, 0.09, 0.52), (0, 0, 0.31), rgb)])


def _keyboard(rgb: Rgb) -> Model:
    keys = block((0.42, 0.12, 0.01), (0, 0.01, 0.04), rgb, Texture.TILES)
    return Model([block((0.46, 0.17, 0.04), (0, 0, 0.02), rgb), keys])


def _laptop(rgb: Rgb) -> Model:
    base = block((0.36, 0.25, 0.03), (0, 0, 0.015), rgb)
    return Model([base, block((0.36, 0.03, 0.25), (0, -0.11, 0.15), rgb)])


def _mug(rgb: Rgb) -> Model:
    handle = [block((0.035, 0.02, 0.02), (0.065, 0, z), rgb) for z in (0.03, 0.085)]
    handle.append(block((0.015, 0.02, 0.075), (0.08, 0, 0.0575), rgb))
    return Model([drum(0.055, 0.12, (0, 0, 0), rgb), *handle])


def _bowl(rgb: Rgb) -> Model:
    return Model([cone(0.07, 0.14, 0.09, (0, 0, 0.01), rgb), drum(0.06, 0.02, (0, 0, 0), rgb)])


def _book(rgb: Rgb) -> Model:
    pages = block((0.24, 0.02, 0.05), (0, 0.086, 0.035), (225, 220, 205))
    return Model([block((0.26, 0.19, 0.07), (0, 0, 0.035), rgb), pages])


def _vase(rgb: Rgb) -> Model:
    belly = cone(0.06, 0.11, 0.12, (0, 0, 0), rgb)
    neck = cone(0.11, 0.05, 0.10, (0, 0, 0.12), rgb)
    return Model([belly, neck, cone(0.05, 0.07, 0.06, (0, 0, 0.22), rgb)])


def _pillow(rgb: Rgb) -> Model:
    return Model([ball((0.27, 0.20, 0.085), (0, 0, 0.085), rgb, FABRIC)])


def _window(rgb: Rgb) -> Model:
    rail = [block((1.24, 0.12, 0.08), (0, 0.06, z), rgb) for z in (0.04, 0.76)]
    post = [block((0.08, 0.12, 0.80), (x, 0.06, 0.40), rgb) for x in (-0.58, 0, 0.58)]
    return Model([*rail, *post, block((1.10, 0.05, 0.70), (0, 0.045, 0.40), (205, 225, 240))])


def _door(rgb: Rgb) -> Model:
    frame = [block((0.08, 0.12, 1.92), (x, 0.06, 0.96), rgb, WOOD) for x in (-0.44, 0.44)]
    frame.append(block((0.96, 0.12, 0.08), (0, 0.06, 1.96), rgb, WOOD))
    leaf = block((0.82, 0.08, 1.92), (0, 0.04, 0.96), rgb, WOOD)
    return Model([*frame, leaf, block((0.12, 0.05, 0.03), (0.32, 0.10, 0.98), STEEL)])


def _picture(rgb: Rgb) -> Model:
    return Model([block((0.62, 0.08, 0.46), (0, 0.04, 0.23), rgb, Texture.PLASTER)])


@dataclass(frozen=True)
class Style:
    """A builder of a category, and the colours its pieces come in."""

    category: str
    build: Builder
    colours: tuple[str, ...]


BRIGHT = ("red", "orange", "yellow", "green", "blue", "purple", "pink")
_STYLES = (
    Style("chair", _chair, ("red", "green", "blue", "yellow", "orange", "purple")),
    Style("stool", _stool, ("purple", "orange", "green", "red", "blue")),
    Style("table", _table, ("brown", "white", "orange")),
    Style("table", _coffee_table, ("black", "white", "brown")),
    Style("desk", _desk, ("white", "brown", "grey")),
    Style("sofa", _sofa, ("blue", "red", "green", "purple")),
    Style("bed", _bed, ("blue", "pink", "green", "purple")),
    Style("cabinet", _cabinet, ("white", "brown", "yellow", "grey", "green", "red")),
    Style("nightstand", _nightstand, ("brown", "white", "blue", "orange")),
    Style("bookshelf", _bookshelf, ("brown", "black", "white")),
    Style("fridge", _fridge, ("grey", "red", "white")),
    Style("lamp", _floor_lamp, ("yellow", "orange", "pink", "red")),
    Style("lamp", _desk_lamp, ("green", "blue", "purple")),
    Style("bin", _bin, ("blue", "red", "grey", "green", "black", "yellow")),
    Style("box", _box, ("orange", "yellow", "pink", "green", "purple", "blue")),
    Style("plant", _plant, ("green",)),
    Style("monitor", _monitor, ("black", "grey")),
    Style("tv", _tv, ("black",)),
    Style("keyboard", _keyboard, ("white", "black")),
    Style("laptop", _laptop, ("grey", "pink", "blue")),
    Style("mug", _mug, BRIGHT),
    Style("bowl", _bowl, BRIGHT),
    Style("book", _book, BRIGHT),
    Style("vase", _vase, BRIGHT),
    Style("pillow", _pillow, ("yellow", "red", "white", "purple", "orange", "pink")),
    Style("window", _window, ("white",)),
    Style("door", _door, ("brown", "blue", "red")),
    Style("picture", _picture, BRIGHT),
)
#: By the builder's name, since a category may come in several styles.
CATALOGUE: dict[str, Style] = {style.build.__name__.lstrip("_"): style for style in _STYLES}
CATEGORIES: tuple[str, ...] = tuple(dict.fromkeys(style.category for style in _STYLES))
