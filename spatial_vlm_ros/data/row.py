"""One question about a scene, its answer and what both are about: the row that all data share.

The unified format of SpaceSpan (Proxy3D section 3.2), which SSR's data sets fit as well.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any, TypeVar

from spatial_vlm_ros.data import checks
from spatial_vlm_ros.scene.box import Box

T = TypeVar("T")

#: Grows whenever rows of an older version are no longer read as they were meant.
VERSION = 1

#: What a row can ask for. The data set's own name of the task, if it has one, is its ``subtask``.
TASKS = {
    "identify": "category of an object that is named by number",
    "coordinates": "centre and size of an object",
    "relation": "how objects lie to each other, or which lies so",
    "counting": "how many there are",
    "distance": "metres between two things",
    "nearest": "which of several is nearest or furthest",
    "direction": "where something lies, seen from somewhere",
    "object_size": "how large an object is",
    "room_size": "how large the floor is",
    "route": "turns on a way",
    "order": "what appears first",
    "grounding": "the objects, or boxes, that a phrase means",
    "caption": "describe an object or a scene",
    "local_map": "a cell of a LocalCogMap",
    "question": "any other question about a scene",
    "situated": "a question by one who stands somewhere in it",
    "depth": "how far from the camera something is",
    "camera": "how a camera moved, or where it is",
}


@dataclass(frozen=True)
class Reference:
    """An object that the question names: number in its scene, category and box there (None: not
    known).
    """

    object: int
    category: str
    box: Box | None = None

    def __post_init__(self) -> None:
        box = None if self.box is None else checks.box("box", self.box)
        _set(self, object=checks.whole("object", self.object), box=box)
        checks.text("category", self.category)


@dataclass(frozen=True)
class Mark:
    """A point of an image that the question names by its colour, as SPAR-7M's "red point".

    image: index among the row's ``images``. u, v: shares of width and height, 0..1 from the left
    and the top. corner: (u, v) of the other corner, where a rectangle is marked.
    """

    image: int
    colour: str
    u: float
    v: float
    corner: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        checks.text("colour", self.colour)
        _set(
            self,
            image=checks.whole("image", self.image),
            u=checks.number("u", self.u),
            v=checks.number("v", self.v),
        )
        if self.corner is not None:
            _set(self, corner=_numbers("corner", self.corner, "u v"))
        if not all(0 <= part <= 1 for part in (self.u, self.v, *(self.corner or ()))):
            raise ValueError(f"u, v or corner lie outside of the image, 0..1: {self}")


@dataclass(frozen=True)
class Row:
    """A question and its answer.

    id: unique in its data set, and the same each time it is made. dataset: which one, lower case.
    scene: "scannet/scene0000_00", "" where only images are. task: one of ``TASKS``.

    question: without options and without what tells the form of the answer. Objects named by number
    are written "(#7)" after a noun or "#7" alone; a model's own words for them replace it. answer:
    what a model should say: with options their letter; for grounding the boxes as
    ``language/box_text.py`` writes them. accepted: other right answers. options: without letters.

    refs: objects the question names. targets: numbers of the objects that are the answer. boxes:
    those of the answer. All coordinates are in the scene frame: fixed at the first camera, metres,
    z up. stands_at: (x, y, z, yaw) of who asks. system: what a model is told first, "" for its own.

    images: files the question is about, relative to the data set's folder of images, where it is
    about single images and not the scene; marks: points in them. license: of the annotation.
    """

    id: str
    dataset: str
    scene: str
    task: str
    question: str
    answer: str
    subtask: str = ""
    options: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    refs: tuple[Reference, ...] = ()
    targets: tuple[int, ...] = ()
    boxes: tuple[Box, ...] = ()
    stands_at: tuple[float, float, float, float] | None = None
    system: str = ""
    images: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    license: str = ""

    def __post_init__(self) -> None:
        for name in _TEXTS:
            checks.text(name, getattr(self, name))
        for name in ("id", "dataset", "task", "question", "answer"):
            if not getattr(self, name).strip():
                raise ValueError(f"{name} is empty")
        for name in ("options", "accepted", "images"):
            _set(self, **{name: checks.each(name, getattr(self, name), checks.text)})
        _set(
            self,
            refs=checks.each("refs", self.refs, _of(Reference)),
            targets=checks.each("targets", self.targets, checks.whole),
            boxes=checks.each("boxes", self.boxes, checks.box),
            marks=checks.each("marks", self.marks, _of(Mark)),
        )
        if self.stands_at is not None:
            _set(self, stands_at=_numbers("stands_at", self.stands_at, "x y z yaw"))
        if self.task not in TASKS:
            raise ValueError(f"task {self.task!r} is not one of {', '.join(TASKS)}")
        if not (self.scene or self.images):
            raise ValueError("neither a scene nor images")
        if self.scene:
            checks.below("scene", self.scene)
        if self.options:
            self._check_options()
        for mark in self.marks:
            if mark.image >= len(self.images):
                raise ValueError(f"marks: one is in image {mark.image} of {len(self.images)}")

    def _check_options(self) -> None:
        letters = ascii_uppercase[: len(self.options)]
        if len(self.options) > len(letters):
            raise ValueError(f"options are {len(self.options)}, more than there are letters")
        if self.answer not in tuple(letters):
            raise ValueError(f"answer {self.answer!r} is not one of {', '.join(letters)}")
        if len(set(self.options)) < len(self.options):
            raise ValueError(f"options repeat: {list(self.options)}")

    def to_json(self) -> dict[str, Any]:
        """For a line of JSON; what is at its default is left out."""
        written: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                written[field.name] = value
        if self.refs:
            written["refs"] = [
                {"object": ref.object, "category": ref.category}
                | ({} if ref.box is None else {"box": list(ref.box.to_tuple())})
                for ref in self.refs
            ]
        if self.boxes:
            written["boxes"] = [list(box.to_tuple()) for box in self.boxes]
        if self.marks:
            written["marks"] = [dataclasses.asdict(mark) for mark in self.marks]
        return written

    @classmethod
    def from_json(cls, content: Any) -> Row:
        """What :meth:`to_json` gave. ``ValueError`` names the field that makes it no row."""
        row = cls(**checks.members("a row", content, cls))
        checks.each("images", row.images, checks.below)
        return row


_TEXTS = [field.name for field in dataclasses.fields(Row) if field.type == "str"]


def _of(kind: type[T]) -> Callable[[str, Any], T]:
    """Check of one of this kind, or of its fields."""

    def check(name: str, value: Any) -> T:
        try:
            return value if isinstance(value, kind) else kind(**checks.members("it", value, kind))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None

    return check


def _numbers(name: str, values: Any, parts: str) -> tuple[float, ...]:
    found = checks.each(name, values, checks.number)
    if len(found) != len(parts.split()):
        raise ValueError(f"{name} has {len(found)} numbers, not {', '.join(parts.split())}")
    return found


def _set(row: Any, **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(row, name, value)


@dataclass(frozen=True)
class Rejected:
    """Something of a data set that makes no row. reason: a short phrase, the same for all of a
    kind, so that they can be counted; detail: what is particular to this one; source: where it
    stands (file and index or id); content: the thing itself, as JSON.
    """

    reason: str
    detail: str
    source: str
    content: Any = None
