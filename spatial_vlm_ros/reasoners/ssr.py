"""SSR answering: images of the scene, and with SSR-3D its geometry between them (section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from spatial_vlm_ros.keyframes import Keyframe
from spatial_vlm_ros.models.spatial_features import Frames, MetricPoints, spatial_features
from spatial_vlm_ros.reasoners.checked import Asked, checked
from spatial_vlm_ros.reasoners.config import AnsweringConfig
from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.reasoners.prompt import ChatPrompt
from spatial_vlm_ros.reasoners.scene_inputs import (
    block,
    colours,
    frame_inputs,
    seen_frames,
)
from spatial_vlm_ros.reasoning.answer import NOBODY, NOTHING_SEEN, Answer, Listener, Seen
from spatial_vlm_ros.scene.graph import SceneGraph
from spatial_vlm_ros.scene_frame import level_frame
from spatial_vlm_ros.serving.generation import Generator, ScenePrefix
from spatial_vlm_ros.serving.loading import LoadedModel
from spatial_vlm_ros.serving.stopping import stoppable
from spatial_vlm_ros.vision.images import as_tensor, fit_size, resized

SYSTEM = (
    "You are the spatial memory of a robot, and see images from its drive. Coordinates are in "
    "metres from the first camera: x forward, y left, z up."
)
#: A warning.
NO_GEOMETRY = "the model saw images without their points: none are known in metres"
#: The first image's frame and the scene's may differ by this: rounding of messages.
_SAME_PLACE = 1e-3


class SSRReasoner:
    """Images come first and are computed once, then the question."""

    name = "ssr"

    def __init__(self, loaded: LoadedModel, config: AnsweringConfig) -> None:
        self._generator = Generator(loaded, config.max_tokens, config.max_seconds)
        self._model = loaded.model
        self._count = seen_frames(loaded.checkpoint, config.frames)
        self._pixels = loaded.checkpoint.pixels(config.image_pixels)
        self._prompt = ChatPrompt(loaded.tokenizer, SYSTEM)
        self._colours = colours(loaded.checkpoint)
        settings = loaded.model.config.spatial_settings
        self._features = (
            None
            if settings is None
            else spatial_features(settings, config.vggt, loaded.device, loaded.model.dtype)
        )
        self._shown: tuple[bool, tuple[int, ...]] = False, ()
        self._prefix: ScenePrefix | None = None
        self._lacks: tuple[str, ...] = ()  # warnings about what is shown

    def ask(
        self,
        question: str,
        scene: SceneGraph,
        seen: Seen = NOTHING_SEEN,
        listener: Listener = NOBODY,
    ) -> Answer:
        """See :class:`spatial_vlm_ros.reasoning.answer.Reasoner`."""
        frames = spread(_from_first(seen.keyframes), self._count)
        asked = Asked.of(question, scene, Numbering(()))
        with stoppable(listener.gone):
            prefix = self._scene_prefix(frames, scene.metric)
        generated = self._generator.after_scene(
            prefix,
            self._prompt.question(asked.words),
            self._generator.held_to(asked.form),
            asked.heard_by(listener),
        )
        whole = ("the model saw images of the whole scene, not of the region only",)
        warnings = (*self._lacks, *(whole if seen.more else ()))
        return checked(self.name, asked, generated, *warnings)

    def _scene_prefix(self, frames: Sequence[Keyframe], metric: bool) -> ScenePrefix:
        """The prompt up to the question; the last one where the images are still the same."""
        shown = metric, tuple(frame.id for frame in frames)
        if self._prefix is None or shown != self._shown:
            self._prefix, self._shown = self._encoded(frames, metric), shown
        return self._prefix

    def _encoded(self, frames: Sequence[Keyframe], metric: bool) -> ScenePrefix:
        vision = self._model.config.vision_config
        cell = vision.patch_size * vision.spatial_merge_size
        frames, images = self._readable(frames)
        size = fit_size(images[0].shape[1], images[0].shape[2], cell, self._pixels)
        images = [resized(image, size) for image in images]  # cameras may differ
        scene = frame_inputs(images, vision, *self._colours)
        if self._features is not None:
            points = [torch.from_numpy(frame.points_scene) for frame in frames]
            in_metres = metric and any(bool(part.isfinite().any()) for part in points)
            if in_metres or not isinstance(self._features, MetricPoints):
                maps = self._features.maps(Frames(torch.stack(images) / 255, points))
                scene["spatial_values"] = maps.flatten(0, 2)
            else:  # it has learnt to do without, and nothing of other units of length
                self._lacks = (*self._lacks, NO_GEOMETRY)
        ids = self._ids(*scene["video_grid_thw"][0].tolist())
        device = self._model.device
        scene = {name: values.to(device) for name, values in scene.items()}
        return self._generator.encode(ids, scene)

    def _readable(self, frames: Sequence[Keyframe]) -> tuple[list[Keyframe], list[Tensor]]:
        """Those whose images can be decoded, and the images (3, H, W). ``ValueError``: the first,
        whose frame the scene's coordinates are in, cannot.
        """
        readable, images, damaged = [], [], list[str]()
        for frame in frames:
            try:
                image = as_tensor(frame.image())
            except (ValueError, cv2.error):
                damaged.append(f"image {frame.id} of the scene is damaged and was left out")
            else:
                readable.append(frame)
                images.append(image)
        if readable[:1] != [frames[0]]:
            raise ValueError(f"the first image of the scene, {frames[0].id}, is damaged")
        self._lacks = tuple(damaged)
        return readable, images

    def _ids(self, frames: int, rows: int, columns: int) -> Tensor:
        """(1, n) tokens of the prompt up to the question."""
        placeholders = self._model.frame_tokens(frames, rows, columns)
        before = self._generator.ids(self._prompt.before_question(""))
        shown = before.new_tensor([block(self._model.config, placeholders)])
        return torch.cat([before, shown], dim=1)


def spread(frames: Sequence[Keyframe], count: int) -> list[Keyframe]:
    """``count`` of the frames, evenly, with the first and the last; all where there are no more."""
    if len(frames) <= count:
        return list(frames)
    return [frames[i] for i in np.linspace(0, len(frames) - 1, count).round().astype(int)]


def _from_first(keyframes: Sequence[Keyframe]) -> Sequence[Keyframe]:
    """``ValueError``: there are no images, or the one is not there whose frame is the scene's."""
    if not keyframes:
        raise ValueError("no images of the scene: does the mapper publish keyframes?")
    T_scene_first = level_frame(keyframes[0].T_scene_camera)
    if not np.allclose(T_scene_first, np.eye(4), atol=_SAME_PLACE):
        raise ValueError(
            "the first image of the scene, whose frame its coordinates are in, is not among its "
            "keyframes: wait for it, or reset the mapper where it went on from a scene that was "
            "saved without images"
        )
    return keyframes
