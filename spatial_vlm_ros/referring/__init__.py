"""Phrases that mean one object among several of its kind (SSR section 3.3), from a scene graph.

Three strategies: how near an object is to a landmark, on which side it is of one who stands at an
object and faces another, and when it first appeared. Which object a phrase means follows from the
geometry here, and nothing here asks the reasoner, so that its understanding can be checked.
"""

from __future__ import annotations

from spatial_vlm_ros.referring.expression import ReferringExpression
from spatial_vlm_ros.referring.generate import STRATEGIES, referring_expressions

__all__ = ["STRATEGIES", "ReferringExpression", "referring_expressions"]
