"""The model that a checkpoint is, ready to be asked the questions of a benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from spatial_vlm_ros.benchmarks.answerers import Answerer, ChatAnswerer, OwnAnswerer
from spatial_vlm_ros.benchmarks.controls import Control
from spatial_vlm_ros.benchmarks.reasoner_answerer import ReasonerAnswerer, true_rooms
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.models.spatial_features import SpatialFeatures, spatial_features
from spatial_vlm_ros.models.ssr_positions import FrameLayout
from spatial_vlm_ros.reasoners.config import AnsweringConfig, ModelConfig
from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.reasoners.scene_inputs import seen_frames
from spatial_vlm_ros.reasoning.geometric import GeometricReasoner
from spatial_vlm_ros.serving.loading import LoadedModel, load_chat
from spatial_vlm_ros.training.config import DataSettings, ModelSettings, TrainConfig
from spatial_vlm_ros.training.opening import open_pupil, row_images
from spatial_vlm_ros.training.scenes import Shown, frame_positions
from spatial_vlm_ros.training.store import FrameStore
from spatial_vlm_ros.vision.checkpoint import Checkpoint
from spatial_vlm_ros.vision.device import device_of, dtype_of


@dataclass(frozen=True)
class Asking:
    """How a model is asked. model: folder or name of its checkpoint. store: folder of precomputed
    proxies or frames of scenes, None for none. scenes: annotated ones. frames: of a video; 0: as
    many as its reasoner shows. max_tokens: of an answer. vggt: folder or hub name of VGGT, for SSR
    models that use it.
    """

    model: str
    max_tokens: int
    store: Path | None = None
    scenes: Mapping[str, AnnotatedScene] | None = None
    frames: int = 0
    control: Control = Control.NONE
    device: str = "auto"
    dtype: str = "auto"
    vggt: str = AnsweringConfig.vggt


@dataclass(frozen=True)
class NoStore:
    """For an SSR that is asked about videos and images: no scene is known."""

    layout: FrameLayout

    def __contains__(self, scene: str) -> bool:
        """See :class:`spatial_vlm_ros.training.scenes.Scenes`."""
        return False

    def objects(self, scene: str) -> Sequence[int]:
        """None are."""
        return ()

    def shown(self, scene: str, numbering: Numbering) -> Shown:
        """Never."""
        raise ValueError(f"scene {scene} is in no store: name one that precompute has written")

    def positions(self, ids: Tensor, shown: Shown) -> Tensor:
        """See :class:`spatial_vlm_ros.training.scenes.Scenes`."""
        return frame_positions(self.layout, ids, shown)


def reasoner_of(model: str) -> str:
    """The name of the reasoner that runs a checkpoint; geometric needs none."""
    if model == "geometric":
        return model
    kind = str(Checkpoint.find(model).settings().get("model_type"))
    return kind if kind in ("proxy3d", "ssr") else "chat"


def open_answerer(asking: Asking) -> Answerer:
    """``ValueError`` says what of the checkpoint, the store or the control does not fit."""
    kind = reasoner_of(asking.model)
    if kind == "geometric":
        if asking.control is not Control.NONE:
            raise ValueError(f"control {asking.control.value} is for models, not for geometric")
        scenes = asking.scenes or {}
        return ReasonerAnswerer(GeometricReasoner(), true_rooms(scenes), scenes)
    if kind == "chat":
        return _chat(asking)
    if kind == "proxy3d" and asking.store is None:
        raise ValueError(
            f"{asking.model} is a Proxy3D, which reads proxies of scenes: name the store that "
            "precompute proxies has written"
        )
    shown = "nothing" if asking.store is None else "proxies" if kind == "proxy3d" else "frames"
    data = DataSettings(shown=shown, store="" if asking.store is None else str(asking.store))
    pupil = open_pupil(TrainConfig(model=ModelSettings(kind, asking.model), data=data))
    _check_control(asking.control, pupil.loaded)
    device = device_of(asking.device, "the model")
    pupil.loaded.model.to(device, dtype_of(asking.dtype, device)).eval()
    most = asking.frames or AnsweringConfig.frames
    images = row_images(pupil.loaded, _geometry(pupil.loaded, asking)) if kind == "ssr" else None
    stored = asking.store is not None
    return OwnAnswerer(
        pupil.loaded,
        pupil.teacher.system,
        pupil.teacher.scenes if stored else NoStore(pupil.loaded.model.layout),
        images,
        pupil.teacher.numbers,
        asking.scenes or {},
        asking.max_tokens,
        seen_frames(pupil.loaded.checkpoint, most),
        asking.control,
    )


def _check_control(control: Control, loaded: LoadedModel) -> None:
    needs_none = control in (Control.NONE, Control.BLIND)
    if needs_none or getattr(loaded.model.config, "spatial_settings", True):
        return
    raise ValueError(f"control {control.value} is for models of geometry: this one is SSR-2D")


def _geometry(loaded: LoadedModel, asking: Asking) -> SpatialFeatures | None:
    """What tells an SSR the geometry of images that no depth camera took: VGGT, or nothing."""
    settings = loaded.model.config.spatial_settings
    if settings is None or settings.source == "points" or asking.control is Control.BLIND:
        return None
    return spatial_features(settings, asking.vggt, loaded.device, loaded.model.dtype)


def _chat(asking: Asking) -> ChatAnswerer:
    if asking.control not in (Control.NONE, Control.BLIND):
        raise ValueError(
            f"control {asking.control.value} is for Proxy3D and SSR: {asking.model} reads no "
            "geometry"
        )
    loaded = load_chat(ModelConfig(asking.model, asking.device, asking.dtype))
    return ChatAnswerer(
        loaded,
        asking.max_tokens,
        asking.frames or AnsweringConfig.frames,
        AnsweringConfig.image_pixels,
        FrameStore.open(asking.store) if asking.store else None,
        asking.control is Control.BLIND,
    )
