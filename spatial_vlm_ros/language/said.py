"""Which relations of a scene text and graph say, so that nothing is said twice."""

from __future__ import annotations

from collections.abc import Iterable

from spatial_vlm_ros.scene.graph import Relation

#: Predicates that say from the other side what another one, listed too, says already.
CONVERSES = {"below": "above"}
#: Predicates that are the same from either side, and listed from both.
SYMMETRIC = frozenset({"beside"})


def said_once(relations: Iterable[Relation]) -> list[Relation]:
    """The relations without those that another one of them says from the other side."""
    relations = list(relations)
    all_of_them = {(r.subject, r.predicate, r.object) for r in relations}
    return [
        r
        for r in relations
        if (r.object, CONVERSES.get(r.predicate), r.subject) not in all_of_them
        and not (
            r.predicate in SYMMETRIC
            and r.subject > r.object
            and (r.object, r.predicate, r.subject) in all_of_them
        )
    ]
