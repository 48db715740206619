"""From drafts to rows: of all that can be asked a few, spread evenly over answers and objects."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heapreplace
from itertools import islice

from spatial_vlm_ros.data.generators.subject import Subject
from spatial_vlm_ros.data.row import Reference, Row
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.scene.box import Box

#: So many times the rows wanted are drafted, to choose from.
CHOICE = 4


@dataclass(frozen=True)
class Draft:
    """A question with its answer. about: objects that the question names, in its order. options:
    the right one first, and then there is no other answer.
    """

    question: str
    answer: str = ""
    about: tuple[int, ...] = ()
    options: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    targets: tuple[int, ...] = ()
    boxes: tuple[Box, ...] = ()
    system: str = ""


#: Drafts in random order; those of one pool have answers of one sort.
Pools = Sequence[Iterable[Draft]]


@dataclass(frozen=True)
class Kind:
    """A kind of question. name: the ``subtask`` of its rows. propose: what can be asked, for each
    sort of answer. even: as many rows of each sort, not more than there are of the rarest.
    """

    name: str
    task: str
    propose: Callable[[Subject, random.Random], Pools]
    even: bool = False


def written(
    generator: str, kinds: Sequence[Kind], scene: AnnotatedScene, seed: int, most: int
) -> Iterator[Row]:
    """At most ``most`` rows of each kind, none of which names or means what was not seen; the same
    for the same arguments.
    """
    subject = Subject(scene)
    shown, count = set(subject.numbers), 0
    for kind in kinds:
        rng = random.Random(f"{seed}/{generator}/{kind.name}/{scene.name}")
        pools = [
            list(islice((d for d in pool if _objects(d) <= shown), CHOICE * most))
            for pool in kind.propose(subject, rng)
        ]
        rng.shuffle(pools)
        drafts = chosen(pools, most, kind.even)
        rng.shuffle(drafts)
        first = rng.randrange(60)
        for k, draft in enumerate(drafts, first):
            name = f"{generator}/{scene.name}/{seed}/{count}"
            yield _row(subject, name, generator, kind, draft, k, rng)
            count += 1


def chosen(pools: Sequence[Sequence[Draft]], most: int, even: bool = False) -> list[Draft]:
    """At most ``most`` drafts, none like another. Pools take turns; each gives the one whose
    objects have come up least.
    """
    heaps = [
        [(0.0, k, draft) for k, draft in enumerate({_likeness(d): d for d in pool}.values())]
        for pool in pools
    ]
    turns = most
    if even:  # fewer rows than sorts are of the first sorts
        turns = min([max(most // max(len(heaps), 1), 1), *map(len, heaps)])
    used: Counter[int] = Counter()
    found: list[Draft] = []
    for _ in range(turns):
        for heap in heaps:
            if heap and len(found) < most:
                found.append(_least_used(heap, used))
                used.update(_objects(found[-1]))
        if not any(heaps):
            break
    return found


def _likeness(draft: Draft) -> Hashable:
    """What drafts that only say the same in other words have in common."""
    if not draft.about:
        return draft.question
    return draft.about, draft.targets, frozenset(draft.options)


def _objects(draft: Draft) -> set[int]:
    return {*draft.about, *draft.targets}


def _least_used(heap: list[tuple[float, int, Draft]], used: Counter[int]) -> Draft:
    """Use only grows, so a draft that comes first with what it costs now is the cheapest."""
    while True:
        cost, k, draft = heap[0]
        objects = _objects(draft)
        now = sum(used[number] for number in objects) / max(len(objects), 1)
        if now == cost:
            heappop(heap)
            return draft
        heapreplace(heap, (now, k, draft))


def _row(
    subject: Subject,
    name: str,
    generator: str,
    kind: Kind,
    draft: Draft,
    place: int,
    rng: random.Random,
) -> Row:
    """The right option stands at ``place`` counted round, so that no letter is right more often."""
    options, answer = draft.options, draft.answer
    if options:
        right, *wrong = options
        at = place % len(options)
        wrong = rng.sample(wrong, len(wrong))
        options, answer = (*wrong[:at], right, *wrong[at:]), "ABCDEFGH"[at]
    refs = tuple(
        Reference(number, subject.label[number], subject.box[number])
        for number in dict.fromkeys(draft.about)
    )
    return Row(
        id=name,
        dataset=f"spacespan-{generator.replace('_', '-')}",
        scene=subject.scene.name,
        task=kind.task,
        subtask=kind.name,
        question=draft.question,
        answer=answer,
        options=options,
        accepted=draft.accepted,
        refs=refs,
        targets=draft.targets,
        boxes=draft.boxes,
        system=draft.system,
        license=subject.scene.license,
    )
