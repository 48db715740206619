"""Settings of tracking: which network follows things, which things, and how many."""

from __future__ import annotations

from dataclasses import dataclass

from spatial_vlm_ros.settings import device_setting, dtype_setting, setting


@dataclass(frozen=True)
class TrackerConfig:
    """Masks of things, followed from image to image."""

    checkpoint: str = setting(
        "facebook/sam2.1-hiera-tiny",
        "SAM 2 or EdgeTAM: a folder, or fetched from the hub",
        read_only=True,
    )
    device: str = device_setting()
    dtype: str = dtype_setting()
    batch: int = setting(
        16, "Things the network handles at once; fewer need less memory", low=1, high=256
    )
    maximum: int = setting(32, "Things followed at once, lost ones too", low=1, high=1000)
    lost_after: int = setting(
        90, "Images after which a thing that is not seen is no longer looked for", low=1
    )
    confirm_after: int = setting(
        3,
        "Images in which a new thing has to be seen before it is shown; until then it turns out "
        "to be a piece or a copy of another",
        low=1,
    )
    min_presence: float = setting(
        0.5, "A thing is in view when the network is as sure as this", low=0.0, high=1.0
    )
    min_area: float = setting(0.0005, "Smallest mask, as a share of the image", low=0.0, high=1.0)
    max_area: float = setting(
        0.4,
        "Largest mask found unasked, as a share of the image; larger ones are floor, wall or sky",
        low=0.0,
        high=1.0,
    )
    duplicate: float = setting(
        0.8, "Two things whose masks overlap (IoU) as much are one; the younger goes", low=0.0,
        high=1.0,
    )  # fmt: skip
    match: float = setting(
        0.5,
        "A detection is of the thing whose box or mask overlaps its own (IoU) as much",
        low=0.0,
        high=1.0,
    )
    prompt_every: int = setting(
        10, "Images from one search of what no mask covers to the next; 0: never search", low=0
    )
    prompt_uncovered: float = setting(
        0.15,
        "Search at once when the share of the image without a mask has grown as much since",
        low=0.0,
        high=1.0,
    )
    prompt_grid: int = setting(
        16, "Points asked along the longer side of the image", low=1, high=128
    )
    prompt_points: int = setting(
        64, "Points asked in one search at most, and boxes of detections", low=1
    )
    births: int = setting(4, "New things from one search at most, the largest first", low=1)
    min_quality: float = setting(
        0.8, "Masks that fit worse, as the network judges itself, are not followed", low=0.0,
        high=1.0,
    )  # fmt: skip
    min_stability: float = setting(
        0.9,
        "Nor are masks whose cells with logits over 1 are a smaller share of those over -1",
        low=0.0,
        high=1.0,
    )
    max_overlap: float = setting(
        0.3, "Nor are masks that others cover by more than this share", low=0.0, high=1.0
    )
    patience: int = setting(
        5, "Images for which nothing is searched where a thing was lost from view", low=0
    )
    min_score: float = setting(
        0.3, "Detections less sure neither name nor found anything", low=0.0, high=1.0
    )
