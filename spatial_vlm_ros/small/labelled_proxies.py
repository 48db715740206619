"""Proxies of simulated rooms with what they are of, as the small vision tower is turned by them."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.perception.groups import UNKNOWN
from spatial_vlm_ros.small.alignment import Shown
from spatial_vlm_ros.small.labelled_views import CATEGORIES, OBJECTS, PAINTS
from spatial_vlm_ros.training.store import ProxyStore


def labelled_proxies(store: ProxyStore, scenes: Mapping[str, AnnotatedScene]) -> Shown:
    """Of all scenes of a store. ``ValueError``: none of its scenes is known, or has objects.

    What is no object may be any of the surroundings; objects of unknown categories are left out.
    """
    features, possible, paints = [], [], []
    for name in sorted(scenes):
        if name not in store:
            continue
        proxies = store[name]
        objects = {item.id + proxies.shift: item for item in scenes[name].objects}
        for group in torch.unique(proxies.groups).tolist():
            rows = proxies.groups == group
            may_be = torch.zeros(len(CATEGORIES), dtype=torch.bool)
            paint = len(PAINTS) - 1
            if group <= UNKNOWN:
                may_be[len(OBJECTS) :] = True
            elif group in objects and objects[group].category in OBJECTS:
                may_be[OBJECTS.index(objects[group].category)] = True
                if objects[group].colour in PAINTS:
                    paint = PAINTS.index(str(objects[group].colour))
            else:
                continue
            count = int(rows.sum())
            features.append(proxies.features[rows].float())
            possible.append(may_be.expand(count, -1))
            paints.append(torch.full((count,), paint))
    if not features:
        raise ValueError(f"{store.folder}: has no proxies of the scenes given, or of their objects")
    return Shown(torch.cat(features), torch.cat(possible), torch.cat(paints))
