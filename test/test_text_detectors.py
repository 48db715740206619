"""Detectors by text: words to tokens, outputs to boxes, and whole networks, small ones."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from small_detectors import WORDS, save_clip, save_grounding_dino, save_owlv2, save_sam3
from torch.nn.functional import interpolate
from transformers import AutoTokenizer
from transformers.models.grounding_dino.processing_grounding_dino import GroundingDinoProcessor
from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil
from transformers.models.owlvit.image_processing_pil_owlvit import OwlViTImageProcessorPil

from spatial_vlm_ros.frame import Detection
from spatial_vlm_ros.naming import boxes as box_module
from spatial_vlm_ros.naming.boxes import best_of, corners, detections
from spatial_vlm_ros.naming.config import DetectorConfig
from spatial_vlm_ros.naming.grounding_dino import judged, prompts
from spatial_vlm_ros.naming.opening import open_detector
from spatial_vlm_ros.naming.owl import in_pixels
from spatial_vlm_ros.naming.vocabulary import Vocabulary
from spatial_vlm_ros.vision.boxes import ious

LANDSCAPE, PORTRAIT = (96, 160), (150, 100)
KINDS: dict[str, Callable[[Path], None]] = {
    "grounding-dino": save_grounding_dino,
    "mm-grounding-dino": lambda folder: save_grounding_dino(folder, mm=True),
    "owlvit": lambda folder: save_owlv2(folder, vit=True),
    "owlv2": save_owlv2,
    "sam3": save_sam3,
    "sam3-video": lambda folder: save_sam3(folder, video=True),
}
WANTED = ["Chair", "washing machine", "tv|television", "floor"]
NAMES = {"chair", "washing machine", "tv", "floor"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small checkpoint of each kind."""
    root = tmp_path_factory.mktemp("detectors")
    for name, save in KINDS.items():
        save(root / name)
    return {name: root / name for name in KINDS}


def everything(folder: Path, **changes: Any) -> DetectorConfig:
    """Settings that keep every box."""
    kept = {"min_score": 0.0, "overlap": 1.0, "overlap_of_others": 1.0, "maximum": 1000}
    return DetectorConfig(str(folder), **{"device": "cpu", **kept, **changes})


def image(size: tuple[int, int] = LANDSCAPE, seed: int = 0) -> np.ndarray:
    """Blocks of colour."""
    small = np.random.default_rng(seed).integers(0, 255, (5, 8, 3), dtype=np.uint8)
    rows, columns = np.arange(size[0]) * 5 // size[0], np.arange(size[1]) * 8 // size[1]
    return small[rows][:, columns]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT])
def test_every_kind_finds_boxes_in_the_image(folders, kind, size) -> None:
    found = open_detector(everything(folders[kind]), WANTED).find(image(size))
    assert found == open_detector(everything(folders[kind]), WANTED).find(image(size))
    assert len(found) >= 4
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    for one in found:
        assert one.label in NAMES
        assert 0 <= one.score <= 1
        assert 0 <= one.u_min < one.u_max <= size[1]
        assert 0 <= one.v_min < one.v_max <= size[0]


@pytest.mark.parametrize("kind", ["grounding-dino", "owlv2", "sam3"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_finds_about_the_same(folders, kind, dtype) -> None:
    whole = open_detector(everything(folders[kind]), WANTED).find(image())
    half = open_detector(everything(folders[kind], dtype=dtype), WANTED).find(image())
    off, unsure = (0.5, 0.005) if dtype == "float16" else (4.0, 0.05)  # pixels, score
    matched = [
        min(abs(one.u_min - two.u_min) + abs(one.v_max - two.v_max) for two in half)
        for one in whole
    ]
    assert np.median(matched) < off
    assert half[0].score == pytest.approx(whole[0].score, abs=unsure)


@pytest.mark.parametrize("kind", ["grounding-dino", "owlv2", "sam3"])
def test_the_vocabulary_changes_while_it_runs(folders, kind) -> None:
    detector = open_detector(everything(folders[kind]), WANTED)
    seen: list[set[str]] = []
    wrong: list[Exception] = []
    stop = threading.Event()

    def look() -> None:
        try:
            while not stop.is_set():
                seen.append({one.label for one in detector.find(image())})
        except Exception as error:
            wrong.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    lists = [["lamp", "sofa"], WANTED, ["door"]]
    for turn in range(9):
        detector.set_vocabulary(lists[turn % 3])
    stop.set()
    thread.join()
    assert not wrong
    assert seen and all(
        labels <= NAMES or labels <= {"lamp", "sofa"} or labels <= {"door"} for labels in seen
    )
    assert {one.label for one in detector.find(image())} == {"door"}
    with pytest.raises(ValueError, match="there is no word"):
        detector.set_vocabulary([" "])
    assert {one.label for one in detector.find(image())} == {"door"}  # the old ones stay


@pytest.mark.parametrize("kind", ["grounding-dino", "owlv2", "owlvit", "sam3"])
def test_text_is_read_once_per_vocabulary(folders, kind) -> None:
    detector = open_detector(everything(folders[kind]), WANTED)
    network = detector._network  # type: ignore[attr-defined]
    encoder = {
        "grounding-dino": lambda: network.model.text_backbone.encoder,
        "owlv2": lambda: network.owlv2.text_model,
        "owlvit": lambda: network.owlvit.text_model,
        "sam3": lambda: network.text_encoder,
    }[kind]()
    calls: list[int] = []
    encoder.register_forward_hook(lambda *_: calls.append(1))
    detector.set_vocabulary(WANTED)
    for seed in range(3):
        detector.find(image(seed=seed))
    assert len(calls) == 1
    detector.set_vocabulary(["door"])
    detector.find(image())
    assert len(calls) == 2


@pytest.mark.parametrize("kind", ["grounding-dino", "owlv2", "sam3"])
def test_words_that_are_too_long_are_named(folders, kind) -> None:
    detector = open_detector(everything(folders[kind]), WANTED)
    long = " ".join("z" * 300)
    with pytest.raises(ValueError, match=rf"'{long}' is \d+ tokens long, and the network takes"):
        detector.set_vocabulary(["chair", long])


def test_no_image_is_refused(folders) -> None:
    with pytest.raises(ValueError, match=r"not \(H, W, 3\) and uint8"):
        open_detector(everything(folders["owlv2"]), WANTED).find(np.zeros((5, 5), np.uint8))


# Grounding DINO


def tokenizer_of(folder: Path) -> Any:
    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def words_of(spans: torch.Tensor, tokens: torch.Tensor, tokenizer: Any) -> list[str]:
    return [tokenizer.decode(tokens[0][span]) for span in spans]


def test_a_prompt_is_what_transformers_makes_of_the_words(folders) -> None:
    tokenizer = tokenizer_of(folders["grounding-dino"])
    words = ["chair", "washing machine", "tv", "rug"]  # the last one is spelled: r ##u ##g
    (prompt,) = prompts(Vocabulary.of(words), tokenizer, 256)
    theirs = tokenizer(". ".join(words) + ".", return_tensors="pt")["input_ids"]
    assert torch.equal(prompt.tokens, theirs)
    assert words_of(prompt.spans, prompt.tokens, tokenizer) == words
    assert prompt.spans.sum(dim=1).tolist() == [1, 2, 1, 3]
    assert prompt.spans.sum(dim=0).max() == 1  # no token is of two words


def test_a_word_with_the_end_in_it_is_one_phrase(folders) -> None:
    tokenizer = tokenizer_of(folders["grounding-dino"])
    (prompt,) = prompts(Vocabulary.of(["u.s. flag", "what?"]), tokenizer, 256)
    assert (prompt.tokens[0] == tokenizer.convert_tokens_to_ids(".")).sum() == 2
    assert len(prompt.spans) == 2


@given(st.lists(st.sampled_from([*WORDS, "rug", "shelves", "x" * 20]), min_size=1, max_size=60))
@settings(deadline=None, max_examples=30)
def test_long_vocabularies_are_cut_between_words(folders, words) -> None:
    tokenizer = tokenizer_of(folders["grounding-dino"])
    vocabulary = Vocabulary.of(words)
    found: list[str] = []
    for prompt in prompts(vocabulary, tokenizer, 32):
        assert 3 <= prompt.tokens.shape[1] <= 32
        assert prompt.tokens[0, 0] == tokenizer.cls_token_id
        assert prompt.tokens[0, -1] == tokenizer.sep_token_id
        meant = words_of(prompt.spans, prompt.tokens, tokenizer)
        assert [vocabulary.names[k] for k in prompt.owners] == meant
        found += meant
    assert tuple(found) == vocabulary.phrases


def test_a_long_vocabulary_is_looked_for_in_turns(folders, tmp_path) -> None:
    """All its words are found, and those of the first turn as if they were alone."""
    save_grounding_dino(tmp_path, max_text_len=10)
    one = open_detector(everything(tmp_path), ["chair", "table", "lamp", "sofa"]).find(image())
    both = open_detector(everything(tmp_path), ["chair", "table", "lamp", "sofa", "door", "wall"])
    found = both.find(image())
    assert len(found) == 2 * len(one)
    assert set(one) < set(found)
    assert {item.label for item in set(found) - set(one)} <= {"door", "wall"}


def dino_outputs(rows: list[list[float]], boxes: list[list[float]], width: int = 256) -> Any:
    """What the network says, from probabilities of the first tokens."""
    probabilities = torch.full((1, len(rows), width), 1e-6)
    for k, row in enumerate(rows):
        probabilities[0, k, : len(row)] = torch.tensor(row)
    return SimpleNamespace(
        logits=torch.special.logit(probabilities), pred_boxes=torch.tensor([boxes])
    )


def test_boxes_and_scores_are_those_of_transformers(folders) -> None:
    """On the same outputs, for tokens of words; and where its labels are words, so are ours."""
    folder = folders["grounding-dino"]
    tokenizer = tokenizer_of(folder)
    vocabulary = Vocabulary.of(["chair", "washing machine", "rug"])
    (prompt,) = prompts(vocabulary, tokenizer, 256)
    # CLS chair . washing machine . r u g . SEP
    rows = [
        [0, 0.8, 0, 0.1, 0.1, 0, 0, 0, 0, 0, 0],
        [0, 0.1, 0, 0.6, 0.7, 0, 0.1, 0, 0, 0, 0],
        [0, 0.0, 0, 0.0, 0.0, 0, 0.5, 0.4, 0.9, 0, 0],
        [0, 0.2, 0, 0.2, 0.0, 0, 0.1, 0.0, 0.0, 0, 0],
    ]
    places = [[0.5, 0.5, 0.2, 0.4], [0.3, 0.4, 0.1, 0.1], [0.6, 0.5, 0.5, 0.5], [0.5] * 4]
    out = dino_outputs(rows, places)
    processor = GroundingDinoProcessor.__new__(GroundingDinoProcessor)
    processor.tokenizer = tokenizer
    (theirs,) = processor.post_process_grounded_object_detection(
        out, prompt.tokens, threshold=0.3, text_threshold=0.3, target_sizes=[(480, 640)]
    )
    labels, scores = judged(out.logits[0], prompt)
    pixels = corners(out.pred_boxes[0]) * torch.tensor([640, 480, 640, 480])
    config = everything(folder, min_score=0.3)
    ours = detections(vocabulary.names, labels, scores, pixels, (480, 640), config)
    ours = tuple(
        sorted(ours, key=lambda one: theirs["scores"].tolist().index(pytest.approx(one.score)))
    )
    assert [one.score for one in ours] == pytest.approx(theirs["scores"].tolist())
    assert [one.label for one in ours] == theirs["text_labels"] == list(vocabulary.names)
    ours_boxes = [(one.u_min, one.v_min, one.u_max, one.v_max) for one in ours]
    np.testing.assert_allclose(ours_boxes, theirs["boxes"].numpy(), atol=1e-4)


def test_where_transformers_label_is_garbled_ours_is_a_word(folders) -> None:
    """Tokens over its threshold are of two words, or not all of one; ours is still a name."""
    tokenizer = tokenizer_of(folders["grounding-dino"])
    vocabulary = Vocabulary.of(["chair", "washing machine", "coffee machine"])
    (prompt,) = prompts(vocabulary, tokenizer, 256)
    # CLS chair . washing machine . coffee machine . SEP
    rows = [
        [0, 0.4, 0, 0.5, 0.6, 0, 0.1, 0.65, 0, 0],  # theirs: "chair washing machine machine"
        [0, 0.0, 0, 0.1, 0.2, 0, 0.2, 0.45, 0, 0],  # theirs: "machine"
    ]
    out = dino_outputs(rows, [[0.5] * 4] * 2)
    processor = GroundingDinoProcessor.__new__(GroundingDinoProcessor)
    processor.tokenizer = tokenizer
    (theirs,) = processor.post_process_grounded_object_detection(
        out, prompt.tokens, threshold=0.3, text_threshold=0.3
    )
    assert theirs["text_labels"] == ["chair washing machine machine", "machine"]
    labels, scores = judged(out.logits[0], prompt)
    assert [vocabulary.names[k] for k in labels] == ["washing machine", "coffee machine"]
    assert scores.tolist() == pytest.approx([0.6, 0.45])


@pytest.mark.parametrize("kind", ["grounding-dino", "mm-grounding-dino"])
@pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT])
def test_the_whole_way_is_that_of_transformers(folders, kind, size) -> None:
    """Text and image through its processor, network and thresholds, for words of one token."""
    from transformers import AutoImageProcessor, AutoModelForZeroShotObjectDetection

    folder, words = folders[kind], ["chair", "table", "lamp"]
    images = AutoImageProcessor.from_pretrained(folder, backend="pil")
    processor = GroundingDinoProcessor.__new__(GroundingDinoProcessor)
    processor.tokenizer = tokenizer_of(folder)
    network = AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()
    text = processor.tokenizer(processor._preprocess_input_text(words), return_tensors="pt")
    with torch.inference_mode():
        out = network(**images(image(size), return_tensors="pt"), **text)
    # Its punctuation must not be the likeliest token, which ours never asks.
    ends = torch.isin(text["input_ids"][0], torch.tensor([101, 102, 1012]))
    out.logits = out.logits.clone()
    out.logits[..., : len(ends)][..., ends] = -20.0
    (theirs,) = processor.post_process_grounded_object_detection(
        out, text["input_ids"], threshold=0.0, target_sizes=[size]
    )
    expected = sorted(zip(theirs["scores"].tolist(), theirs["boxes"].tolist(), strict=True))
    found = open_detector(everything(folder), words).find(image(size))
    ours = sorted((one.score, [one.u_min, one.v_min, one.u_max, one.v_max]) for one in found)
    clipped = [np.clip(box, 0, [size[1], size[0]] * 2) for _, box in expected]
    kept = [k for k, box in enumerate(clipped) if min(box[2:] - box[:2]) >= 1]
    assert len(ours) == len(kept) > 5
    np.testing.assert_allclose([s for s, _ in ours], [expected[k][0] for k in kept], atol=1e-5)
    np.testing.assert_allclose([b for _, b in ours], [clipped[k] for k in kept], atol=1e-2)


# OWL


def test_owlv2_boxes_are_shares_of_the_padded_square() -> None:
    """640 x 480 becomes 640 x 640 by 160 rows below: a box down to 3/4 ends at the image's end."""
    shares = torch.tensor([[0.25, 0.5, 0.75, 0.75], [0.0, 0.0, 1.0, 1.0]])
    assert in_pixels(shares, (480, 640), True).tolist() == [[160, 320, 480, 480], [0, 0, 640, 640]]
    assert in_pixels(shares, (480, 640), False).tolist() == [[160, 240, 480, 360], [0, 0, 640, 480]]
    assert in_pixels(shares, (640, 480), True).tolist() == [[160, 320, 480, 480], [0, 0, 640, 640]]


@pytest.mark.parametrize("kind", ["owlv2", "owlvit"])
@pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT])
def test_owl_says_what_transformers_says(folders, kind, size) -> None:
    from transformers import AutoModelForZeroShotObjectDetection

    folder, words = folders[kind], ["chair", "table", "coffee machine"]
    images = Owlv2ImageProcessorPil if kind == "owlv2" else OwlViTImageProcessorPil
    processor = images.from_pretrained(folder)
    network = AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()
    text = tokenizer_of(folder)(
        [f"a photo of a {word}" for word in words],
        padding="max_length", max_length=16, return_tensors="pt",
    )  # fmt: skip
    with torch.inference_mode():
        out = network(**processor(image(size), return_tensors="pt"), **text)
    (theirs,) = processor.post_process_object_detection(out, -1.0, torch.tensor([size]))
    found = open_detector(everything(folder), words).find(image(size))
    clipped = theirs["boxes"].numpy().clip(0, [size[1], size[0]] * 2)
    kept = ((clipped[:, 2:] - clipped[:, :2]) >= 1).all(axis=1)
    order = np.argsort(-theirs["scores"].numpy()[kept], kind="stable")
    assert len(found) == kept.sum() >= 4
    np.testing.assert_allclose(
        [one.score for one in found], theirs["scores"].numpy()[kept][order], atol=1e-5
    )
    assert [one.label for one in found] == [words[k] for k in theirs["labels"][kept][order]]
    ours = [(one.u_min, one.v_min, one.u_max, one.v_max) for one in found]
    np.testing.assert_allclose(ours, clipped[kept][order], atol=1e-2)


def scene(seed: int, size: tuple[int, int]) -> tuple[np.ndarray, dict[str, list[float]]]:
    """A red square ("chair") and a blue one ("table") on grey; where they are, in pixels.

    Not at the right: OWL's boxes begin at the far corners of patches, there on the very edge.
    """
    rng = np.random.default_rng(seed)
    rgb = np.full((*size, 3), 110, np.uint8)
    where: dict[str, list[float]] = {}
    halves = [(0, size[1] * 3 // 8), (size[1] * 3 // 8, size[1] * 3 // 4)]
    rng.shuffle(halves)
    for (first, last), (name, colour) in zip(
        halves, {"chair": (230, 20, 20), "table": (20, 20, 230)}.items(), strict=True
    ):
        side = int(rng.integers(size[0] // 4, size[0] // 2))
        left = int(rng.integers(first, max(first + 1, last - side)))
        top = int(rng.integers(0, size[0] - side))
        rgb[top : top + side, left : left + side] = colour
        where[name] = [left, top, left + side, top + side]
    return rgb, where


def teach_owl(detector: Any, steps: int) -> None:
    """Until patches say what they show, in shares of the padded square."""
    network, images, tokenizer = detector._network, detector._images, detector._tokenizer
    network.requires_grad_(True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for part in network.parameters():  # weights as large as those it has learn nothing
            if part.ndim == 2:
                torch.nn.init.xavier_uniform_(part)
            elif part.ndim > 2:
                torch.nn.init.normal_(part, std=0.02)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    texts = ["a photo of a chair", "a photo of a table"]
    tokens = tokenizer(texts, padding="max_length", max_length=16, return_tensors="pt")
    pixels, targets, wanted = [], torch.zeros(128, 16, 2), torch.zeros(128, 16, 4)
    for seed in range(128):
        rgb, where = scene(seed, (80, 160))
        pixels.append(images(rgb)["pixel_values"])
        for k, name in enumerate(("chair", "table")):
            left, top, right, bottom = (value / 160 for value in where[name])
            patch = 4 * int((top + bottom) / 2 * 4) + int((left + right) / 2 * 4)
            targets[seed, patch, k] = 1
            box = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
            wanted[seed, patch] = torch.tensor(box)
    shown = targets.amax(dim=2) > 0
    for _ in range(steps):
        meanings = network.owlv2.get_text_features(**tokens).pooler_output
        grid, _ = network.image_embedder(pixel_values=torch.cat(pixels))
        patches = grid.flatten(1, 2)
        logits, _ = network.class_predictor(patches, meanings.expand(len(pixels), -1, -1))
        boxes = network.box_predictor(patches, grid)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets)
        loss = loss + 3 * (boxes - wanted)[shown].abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.requires_grad_(False)
    detector.set_vocabulary(["chair", "table"])


def test_a_taught_owlv2_finds_what_it_is_asked_for(tmp_path) -> None:
    """In images it has not seen, wider than high: the right word at the right place, or nothing."""
    save_owlv2(tmp_path)
    config = DetectorConfig(str(tmp_path), device="cpu", min_score=0.3)
    detector = open_detector(config, ["chair", "table"])
    teach_owl(detector, 120)
    good = total = 0
    for seed in range(100, 120):
        rgb, where = scene(seed, (80, 160))
        found = {one.label: one for one in reversed(detector.find(rgb))}  # the surest of each
        for name, place in where.items():
            total += 1
            one = found.get(name)
            if one is not None:
                box = np.array([one.u_min, one.v_min, one.u_max, one.v_max])
                good += bool(ious(box, np.array([place], float))[0] > 0.4)
    assert good >= 0.8 * total, (good, total)
    rgb, where = scene(100, (80, 160))
    detector.set_vocabulary(["table"])
    assert {one.label for one in detector.find(rgb)} == {"table"}
    detector.set_vocabulary(["thing|chair"])  # another name for the same word
    assert {one.label for one in detector.find(rgb)} == {"thing"}
    assert not detector.find(np.full((80, 160, 3), 110, np.uint8))


# SAM 3


def test_sam3_words_together_are_as_each_alone(folders) -> None:
    """Against the network's own way with one text, and the thresholds that it documents."""
    from transformers import Sam3Model

    folder, words = folders["sam3"], ["chair", "table", "lamp", "sofa", "coffee machine"]
    detector: Any = open_detector(everything(folder), words)
    network, size = Sam3Model.from_pretrained(folder).eval(), LANDSCAPE
    pixels = detector._images(image())
    found = detector.find(image())
    for word in words:
        text = tokenizer_of(folder)(word, padding="max_length", max_length=32, return_tensors="pt")
        with torch.inference_mode():
            out = network(pixel_values=pixels, **text)
        scores = (out.pred_logits.sigmoid() * out.presence_logits.sigmoid())[0]
        boxes = (out.pred_boxes[0] * torch.tensor([size[1], size[0]] * 2)).numpy()
        clipped = boxes.clip(0, [size[1], size[0]] * 2)
        kept = ((clipped[:, 2:] - clipped[:, :2]) >= 1).all(axis=1)
        order = np.argsort(-scores.numpy()[kept], kind="stable")
        ours = [one for one in found if one.label == word]
        assert len(ours) == kept.sum() > 0
        np.testing.assert_allclose(
            [one.score for one in ours], scores.numpy()[kept][order], atol=1e-5
        )
        np.testing.assert_allclose(
            sorted((one.u_min, one.v_min, one.u_max, one.v_max) for one in ours),
            sorted(map(tuple, clipped[kept].tolist())),
            atol=1e-2,
        )


def test_sam3_sees_what_torchvision_would_show_it(folders) -> None:
    """Bytes resized with smoothing, then (x / 255 - 0.5) / 0.5."""
    detector: Any = open_detector(everything(folders["sam3"]), WANTED)
    rgb = image((480, 640))
    channels = torch.from_numpy(rgb).permute(2, 0, 1)[None]
    small = interpolate(channels, (112, 112), mode="bilinear", antialias=True)
    expected = (small.float() / 255 - 0.5) / 0.5
    assert (detector._images(rgb) - expected).abs().max() < 1e-6


def test_sam3_is_the_same_in_a_model_for_videos(folders) -> None:
    """Weight by weight; what is found may differ by how numbers are rounded at other addresses."""
    opened = [open_detector(everything(folders[kind]), WANTED) for kind in ("sam3", "sam3-video")]
    ours, theirs = (one._network.state_dict() for one in opened)
    assert ours.keys() == theirs.keys() and len(ours) > 100
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert all(one.find(image()) for one in opened)


# Boxes


def boxes_kept(rows: list[tuple[int, float, list[float]]], **changes: float) -> list[Detection]:
    """Of (label, score, box), in an image 100 wide and 80 high."""
    config = DetectorConfig(**{"min_score": 0.1, **changes})
    labels, scores, places = zip(*rows, strict=True)
    return list(
        detections(
            ("a", "b"), torch.tensor(labels), torch.tensor(scores), torch.tensor(places),
            (80, 100), config,
        )
    )  # fmt: skip


def test_boxes_of_one_thing_become_one_by_hand() -> None:
    """Boxes 20 x 10, shifted by 4: 160 / 240 = 0.67 shared; shifted by 10: 100 / 300."""
    first, shifted, half = ([x, 0.0, x + 20.0, 10.0] for x in (0.0, 4.0, 10.0))
    one_word = [(0, 0.5, shifted), (0, 0.9, first), (0, 0.4, half)]
    assert [(one.score, one.u_min) for one in boxes_kept(one_word)] == [
        (pytest.approx(0.9), 0.0),
        (pytest.approx(0.4), 10.0),
    ]
    assert len(boxes_kept(one_word, overlap=0.7)) == 3
    two_words = [(0, 0.9, first), (1, 0.5, shifted)]
    assert len(boxes_kept(two_words)) == 2
    assert [one.label for one in boxes_kept(two_words, overlap_of_others=0.6)] == ["a"]


def test_boxes_are_cut_to_the_image() -> None:
    rows = [
        (0, 0.9, [-5.0, -5.0, 50.0, 90.0]),
        (0, 0.8, [99.5, 0.0, 130.0, 20.0]),  # half a pixel of it is in the image
        (0, 0.7, [10.0, 81.0, 60.0, 99.0]),  # below it, in OWLv2's border
        (0, 0.05, [0.0, 0.0, 9.0, 9.0]),  # not sure enough
        (1, float("nan"), [0.0, 0.0, 9.0, 9.0]),
    ]
    (one,) = boxes_kept(rows)
    assert (one.u_min, one.v_min, one.u_max, one.v_max) == (0, 0, 50, 80)
    assert boxes_kept([(0, 0.05, [0.0, 0.0, 9.0, 9.0])]) == []


def test_only_so_many_are_kept() -> None:
    rows = [(0, 0.2 + k / 100, [8.0 * k, 0.0, 8.0 * k + 8, 8.0]) for k in range(10)]
    assert [one.u_min for one in boxes_kept(rows, maximum=3)] == [72, 64, 56]


@given(arrays.arrays(np.float64, (12, 4), elements=st.floats(0, 60)), st.integers(0, 2**12))
def test_what_is_kept_overlaps_little_and_what_goes_overlaps_something_surer(places, bits) -> None:
    places[:, 2:] = places[:, :2] + 1 + places[:, 2:] / 2
    labels = [bits >> k & 1 for k in range(12)]
    config = DetectorConfig()
    kept = box_module._distinct(places, np.array(labels), config)

    def allowed(first: int, second: int) -> bool:
        most = config.overlap if labels[first] == labels[second] else config.overlap_of_others
        return ious(places[first], places[second : second + 1])[0] <= most

    assert kept == sorted(kept)
    assert all(allowed(a, b) for a in kept for b in kept if a != b)
    for gone in set(range(12)) - set(kept):
        assert any(k < gone and not allowed(k, gone) for k in kept)


def test_a_name_is_as_likely_as_its_likeliest_phrase() -> None:
    scores = torch.tensor([[0.1, 0.7, 0.4], [0.3, 0.2, 0.1]])
    assert best_of(scores, [0, 1, 1], 2).tolist() == [
        [pytest.approx(0.1), pytest.approx(0.7)],
        [pytest.approx(0.3), pytest.approx(0.2)],
    ]


# Opening


def test_what_cannot_be_opened_says_why(tmp_path, folders) -> None:
    def refusal(folder: Path, **changes: Any) -> str:
        with pytest.raises(ValueError) as error:
            open_detector(everything(folder, **changes), WANTED)
        return str(error.value)

    assert "there is no folder" in refusal(tmp_path / "none")
    save_clip(tmp_path / "clip")
    said = refusal(tmp_path / "clip")
    assert "model_type clip, which is no detector" in said and "grounding-dino, mm-" in said
    assert "device cuda:7 of the detector" in refusal(folders["owlv2"], device="cuda:7")

    def spoiled(missing: str, change: Callable[[Path], object] = Path.unlink) -> Path:
        folder = tmp_path / f"without-{missing}"
        save_owlv2(folder)
        change(folder / missing)
        return folder

    assert "config.json is missing" in refusal(spoiled("config.json"))
    assert "model.safetensors is missing" in refusal(spoiled("model.safetensors"))
    assert "tokenizer.json is missing" in refusal(spoiled("tokenizer.json"))
    assert "preprocessor_config.json does not say" in refusal(spoiled("preprocessor_config.json"))
    pickled = spoiled("model.safetensors", lambda path: path.rename(path.with_suffix(".bin")))
    assert "can run any program" in refusal(pickled)
    damaged = tmp_path / "damaged"
    save_owlv2(damaged)
    (damaged / "model.safetensors").write_bytes(b"nothing")
    assert "model.safetensors is damaged" in refusal(damaged)


def test_weights_that_are_not_there_are_told(tmp_path) -> None:
    from safetensors.torch import load_file, save_file

    save_owlv2(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["box_head.dense2.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="1 weights are missing, first box_head.dense2.weight"):
        open_detector(everything(tmp_path), WANTED)
