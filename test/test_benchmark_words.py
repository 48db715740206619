"""Short answers, captions and boxes: cases worked with the published code, or by hand."""

from __future__ import annotations

import math
import shutil
import sys
from itertools import permutations

import numpy as np
import pytest

from spatial_vlm_ros.benchmarks.answer_words import chatscene, clean, leo, strict
from spatial_vlm_ros.benchmarks.captions import Captions, caption_scores, words
from spatial_vlm_ros.benchmarks.located import f1, overlaps
from spatial_vlm_ros.benchmarks.ngram_scores import bleu, cider, rouge_l


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("A 2-seat sofa.", "two-seat sofa"), ("10:30", "ten:30"), ("1.5", "fifteen"), ("3/4", "34"),
        ("café", "caf"), ("T.V.", "TV"), ("it's a tv's box", "it's TV's box"),
        ("o' clock 3", "o'clock three"), ("o clock", "o clock"),
        ("in front of the", "in front of the"), ("a the chair", "chair"),
        ("let me see", "left me see"), ("none of them", "zero of them"),
        ("two  chairs ,red", "two chairs ,red"), ("?", ""), ("\tbrown", "\tbrown"),
        ("don’t", "dont"), ("vitamin a and b", "vitamin and b"), ("chair .", "chair "),
        ("mat2", "mat"), ("room12", "room12"), ("23", "twenty-three"), ("21", "21"),
        ("moving backwards", "moving backward"),
    ],
)  # fmt: skip
def test_answers_are_cleaned(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("text", "answers", "by_strict", "by_leo", "by_chatscene", "of_scanqa"),
    [
        ("brown", ["brown"], (1, 1), (1, 1), (1, 1), (1, 1)),
        ("Brown chair.", ["brown chair", "chair"], (0, 1), (1, 1), (1, 1), (1, 1)),
        ("chair", ["brown chair", "chair"], (1, 1), (0, 1), (1, 1), (1, 1)),
        ("2", ["two"], (0, 1), (1, 1), (1, 1), (1, 1)),
        ("2", ["2"], (1, 1), (1, 1), (1, 1), (0, 0)),
        ("tv stand", ["tv stand"], (1, 1), (1, 1), (1, 1), (0, 0)),
        ("", ["table"], (0, 0), (0, 1), (0, 0), (0, 0)),
        ("chair .", ["chair"], (0, 1), (0, 1), (1, 1), (1, 1)),
        ("no", ["brown nose"], (0, 1), (0, 1), (0, 1), (0, 1)),
        ("1.5", ["fifteen"], (0, 1), (1, 1), (1, 1), (1, 1)),
        ("none", ["0"], (0, 1), (1, 1), (1, 1), (0, 0)),
        ("a brown chair", ["brown chair"], (0, 1), (1, 1), (1, 1), (1, 1)),
        ("the table on the left", ["on left of table"], (0, 0), (0, 0), (0, 0), (0, 0)),
        ("to the left of a tv", ["left of tv"], (0, 1), (0, 1), (0, 1), (0, 0)),
        ("21", ["twenty-one"], (0, 0), (0, 0), (0, 0), (0, 0)),
        ("left-side", ["left side"], (0, 0), (0, 0), (0, 0), (0, 0)),
        ("4\n", ["four"], (0, 1), (0, 1), (0, 1), (0, 1)),
    ],
)
def test_exact_and_refined_match(
    text: str, answers: list[str], by_strict, by_leo, by_chatscene, of_scanqa
) -> None:
    assert strict(text, answers) == by_strict
    assert leo(text, answers) == by_leo
    assert chatscene(text, answers, raw=False) == by_chatscene
    assert chatscene(text, answers, raw=True) == of_scanqa


def split(texts):
    return [text.split() for text in texts]


def refs(*texts):
    return [[each.split() for each in (t if isinstance(t, list) else [t])] for t in texts]


def test_bleu_rouge_and_cider_by_hand() -> None:
    given, right = split(["brown chair", "white chair"]), refs("brown chair", "white table")
    found = bleu(given, right)
    assert found == pytest.approx([0.75, 0.375**0.5, 0.375e-6 ** (1 / 3), 7.8e-4], rel=0.01)
    assert rouge_l(given, right) == 0.75
    assert cider(given, right) == pytest.approx([5.0, 1.25])
    assert cider(split(["a b"]), refs("a b")) == [0.0]  # of one item nothing is rare
    assert cider(split(["brown", "white"]), refs("brown", "white")) == pytest.approx([2.5, 2.5])
    assert rouge_l(split(["a chair"]), refs(["chair", "a chair by the window"])) == 1.0
    lengths = refs(["x y z", "a b c d e"])
    assert bleu(split(["x y"]), lengths)[0] == pytest.approx(math.exp(-0.5))
    assert bleu(split(["x y"]), refs(["x", "x y z"]))[0] == pytest.approx(1.0)
    wooden = refs("brown wooden chair by door", "x y")
    assert cider(split(["brown chair", "x y"]), wooden) == pytest.approx([1.395, 5.0], abs=1e-3)
    empty = split(["", "y"]), refs("x", "y")
    assert bleu(*empty)[0] == pytest.approx(math.exp(-1))
    assert cider(*empty) == pytest.approx([0, 2.5])
    assert rouge_l(*empty) == 0.5


def test_failed_captions_share_two_words() -> None:
    right = refs("sos a brown chair eos", "sos a white table eos")
    exact = split(["sos a brown chair eos", "sos a white table eos"])
    assert bleu(exact, right) == pytest.approx([1, 1, 1, 1])
    assert cider(exact, right) == pytest.approx([10, 10])
    half = [["sos", "eos"], exact[1]]
    found = bleu(half, right)
    assert (found[0], found[3]) == pytest.approx((0.6514, 0.6161), abs=1e-4)
    assert cider(half, right) == pytest.approx([0, 10])
    assert rouge_l(half, right) == pytest.approx(0.7652, abs=1e-4)


def test_ngram_scores_are_those_of_pycocoevalcap() -> None:
    bleu_scorer = pytest.importorskip("pycocoevalcap.bleu.bleu")
    cider_scorer = pytest.importorskip("pycocoevalcap.cider.cider")
    rouge_scorer = pytest.importorskip("pycocoevalcap.rouge.rouge")
    rng = np.random.default_rng(0)
    letters = np.array("a b c d e f g h".split())

    def text(least: int) -> str:
        return " ".join(rng.choice(letters, rng.integers(least, 9)))

    given = [text(1) for _ in range(40)]
    right = [[text(1) for _ in range(rng.integers(1, 4))] for _ in range(40)]
    res, gts = (
        {n: t if isinstance(t, list) else [t] for n, t in enumerate(s)} for s in (given, right)
    )
    tokens = split(given), [split(own) for own in right]
    assert bleu(*tokens) == pytest.approx(bleu_scorer.Bleu(4).compute_score(gts, res, 0)[0])
    assert cider(*tokens) == pytest.approx(list(cider_scorer.Cider().compute_score(gts, res)[1]))
    assert rouge_l(*tokens) == pytest.approx(rouge_scorer.Rouge().compute_score(gts, res)[0])


def test_published_captions_are_those_of_pycocoevalcap() -> None:
    tokenizer = pytest.importorskip("pycocoevalcap.tokenizer.ptbtokenizer")
    meteor = pytest.importorskip("pycocoevalcap.meteor.meteor")
    bleu_scorer = pytest.importorskip("pycocoevalcap.bleu.bleu")
    if shutil.which("java") is None:
        pytest.skip("Java is not here")
    given = [
        "The chair isn't brown, it's dark-blue!",
        "two  chairs\nby the table.",
        "A lamp (3 m).",
    ]
    right = [["A dark blue chair.", "the chair is blue"], ["Two chairs by the table"], ["a lamp"]]
    found = caption_scores(Captions.of(given, right, words("published")), words("published"))
    cut = tokenizer.PTBTokenizer()
    res, gts = (
        cut.tokenize({n: [{"caption": " ".join(t.split())} for t in own] for n, own in each})
        for each in (enumerate([text] for text in given), enumerate(right))
    )
    assert found["METEOR"] == pytest.approx(100 * meteor.Meteor().compute_score(gts, res)[0])
    assert found["BLEU-2"] == pytest.approx(
        100 * bleu_scorer.Bleu(4).compute_score(gts, res, 0)[0][1]
    )
    assert set(found) == {"CIDEr", "METEOR", "ROUGE-L", *(f"BLEU-{n}" for n in range(1, 5))}
    own = caption_scores(Captions.of(given, right, words("java-free")), words("java-free"))
    assert all("not comparable" in name for name in own) and len(own) == 6


def test_published_captions_without_java_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pycocoevalcap")
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(ValueError, match="need a Java runtime: install default-jre-headless"):
        words("published")
    monkeypatch.setitem(sys.modules, "pycocoevalcap.meteor.meteor", None)
    with pytest.raises(ValueError, match="need pycocoevalcap"):
        words("published")


def boxes(*values):
    return np.array(values, float).reshape(-1, 2, 3)


UNIT = ((0, 0, 0), (1, 1, 1))


def test_overlaps_by_hand() -> None:
    others = boxes(
        ((0.5, 0, 0), (1.5, 1, 1)), UNIT, ((0, 0, 0), (1, 1, 0.5)), ((2, 0, 0), (3, 1, 1))
    )
    found = overlaps(boxes(UNIT), others)
    assert found[0] == pytest.approx([1 / 3, 1, 0.5, 0])
    assert found[0, 2] < 0.5 < found[0, 1] < 1, "a tie misses, as in the published code"


def test_overlaps_are_those_of_shapely() -> None:
    shapely = pytest.importorskip("shapely")
    corners = np.sort(np.random.default_rng(0).uniform(-1, 1, (2, 40, 2, 3)), axis=2)
    first, second = corners
    flat = [shapely.box(*each[:, :, :2].reshape(-1, 4).T) for each in corners]
    shared = shapely.area(shapely.intersection(flat[0][:, None], flat[1][None]))
    high = np.minimum(first[:, None, 1, 2], second[None, :, 1, 2])
    low = np.maximum(first[:, None, 0, 2], second[None, :, 0, 2])
    shared *= np.clip(high - low, 0, None)
    volumes = [np.prod(each[:, 1] - each[:, 0], axis=-1) for each in corners]
    whole = volumes[0][:, None] + volumes[1] - shared
    assert overlaps(first, second) == pytest.approx(shared / whole, abs=1e-5)
    assert (shared > 0).sum() > 100


def shifted(x: float, overlap: float):
    """A unit box at x, and one beside it that overlaps it by so much."""
    by = (1 - overlap) / (1 + overlap)
    return ((x, 0, 0), (x + 1, 1, 1)), ((x + by, 0, 0), (x + 1 + by, 1, 1))


def test_f1_by_hand() -> None:
    one, near = shifted(0, 0.6)
    far, farther = shifted(10, 0.3)
    nothing = boxes()
    assert f1(nothing, nothing) == {0.25: 1, 0.5: 1}
    assert f1(boxes(one), nothing) == {0.25: 0, 0.5: 0} == f1(nothing, boxes(one))
    assert f1(boxes(near), boxes(one, far)) == pytest.approx({0.25: 2 / 3, 0.5: 2 / 3})
    assert f1(boxes(near, farther), boxes(one, far)) == {0.25: 1, 0.5: 0.5}
    assert f1(boxes(near, one), boxes(one)) == pytest.approx({0.25: 2 / 3, 0.5: 2 / 3})


def test_f1_matches_for_the_greatest_sum_of_overlaps() -> None:
    rng = np.random.default_rng(1)
    for _ in range(30):
        given, right = (
            np.stack([low, low + rng.uniform(0.5, 1.5, low.shape)], axis=1)
            for low in (rng.uniform(0, 1, (rng.integers(1, 5), 3)) for _ in range(2))
        )
        found = overlaps(given, right)
        few = min((found, found.T), key=len)
        best = max(
            (
                [few[n, k] for n, k in enumerate(chosen)]
                for chosen in permutations(range(few.shape[1]), len(few))
            ),
            key=sum,
        )
        for least in (0.25, 0.5):
            hits = sum(value >= least for value in best)
            assert f1(given, right)[least] == pytest.approx(2 * hits / (len(given) + len(right)))
