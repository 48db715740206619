"""Room-bench through the whole system, bag, mapper and reasoner, beside the model alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from spatial_vlm_ros.benchmarks.answerers import Answerer
from spatial_vlm_ros.benchmarks.captions import JavaFree
from spatial_vlm_ros.benchmarks.failures import failures, table
from spatial_vlm_ros.benchmarks.held_out_rooms import map_of, record
from spatial_vlm_ros.benchmarks.item import Item, Prediction, Scores
from spatial_vlm_ros.benchmarks.opening import Asking, open_answerer
from spatial_vlm_ros.benchmarks.predicting import answers, processes
from spatial_vlm_ros.benchmarks.reasoner_answerer import ReasonerAnswerer, Rooms, true_rooms
from spatial_vlm_ros.benchmarks.report import report, write
from spatial_vlm_ros.benchmarks.room_bench import BENCHMARK
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.perception_config import PerceptionConfig
from spatial_vlm_ros.reasoners.config import AnsweringConfig, ModelConfig
from spatial_vlm_ros.reasoners.opening import ReasonersConfig, needs, open_model
from spatial_vlm_ros.reasoning.answer import Seen
from spatial_vlm_ros.reasoning.geometric import GeometricReasoner
from spatial_vlm_ros.saved_scene import load_scene
from spatial_vlm_ros.scene.graph import SceneGraph
from spatial_vlm_ros.training.exam import SECONDS
from spatial_vlm_ros.training.filling import fill, plan_of

_PROTOCOL = BENCHMARK.protocols[0]


@dataclass(frozen=True)
class WholeSystem:
    """Who is asked about what.

    reasoner: its name; model: its checkpoint, or geometric. mapper: its settings, of ``preset``.
    data: folder of bags; output: of everything else. rooms: how many.
    """

    reasoner: str
    model: str
    mapper: PerceptionConfig
    preset: str
    data: Path
    output: Path
    rooms: int
    device: str = "auto"

    def run(self) -> None:
        """Record, map, ask, and tell what is lost where. Processes share the questions.

        ``ValueError``, ``OSError``: one of it cannot be done.
        """
        state = processes()
        with state.main_process_first():
            recordings = record(self.data, self.rooms)
            folders = {each.name: map_of(each, self.mapper, self._maps) for each in recordings}
            if self.reasoner in ("proxy3d", "ssr"):
                fill(self._store, plan_of(self.model), recordings)
        scenes = {each.name: each.annotation() for each in recordings}
        items = [item for scene in scenes.values() for item in BENCHMARK.items(scene)]
        alone = self._put("alone", items, lambda: self._alone(scenes))
        system = self._put("system", items, lambda: self._system(scenes, folders))
        if alone is None or system is None:  # another process tells
            return
        exact = GeometricReasoner()
        on_truth = _scores(items, ReasonerAnswerer(exact, true_rooms(scenes), scenes))
        on_map = _scores(items, ReasonerAnswerer(exact, _mapped(folders), scenes))
        lost = failures(system, on_truth, on_map)
        print(f"of the whole system, points lost to:\n{table(system.metrics, lost)}")
        content = {task: asdict(each) for task, each in lost.items()}
        write(self.output / "failures.json", content)
        print(f"written: {self.output / 'failures.json'}")

    @property
    def _maps(self) -> Path:
        """Of what settings of these make: proxies are of one model."""
        return self.output / "maps" / f"{self.preset}-{Path(self.mapper.encoder.checkpoint).name}"

    @property
    def _store(self) -> Path:
        return self.output / "store"

    def _put(
        self, name: str, items: Sequence[Item], opened: Callable[[], Answerer]
    ) -> Scores | None:
        """The questions to a model alone, or in the system."""
        about = {"part": name, "model": self.model, "preset": self.preset, "rooms": self.rooms}
        folder = self.output / name
        predictions = answers(items, opened, folder, about)
        if predictions is None:
            return None
        scores = BENCHMARK.score(items, predictions, _PROTOCOL, JavaFree())
        report(folder, scores, about, predictions)
        return scores

    def _alone(self, scenes: Mapping[str, AnnotatedScene]) -> Answerer:
        """A model asked about scenes as they truly are, not as they were mapped."""
        if self.reasoner in ("proxy3d", "ssr"):
            most = BENCHMARK.max_tokens
            asking = Asking(self.model, most, self._store, scenes, device=self.device)
            return open_answerer(asking)
        return ReasonerAnswerer(open_model(self._config), true_rooms(scenes), scenes)

    def _system(
        self, scenes: Mapping[str, AnnotatedScene], folders: Mapping[str, Path]
    ) -> Answerer:
        rooms = _mapped(folders, **needs(self.reasoner))
        return ReasonerAnswerer(open_model(self._config), rooms, scenes)

    @property
    def _config(self) -> ReasonersConfig:
        checkpoint = "" if self.reasoner == "geometric" else self.model
        return ReasonersConfig(
            self.reasoner,
            model=ModelConfig(checkpoint, self.device),
            answering=AnsweringConfig(BENCHMARK.max_tokens, SECONDS),
        )


def _mapped(folders: Mapping[str, Path], **parts: bool) -> Rooms:
    """Scenes as they were mapped; one after the other is kept."""
    kept: dict[str, tuple[SceneGraph, Seen]] = {}

    def room(name: str) -> tuple[SceneGraph, Seen]:
        if name not in kept:
            kept.clear()
            kept[name] = load_scene(folders[name], **parts)
        return kept[name]

    return room


def _scores(items: Sequence[Item], answerer: Answerer) -> Scores:
    predictions: dict[str, Prediction] = {item.id: answerer.answer(item) for item in items}
    return BENCHMARK.score(items, predictions, _PROTOCOL, JavaFree())
