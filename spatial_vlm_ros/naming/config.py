"""Settings of naming: the vocabulary, and the networks that use it."""

from __future__ import annotations

from dataclasses import dataclass

from spatial_vlm_ros.settings import device_setting, dtype_setting, setting


@dataclass(frozen=True)
class DetectorConfig:
    """Finds what the words of the vocabulary name."""

    checkpoint: str = setting(
        "",
        "Grounding DINO, OWLv2 or SAM 3: a folder, or fetched from the hub; empty: detections come "
        "from a topic, where they are used",
        read_only=True,
    )
    device: str = device_setting()
    dtype: str = dtype_setting("float16")
    period: float = setting(1.0, "Seconds from one image looked at to the next", low=0.0)
    min_score: float = setting(
        0.3,
        "Less sure boxes are ignored; OWLv2 is sure of less than others, and needs about 0.2",
        low=0.0,
        high=1.0,
    )
    overlap: float = setting(
        0.6,
        "Of boxes of one word that overlap by more (intersection over union) the surest stays",
        low=0.0,
        high=1.0,
    )
    overlap_of_others: float = setting(
        0.9, "The same for boxes of different words; 1: all stay", low=0.0, high=1.0
    )
    maximum: int = setting(100, "Boxes of one image, the surest", low=1, high=1000)


@dataclass(frozen=True)
class NamerConfig:
    """Compares crops with the words of the vocabulary."""

    checkpoint: str = setting(
        "", "CLIP or SigLIP: a folder, or fetched from the hub; empty: none", read_only=True
    )
    device: str = device_setting()
    dtype: str = dtype_setting("float16")
    templates: list[str] = setting(  # noqa: RUF009
        ["a photo of a {}", "a close-up photo of a {}", "a {} in a room"],
        "What a word is put into, at its {}; a word is the mean of what these mean",
        read_only=True,
    )
    nothing: list[str] = setting(  # noqa: RUF009
        [
            "a photo of something else", "a blurred photo", "a plain surface",
            "a photo of a part of something", "a photo of many things",
        ],
        "For CLIP, which can only choose: texts that compete with the words, and mean none of them",
        read_only=True,
    )  # fmt: skip
    min_share: float = setting(
        0.4,
        "CLIP: a view is of no word when the likeliest has a smaller share of all, those for "
        "nothing included",
        low=0.0,
        high=1.0,
    )
    lead: float = setting(
        0.1, "CLIP: and when it leads the likeliest text for nothing by less", low=0.0, high=1.0
    )
    min_probability: float = setting(
        0.05,
        "SigLIP, which judges each word by itself and is sure of little: a view is of no word when "
        "the likeliest is less probable",
        low=0.0,
        high=1.0,
    )
    crops: int = setting(4, "Things looked at per image", low=1, high=256)
    min_side: int = setting(
        24, "Things are not looked at while the shorter side of their box has fewer pixels", low=4
    )
    margin: float = setting(
        0.15, "A crop is wider than the thing at each side by this share of it", low=0.0, high=2.0
    )
    surroundings: float = setting(
        0.5,
        "How much is left of what is around a thing, to help to name it without being named "
        "itself: 1 all, 0 nothing",
        low=0.0,
        high=1.0,
    )
    growth: float = setting(
        1.3, "A view is a new one when the thing covers so many times its pixels", low=1.0
    )
    shift: float = setting(
        0.25, "or has moved by this share of its longer side in the image", low=0.0
    )
    again: int = setting(
        50, "or was not looked at for so many images; standing still makes no new views", low=1
    )

    def contradiction(self) -> str:
        """Which template has no place for the word; empty when all have one."""
        wrong = next((text for text in self.templates if text.count("{}") != 1), None)
        if wrong is not None:
            return f"templates: {wrong!r} does not have {{}} once, for the word"
        return "" if self.templates else "templates: is empty; one is needed"
