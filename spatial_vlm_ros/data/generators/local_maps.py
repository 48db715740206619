"""LocalCogMaps as questions of their own (SSR section 3.2, MultiQA): where the third object is.

Trained on are the chain of algorithm 1, which places every object of the scene, and more maps of
the same objects with other anchors near them.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

from spatial_vlm_ros.data.generators.draft import Draft, Kind, Pools, written
from spatial_vlm_ros.data.generators.subject import Subject
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.language.multiqa import samples
from spatial_vlm_ros.language.names import unique_names
from spatial_vlm_ros.scene.cogmap_generation import overlapping_cogmaps
from spatial_vlm_ros.scene.graph import LocalCogMap

#: Maps of each object, with its nearest anchors.
OVERLAPPING = 4


def chain(subject: Subject, rng: random.Random) -> Pools:
    """The maps of the scene graph, in which all anchors but the first two are targets, too."""
    return [_drafts(subject, subject.graph.cogmaps, rng)]


def overlapping(subject: Subject, rng: random.Random) -> Pools:
    """Maps that say where the same objects are by other anchors."""
    known = {made.ids for made in subject.graph.cogmaps}
    maps = overlapping_cogmaps(subject.graph.objects, OVERLAPPING)
    return [_drafts(subject, [made for made in maps if made.ids not in known], rng)]


def _drafts(subject: Subject, maps: Iterable[LocalCogMap], rng: random.Random) -> Iterator[Draft]:
    """Half of those of which all objects can be named without numbers do without."""
    numbered = unique_names(subject.graph.objects)
    maps = list(maps)
    for made in rng.sample(maps, len(maps)):
        plain = all(n in subject.phrase for n in made.ids) and rng.random() < 0.5
        (sample,) = samples([made], subject.phrase if plain else numbered)
        yield Draft(
            sample.question, sample.answer, made.ids, targets=made.ids[2:], system=sample.system
        )


KINDS = (Kind("chain", "local_map", chain), Kind("overlapping", "local_map", overlapping))


def rows(scene: AnnotatedScene, seed: int, most: int) -> Iterator[Row]:
    """Rows of all ``KINDS``, at most ``most`` of each."""
    return written("local_maps", KINDS, scene, seed, most)
