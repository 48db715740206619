"""The basic colours objects are painted in, far enough apart to be named from shaded pixels."""

from __future__ import annotations

Rgb = tuple[int, int, int]

#: sRGB, 0..255, of a surface in full light.
COLOURS: dict[str, Rgb] = {
    "red": (205, 28, 30),
    "orange": (242, 125, 15),
    "yellow": (245, 215, 40),
    "green": (35, 150, 55),
    "blue": (35, 80, 205),
    "purple": (125, 45, 170),
    "pink": (248, 145, 185),
    "brown": (118, 72, 38),
    "black": (26, 26, 28),
    "white": (242, 242, 240),
    "grey": (128, 128, 130),
}
