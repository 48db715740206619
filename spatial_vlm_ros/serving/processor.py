"""A checkpoint's processor of text and images, without torchvision.

transformers asks for torchvision as soon as a processor can take videos, which is not needed here
and has no build for some robots.
"""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, AutoImageProcessor, AutoProcessor
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

from spatial_vlm_ros.serving.loading import LoadedModel


class _NoVideos(dict[str, Any]):
    """In place of the part for videos; SmolVLM's processor asks how it would take frames."""

    num_frames = fps = None


def open_processor(loaded: LoadedModel) -> Any:
    """What makes inputs of the model from a conversation with images.

    ``ValueError``: the checkpoint has none, or it needs a package that is not installed.
    """
    folder = loaded.checkpoint.folder
    try:
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    except (ImportError, ValueError, OSError) as error:
        processor = _of_images_only(loaded, error)
    if not hasattr(processor, "image_processor"):  # transformers gives what part it finds
        raise ValueError(f"checkpoint {loaded.name} has no processor of images")
    if processor.chat_template is None:
        processor.chat_template = loaded.tokenizer.chat_template
    return processor


def _of_images_only(loaded: LoadedModel, reason: Exception) -> Any:
    """The processor without its part for videos; ``reason``: why it does not work whole."""
    folder = loaded.checkpoint.folder
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        kind = _without_videos(PROCESSOR_MAPPING[type(config)])
        settings, _ = kind.get_processor_dict(folder, local_files_only=True)
        of_images = AutoImageProcessor.from_pretrained(folder, local_files_only=True, backend="pil")
        parts = {"tokenizer": loaded.tokenizer, "image_processor": of_images}
        parts["video_processor"] = _NoVideos()
        return kind.from_args_and_dict(
            [parts.get(name) for name in kind.get_attributes()], settings
        )
    except ImportError as error:
        reason = error  # it would be missing in the whole processor too
    except (ValueError, OSError, KeyError, TypeError, AttributeError):
        pass
    lines = " ".join(str(reason).split())
    raise ValueError(
        f"checkpoint {loaded.name} has no processor that works here: {lines}"
    ) from reason


def _without_videos(processor: Any) -> Any:
    """A kind of processor whose part for videos may be absent."""

    class ImagesOnly(processor):  # type: ignore[misc]
        def check_argument_for_proper_class(self, name: str, argument: Any) -> Any:
            if argument is None or isinstance(argument, _NoVideos):
                return None
            return super().check_argument_for_proper_class(name, argument)

    ImagesOnly.__name__ = processor.__name__  # messages have it
    return ImagesOnly
