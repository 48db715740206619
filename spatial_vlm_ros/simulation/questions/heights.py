"""Questions of what stands on what and what hangs above what."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from spatial_vlm_ros.simulation.questions import exact
from spatial_vlm_ros.simulation.questions.asker import Asker
from spatial_vlm_ros.simulation.truth import TrueObject, TrueQuestion

APART_M = 0.8  # seen from above, for things that are plainly not on or over one another


def what_is_on(asker: Asker) -> Iterator[TrueQuestion]:
    """All that stands on the very top of a thing."""
    for support in asker.named:
        upon = [item for item in asker.truth.objects if item.support == support.id]
        if upon and all(o in asker.seen and exact.rests_on(o.box, support.box) for o in upon):
            yield TrueQuestion(
                f"What is on the {asker.name(support)}?",
                "on",
                None,
                objects=tuple(item.id for item in upon),
                about=(support.id,),
            )


def what_is_under(asker: Asker) -> Iterator[TrueQuestion]:
    """What a thing stands on."""
    for item, support in _stacked(asker):
        yield TrueQuestion(
            f"What is the {asker.name(item)} on?",
            "on",
            None,
            objects=(support.id,),
            about=(item.id,),
        )


def is_on(asker: Asker) -> Iterator[TrueQuestion]:
    """Whether it stands on that: yes."""
    for item, support in _stacked(asker):
        yield _yes_no(asker, item, "on", support, True)


def is_not_on(asker: Asker) -> Iterator[TrueQuestion]:
    """Whether it stands on that: no, on something else well away."""
    supports = {support.id: support for _, support in _stacked(asker)}.values()
    for item, _ in _stacked(asker):
        for other in supports:
            if _apart(item, other):
                yield _yes_no(asker, item, "on", other, False)


def is_above(asker: Asker) -> Iterator[TrueQuestion]:
    """Whether it hangs clear above that, or below: yes."""
    for upper, lower in permutations(asker.named, 2):
        if exact.over(upper.box, lower.box) and upper.support != lower.id:
            yield _yes_no(asker, upper, "above", lower, True)
            yield _yes_no(asker, lower, "below", upper, True)


def is_not_above(asker: Asker) -> Iterator[TrueQuestion]:
    """Whether it is above or below that: no, well beside it, though of that height."""
    for upper, lower in permutations(asker.named, 2):
        higher = exact.bottom(upper.box) > exact.top(lower.box) + 0.1
        if higher and _apart(upper, lower) and upper.room == lower.room:
            yield _yes_no(asker, upper, "above", lower, False)
            yield _yes_no(asker, lower, "below", upper, False)


def _stacked(asker: Asker) -> Iterator[tuple[TrueObject, TrueObject]]:
    """Things that stand on the very top of another."""
    for item in asker.named:
        if item.support is not None:
            support = asker.truth[item.support]
            if support in asker.named and exact.rests_on(item.box, support.box):
                yield item, support


def _apart(a: TrueObject, b: TrueObject) -> bool:
    return bool(exact.outline(a.box).distance(exact.outline(b.box)) >= APART_M)


def _yes_no(
    asker: Asker, first: TrueObject, word: str, second: TrueObject, truth: bool
) -> TrueQuestion:
    return TrueQuestion(
        f"Is the {asker.name(first)} {word} the {asker.name(second)}?",
        "on" if word == "on" else "above",
        "yes" if truth else "no",
        choices=("yes", "no"),
        about=(first.id, second.id),
    )
