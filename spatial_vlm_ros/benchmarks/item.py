"""A question of a benchmark, what was answered to it, and how right that is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

Predictions = Mapping[str, "Prediction"]  # by the item's id


class Picture(Protocol):
    """An image of an item, wherever it is kept."""

    def read(self) -> bytes:
        """The file's content, JPEG or PNG. ``OSError``, ``ValueError``: it cannot be read."""
        ...

    @property
    def missing(self) -> str:
        """The file that is not there; "" if it is."""
        ...


@dataclass(frozen=True)
class ImageFile:
    """An image that is a file of its own."""

    path: Path

    def read(self) -> bytes:
        """See :class:`Picture`."""
        return self.path.read_bytes()

    @property
    def missing(self) -> str:
        """See :class:`Picture`."""
        return "" if self.path.is_file() else str(self.path)


@dataclass(frozen=True)
class Item:
    """id: unique in its benchmark. task: the benchmark's own name of the kind of question. prompt:
    what a model is told behind the media, word by word as published. right: the letter or number as
    text, or all answers that count; empty where ``objects`` or ``boxes`` of the truth count.

    question, options: the same without what is told about the form. video, images, scene: what it
    is about; scene as in rows, "scannet/scene0000_00". number: whether a number is asked for. more:
    what only this benchmark's scores read.
    """

    id: str
    task: str
    prompt: str
    right: tuple[str, ...]
    question: str = ""
    options: tuple[str, ...] = ()
    number: bool = False
    system: str = ""
    frame: str = "aligned"
    video: Path | None = None
    images: tuple[Picture, ...] = ()
    scene: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def missing(self) -> tuple[str, ...]:
        """Files of its media that are not there."""
        videos = [] if self.video is None or self.video.is_file() else [str(self.video)]
        return (*videos, *(image.missing for image in self.images if image.missing))


@dataclass(frozen=True)
class Prediction:
    """What was answered: a model's text as it came, and what a system gives beside text.

    objects: numbers of the objects meant, None where the text says them. boxes: (n, 7) numbers each
    as in ``Box``. confidence: 0..1. failed: why there is no answer.
    """

    id: str
    text: str = ""
    objects: tuple[int, ...] | None = None
    boxes: tuple[tuple[float, ...], ...] | None = None
    confidence: float | None = None
    failed: str = ""


@dataclass(frozen=True)
class Judged:
    """How right an answer is. read: what of it was understood, "" for nothing; right: 0..1 for each
    metric that is a mean over items; answered: whether there was a prediction at all.
    """

    id: str
    task: str
    read: str
    right: Mapping[str, float]
    answered: bool = True
    confidence: float | None = None


@dataclass(frozen=True)
class Scores:
    """Of one benchmark by one protocol. metrics: percent by name, in the published order."""

    benchmark: str
    protocol: str
    metrics: Mapping[str, float]
    judged: Sequence[Judged]

    @property
    def unanswered(self) -> int:
        """Items without a prediction, which count as wrong."""
        return sum(not each.answered for each in self.judged)

    @property
    def unread(self) -> int:
        """Items whose prediction could not be understood, which count as wrong."""
        return sum(each.answered and not each.read for each in self.judged)


def answer_to(item: Item, predictions: Predictions) -> Prediction | None:
    """None where there is none, or where it failed."""
    given = predictions.get(item.id)
    return None if given is None or given.failed else given


def text_of(item: Item, predictions: Predictions) -> str:
    """What was answered to it; "" where nothing was."""
    given = answer_to(item, predictions)
    return given.text if given else ""


def judged_of(
    item: Item, given: Prediction | None, read: str, right: Mapping[str, float]
) -> Judged:
    """Of an item and its answer."""
    confidence = given.confidence if given else None
    return Judged(item.id, item.task, read, right, given is not None, confidence)


def judged(
    items: Iterable[Item],
    predictions: Predictions,
    read: Callable[[Item, str], str | float | None],
    right: Callable[[Item, Any], float],
) -> list[Judged]:
    """Items whose score is one number. read: of an item and a text, None for nothing; right: how
    right what was read is.
    """
    found = []
    for item in items:
        given = answer_to(item, predictions)
        said = read(item, given.text) if given else None
        score = 0.0 if said is None else right(item, said)
        told = "" if said is None else f"{said:g}" if isinstance(said, float) else said
        found.append(judged_of(item, given, told, {"right": score}))
    return found


def words_judged(
    items: Iterable[Item],
    predictions: Predictions,
    match: Callable[[str, Sequence[str]], tuple[bool, bool]],
) -> list[Judged]:
    """Short answers: exact match, and refined."""
    found = []
    for item in items:
        given = answer_to(item, predictions)
        exact, refined = match(given.text, item.right) if given else (False, False)
        read = given.text.strip() if given else ""
        scored = {"right": float(exact), "refined": float(refined)}
        found.append(judged_of(item, given, read, scored))
    return found


def means(scored: Iterable[Judged]) -> dict[str, float]:
    """Percent of each task, in the order in which tasks come."""
    by_task: dict[str, list[float]] = {}
    for each in scored:
        by_task.setdefault(each.task, []).append(each.right["right"])
    return {task: 100 * sum(own) / len(own) for task, own in by_task.items()}


def mean(values: Iterable[float]) -> float:
    """Not a number, of none."""
    values = list(values)
    return sum(values) / len(values) if values else float("nan")
