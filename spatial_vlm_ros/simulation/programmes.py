"""What each kind of room holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Standing:
    """A piece to be placed, what goes on it, and how many chairs face it."""

    name: str
    on_top: tuple[str, ...] = ()
    chairs: int = 0


@dataclass(frozen=True)
class Programme:
    """What a kind of room holds: along walls, towards the middle, anywhere, and on the walls."""

    backed: tuple[Standing, ...]
    middle: tuple[Standing, ...] = ()
    loose: tuple[str, ...] = ()
    hung: tuple[str, ...] = ("picture", "picture")


PROGRAMMES = {
    "living room": Programme(
        backed=(
            Standing("sofa", ("pillow", "pillow")),
            Standing("cabinet", ("tv", "vase")),
            Standing("bookshelf", ("book", "book")),
        ),
        middle=(Standing("coffee_table", ("bowl", "book", "mug")),),
        loose=("floor_lamp", "plant", "box", "stool"),
    ),
    "bedroom": Programme(
        backed=(
            Standing("bed", ("pillow", "pillow")),
            Standing("nightstand", ("desk_lamp",)),
            Standing("nightstand", ("book", "mug")),
            Standing("cabinet", ("vase", "box")),
        ),
        loose=("chair", "bin", "plant", "box"),
    ),
    "kitchen": Programme(
        backed=(
            Standing("fridge"),
            Standing("cabinet", ("bowl", "vase", "mug")),
            Standing("cabinet", ("bowl", "box")),
        ),
        middle=(Standing("table", ("mug", "mug", "bowl"), chairs=3),),
        loose=("bin", "stool", "plant"),
        hung=("picture",),
    ),
    "study": Programme(
        backed=(
            Standing("desk", ("monitor", "keyboard", "mug", "desk_lamp"), chairs=1),
            Standing("desk", ("laptop", "book", "mug"), chairs=1),
            Standing("bookshelf", ("book", "book")),
            Standing("cabinet", ("plant", "box")),
        ),
        loose=("bin", "stool", "floor_lamp", "box"),
    ),
}
