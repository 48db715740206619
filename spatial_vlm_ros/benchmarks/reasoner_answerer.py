"""A reasoner as a robot runs it, put to a benchmark: it is given scenes, not training rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from spatial_vlm_ros.benchmarks.answerers import question_of, says_none
from spatial_vlm_ros.benchmarks.item import Item, Prediction
from spatial_vlm_ros.benchmarks.scannet_boxes import placed
from spatial_vlm_ros.data.generators.graph import scene_graph
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.reasoning.answer import NOTHING_SEEN, Answer, Reasoner, Seen
from spatial_vlm_ros.reasoning.geometric import GeometricReasoner
from spatial_vlm_ros.reasoning.wording import read
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.graph import SceneGraph

_EXACT = GeometricReasoner.name
#: Of a scene's name. ``ValueError``: there is no such scene.
Rooms = Callable[[str], tuple[SceneGraph, Seen]]


class ReasonerAnswerer:
    """rooms: what was mapped of each scene, in the scene frame of its annotation."""

    def __init__(
        self, reasoner: Reasoner, rooms: Rooms, annotated: Mapping[str, AnnotatedScene]
    ) -> None:
        self._reasoner, self._rooms, self._annotated = reasoner, rooms, annotated

    def answer(self, item: Item) -> Prediction:
        """See :class:`spatial_vlm_ros.benchmarks.answerers.Answerer`."""
        if not item.scene:
            raise ValueError("it is about a video or images, which were not mapped")
        graph, seen = self._rooms(item.scene)
        answer = self._reasoner.ask(question_of(item), graph, seen)
        text = _said(answer, item) if answer.answered else ""
        boxes = None
        if "boxes" in item.more and (found := _boxes(answer, graph)) is not None:
            scene = self._annotated[item.scene]
            boxes = tuple(placed(box, item.frame, scene) for box in found)
        return Prediction(item.id, text, None, boxes, answer.confidence)


def true_rooms(scenes: Mapping[str, AnnotatedScene]) -> Rooms:
    """Scenes as they truly are, which nobody has seen."""
    graphs: dict[str, SceneGraph] = {}

    def room(name: str) -> tuple[SceneGraph, Seen]:
        if name not in scenes:
            raise ValueError(f"scene {name} is not among those with boxes")
        if name not in graphs:
            graphs[name] = scene_graph(scenes[name])
        return graphs[name], NOTHING_SEEN

    return room


def _boxes(answer: Answer, graph: SceneGraph) -> list[Box] | None:
    """Of what is meant; None where that is not known: a model's words may name nothing. What cannot
    be driven to is known all the same, a refusal leaves one candidate.
    """
    if answer.answered:
        found = [graph[number].box for number in answer.objects]
        found += [named.box for named in answer.boxes]
        return found if found or answer.reasoner == _EXACT or says_none(answer.text) else None
    return [graph[answer.candidates[0]].box] if len(answer.candidates) == 1 else None


def _said(answer: Answer, item: Item) -> str:
    """A letter, a number or a word where the answer is one; else its text."""
    if isinstance(answer.value, float | int):
        return f"{answer.value:.4g}"
    if item.options:
        options = read(question_of(item)).options
        return next((each for each, text in options.items() if text == answer.value), "")
    return answer.value or answer.text
