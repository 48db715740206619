"""Questions about a recording with their true answers, from the exact geometry.

Only objects that were well seen are asked about, only by phrases that fit one object, and only
where the answer does not hang on a few centimetres or degrees. Nothing here uses the reasoner, so
that its answers can be checked.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from spatial_vlm_ros.simulation.questions import choices, directions, heights, measures, refusals
from spatial_vlm_ros.simulation.questions.asker import Asker, Sightings
from spatial_vlm_ros.simulation.truth import TrueQuestion, Truth

__all__ = ["KINDS", "Sightings", "make_questions"]

#: What yields every question of a sort that can be asked, and how many are wanted.
KINDS = (
    (measures.counts, 3),
    (measures.distances, 4),
    (measures.sizes, 2),
    (measures.room_size, 1),
    (directions.three_ways, 2),
    (directions.four_ways, 3),
    (directions.robot_sides, 2),
    (directions.robot_front, 1),
    (directions.between_yes, 1),
    (directions.between_no, 1),
    (choices.closer, 2),
    (choices.appearance, 2),
    (choices.nearest, 2),
    (choices.furthest, 1),
    (choices.find_by_colour, 1),
    (choices.find_by_place, 1),
    (choices.go_to_nearest, 1),
    (choices.go_to, 1),
    (heights.what_is_on, 1),
    (heights.what_is_under, 1),
    (heights.is_on, 1),
    (heights.is_not_on, 1),
    (heights.is_above, 1),
    (heights.is_not_above, 1),
    (refusals.where_unknown, 1),
    (refusals.far_from_unknown, 1),
    (refusals.ambiguous, 1),
)


def make_questions(truth: Truth, sightings: Sightings, seed: int) -> tuple[TrueQuestion, ...]:
    """Some questions of every sort the recording allows, about as many objects as possible."""
    rng = np.random.default_rng([seed, 2])
    asker = Asker(truth, sightings)
    chosen: list[TrueQuestion] = []
    used: Counter[int] = Counter()
    for sort, wanted in KINDS:
        possible = list(sort(asker))
        for _ in range(wanted):
            if not possible:
                break
            order = rng.permutation(len(possible))
            costs = [sum(used[number] for number in possible[k].about) for k in order]
            question = possible[order[int(np.argmin(costs))]]
            chosen.append(question)
            used.update(question.about)
            possible = [other for other in possible if other.about != question.about]
    return tuple(chosen)
