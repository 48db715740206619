"""Referring expressions of a scene: a bounded number, of all strategies, about many objects."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import numpy as np

from spatial_vlm_ros.referring import appearance, direction, proximity
from spatial_vlm_ros.referring.expression import ReferringExpression
from spatial_vlm_ros.referring.naming import Naming
from spatial_vlm_ros.scene.graph import SceneGraph

STRATEGIES = {
    "proximity": proximity.propose,
    "direction": direction.propose,
    "appearance": appearance.propose,
}
#: So many times the number wanted are drawn of each strategy, to choose from.
_CHOICE = 4


def referring_expressions(
    scene: SceneGraph, seed: int = 0, most: int = 30
) -> tuple[ReferringExpression, ...]:
    """At most ``most`` unmistakable phrases for confirmed objects that share their noun.

    Strategies take turns for as long as they have something to say, each about the object that has
    been meant least. The same scene, seed and number give the same phrases.
    """
    naming = Naming(scene)
    pools = [
        list(islice(propose(scene, naming, np.random.default_rng([seed, k])), _CHOICE * most))
        for k, propose in enumerate(STRATEGIES.values())
    ]
    meant: Counter[int] = Counter()
    chosen: list[ReferringExpression] = []
    while len(chosen) < most and any(pools):
        for pool in pools:
            if pool and len(chosen) < most:
                best = min(range(len(pool)), key=lambda k: meant[pool[k].target])
                chosen.append(pool.pop(best))
                meant[chosen[-1].target] += 1
    return tuple(chosen)
