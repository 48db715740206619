"""By how much things must differ before a question about it is fair."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator

from spatial_vlm_ros.data.generators.draft import Draft, Pools
from spatial_vlm_ros.data.generators.subject import Subject

MARGIN_M = 0.15
MARGIN_DEG = 10.0
#: How much larger one of two volumes is.
MARGIN_VOLUME = 1.5

#: Whether something is so (True) or clearly not (False) of objects; None where it is not clear.
Clear = Callable[[Subject, tuple[int, ...]], bool | None]


def letters(subject: Subject, numbers: tuple[int, ...], rng: random.Random) -> dict[str, str]:
    """What the objects are called, by the letters of wordings."""
    return dict(zip("abcde", subject.called(numbers, rng), strict=False))


def by_number(_: Subject, numbers: tuple[int, ...], __: random.Random) -> dict[str, str]:
    """The same where their names would give the answer away."""
    return {letter: f"#{n}" for letter, n in zip("abcde", numbers, strict=False)}


def yes_and_no(
    wordings: tuple[str, ...],
    size: int,
    clear: Clear,
    named: Callable[[Subject, tuple[int, ...], random.Random], dict[str, str]] = letters,
) -> Callable[[Subject, random.Random], Pools]:
    """Yes and no questions about ``size`` objects, called {a}, {b}, {c} in the ``wordings``."""

    def propose(subject: Subject, rng: random.Random) -> Pools:
        def drafts(so: bool, tried: Iterable[tuple[int, ...]]) -> Iterator[Draft]:
            for numbers in tried:
                if clear(subject, numbers) is so:
                    question = rng.choice(wordings).format(**named(subject, numbers, rng))
                    yield Draft(question, "yes" if so else "no", numbers)

        return [drafts(so, subject.tuples(size, rng)) for so in (True, False)]

    return propose
