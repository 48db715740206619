"""Which objects of a scene a noun phrase means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product

import numpy as np

from spatial_vlm_ros.reasoning import describe, measure, nouns, ranking, relate
from spatial_vlm_ros.reasoning.phrase import Clause, NounPhrase, Rank
from spatial_vlm_ros.reasoning.view import ROBOT_ID, Unclear, View
from spatial_vlm_ros.reasoning.vocabulary import COLOURS, SIZES
from spatial_vlm_ros.scene.graph import SceneObject

#: Of so many candidates an ambiguous phrase is refused with what tells them apart.
MOST_LISTED = 12


@dataclass(frozen=True)
class Found:
    """``objects`` that fit a phrase, perhaps none. ``evidence`` are ids of what it was judged by,
    ``sureness`` is 1, less where a comparison was a near tie. ``why_none`` says what failed,
    ``doubts`` what the scale leaves open.
    """

    objects: tuple[SceneObject, ...]
    evidence: frozenset[int] = frozenset()
    sureness: float = 1.0
    why_none: str = ""
    doubts: tuple[str, ...] = ()

    @property
    def confidence(self) -> float:
        """Label votes of the least sure object, times the sureness of the comparisons."""
        return self.sureness * min((o.label_score for o in self.objects), default=1.0)


def find(readings: Sequence[NounPhrase], view: View) -> Found:
    """What fits the first reading that fits anything.

    ``Unclear`` for a word of no list, or an anchor that is missing or not the only one.
    """
    first: Found | Unclear = Unclear("I did not understand what is meant.")
    for number, phrase in enumerate(readings):
        outcome: Found | Unclear
        try:
            outcome = _find(phrase, view)
        except Unclear as why:
            outcome = why
        if isinstance(outcome, Found) and outcome.objects:
            return outcome
        first = outcome if number == 0 else first
    if isinstance(first, Unclear):
        raise first
    return first


def some(readings: Sequence[NounPhrase], view: View) -> Found:
    """Like :func:`find`; ``Unclear`` when nothing fits."""
    found = find(readings, view)
    if not found.objects:
        raise Unclear(found.why_none)
    return found


def one(readings: Sequence[NounPhrase], view: View) -> Found:
    """The only object that fits; ``Unclear`` with the candidates when there are several."""
    found = some(readings, view)
    if len(found.objects) > 1:
        raise ambiguous(readings[0].name, found.objects, view)
    return found


def place(readings: Sequence[NounPhrase], view: View, several: bool = False) -> Found:
    """What something is measured from: the robot, the only object that fits, or all that do."""
    if readings[0].robot:
        return Found((view.robot,))
    return some(readings, view) if several else one(readings, view)


def ambiguous(noun: str, objects: Sequence[SceneObject], view: View) -> Unclear:
    """The refusal that lists what a phrase could mean, the first of many."""
    listed = "; ".join(describe.facts(item, view) for item in objects[:MOST_LISTED])
    if len(objects) > MOST_LISTED:
        listed += f"; and {len(objects) - MOST_LISTED} more"
    return Unclear(f"Which {noun}? I know {len(objects)}: {listed}.", objects)


def _find(phrase: NounPhrase, view: View) -> Found:
    """Noun first, then colours, places and sizes, and what is most or least last."""
    if phrase.robot:
        raise Unclear("That is me. I can tell how objects lie from me, but not about myself.")
    if phrase.parts:
        return joined([(some if p.many else one)([p], view) for p in phrase.parts])
    if phrase.id is not None and (phrase.sizes or phrase.ranks or phrase.ordinal is not None):
        return _among_others(phrase, view)
    found = Found(nouns.bearing(phrase, view), why_none=f"I have seen no {phrase.noun.said}.")
    for colour in phrase.colours:
        found = _with_colour(found, colour, phrase)
    for clause in phrase.clauses:
        found = _placed(found, clause, phrase, view)
    for size in phrase.sizes:
        single = phrase.determiner == "the" and not phrase.many
        kept, sureness = ranking.of_size(found.objects, *SIZES[size], single)
        found = _narrowed(found, kept, sureness=sureness)
    for rank in phrase.ranks:
        found = _ranked(found, rank, phrase, view)
    return found if phrase.ordinal is None else _in_order(found, phrase)


def _among_others(phrase: NounPhrase, view: View) -> Found:
    """An object by number that is also said to be the tallest, or a big one, of others."""
    (item,) = nouns.bearing(phrase, view)
    found = _find(replace(phrase, id=None), view)
    kept = [other for other in found.objects if other.id == item.id]
    why = f"{describe.name(item)} is not the {replace(phrase, id=None).name} that is meant."
    return _narrowed(found, kept, why)


def each(readings: Sequence[NounPhrase], view: View) -> list[Found]:
    """What fits each of the phrases joined by "and" or "or"; perhaps there is only one."""
    parts = [[part] for part in readings[0].parts] if readings else []
    return [find(part, view) for part in parts] or [find(readings, view)]


def joined(found: Sequence[Found]) -> Found:
    """All that was found, each object once."""
    return Found(
        tuple({item.id: item for part in found for item in part.objects}.values()),
        frozenset().union(*(part.evidence for part in found)),
        min(part.sureness for part in found),
        " ".join(part.why_none for part in found if not part.objects),
        tuple(doubt for part in found for doubt in part.doubts),
    )


def _narrowed(
    found: Found,
    objects: Sequence[SceneObject],
    why_none: str = "",
    evidence: Iterable[int] = (),
    sureness: float = 1.0,
    doubts: tuple[str, ...] = (),
) -> Found:
    return Found(
        tuple(objects),
        found.evidence | frozenset(evidence),
        min(found.sureness, sureness),
        why_none if found.objects else found.why_none,
        found.doubts + doubts,
    )


def _with_colour(found: Found, colour: str, phrase: NounPhrase) -> Found:
    own = {item.id: COLOURS.get(item.colour.lower(), item.colour.lower()) for item in found.objects}
    kept = [item for item in found.objects if own[item.id] == colour]
    others = sorted({name for name in own.values() if name})
    why = f"I have seen no {colour} {phrase.said}"
    why += f", only {describe.joined(others)}." if others else "."
    return _narrowed(found, kept, why)


def _placed(found: Found, clause: Clause, phrase: NounPhrase, view: View) -> Found:
    """Those that stand in the clause's relation to any of its anchors."""
    if clause.reach is not None:
        view.need_metres()
    why = f"I have seen no {phrase.name} {clause_text(clause)}."
    if clause.relation == "on" and clause.anchors[0].noun.floor:
        return _narrowed(found, relate.on_floor(found.objects, view), why)
    groups = anchor_groups(clause, view)
    if not groups:
        return _narrowed(found, (), why)
    true, sure = relate.holds(clause.relation, found.objects, groups, view, clause.reach)
    fits = np.asarray(true.any(axis=1))
    kept = [item for item, fit in zip(found.objects, fits, strict=True) if fit]
    by = {item.id for k in true[fits].argmax(axis=1) for item in groups[k]} - {ROBOT_ID}
    surely_so = np.where(true, sure, 0.0).max(axis=1)  # by some group; surely not by every one
    sureness = float(np.where(fits, surely_so, sure.min(axis=1)).min(initial=1.0))
    open_yet = clause.reach is not None and sureness < 1
    doubt = f"what is {clause_text(clause)} may be otherwise: {view.scale.known}"
    return _narrowed(found, kept, why, by, sureness, (doubt,) if open_yet else ())


def clause_text(clause: Clause) -> str:
    """Like "between the sofa and the tv"."""
    anchors = describe.joined([anchor.text for anchor in clause.anchors])
    if clause.facing is not None:
        side = relate.PHRASES[clause.relation].removesuffix(" of")
        return f"{side} when standing at {anchors} and facing {clause.facing.text}"
    if clause.reach is not None:
        return f"within {clause.reach:g} m of {anchors}"
    return f"{relate.PHRASES[clause.relation]} {anchors}"


def anchor_groups(clause: Clause, view: View) -> list[tuple[SceneObject, ...]]:
    """What a clause may be judged by: any one of the objects, any two for "between"; the only one
    to stand at and the only one to face for a viewpoint.
    """
    if clause.facing is not None:
        stand, face = (place([p], view).objects[0] for p in (clause.anchors[0], clause.facing))
        if measure.level(stand.box.center[:2], face.box.center[:2]) < relate.FACING_M:
            raise Unclear(f"{describe.name(stand)} is in the same place, seen from above.")
        return [(stand, face)]
    sets = [place([anchor], view, several=True).objects for anchor in clause.anchors]
    if clause.relation != "between":
        return [(anchor,) for anchor in sets[0]]
    if len(sets) == 2:
        return [(a, b) for a, b in product(*sets) if a.id != b.id]
    return list(combinations(sets[0], 2))


def _ranked(found: Found, rank: Rank, phrase: NounPhrase, view: View) -> Found:
    """The ones at the rank's place; the same whichever anchor is meant, else ``Unclear``."""
    if rank.anchors:
        anchors = place(rank.anchors[:1], view, several=True).objects
    else:
        anchors = (view.robot,) if rank.measure == "distance" else ()
    objects = ranking.without(found.objects, anchors)
    if not objects:
        return _narrowed(found, (), f"I have seen no other {phrase.name}.")
    rows = ranking.values(objects, rank.measure, anchors, view)
    if view.closest_of_many or (rank.anchors and rank.anchors[0].indefinite):
        rows = iter([np.min(list(rows), axis=0)])
    wanted = (phrase.number or 1) if phrase.many else 1
    picks, sureness = [], 1.0
    for row in rows:
        picks.append(ranking.chosen(row, rank.sign, rank.place, wanted))
        if (picks[-1] != picks[0]).any():
            raise ambiguous(rank.anchors[0].name, anchors, view)
        sureness = min(sureness, ranking.sureness(row, picks[-1], rank.measure))
    why = f"I have seen only {describe.counted(len(objects), phrase.name)}."
    by = [anchor.id for anchor in anchors if anchor.id != ROBOT_ID] + [o.id for o in objects]
    return _narrowed(found, [objects[i] for i in picks[0]], why, by, sureness)


def _in_order(found: Found, phrase: NounPhrase) -> Found:
    """Like "the second chair": counted in the order they were first seen."""
    assert phrase.ordinal is not None
    ordered = sorted(found.objects, key=lambda item: (item.first_seen_ns, item.id))
    why = f"I have seen only {describe.counted(len(ordered), phrase.name)}."
    if phrase.ordinal < 0:  # the last
        ordered.reverse()
    place = abs(phrase.ordinal)
    return _narrowed(found, ordered[place - 1 : place], why)
