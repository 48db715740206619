"""Which things are looked at, what is cut out, which word it is, and how often it must be said."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from small_detectors import save_clip, save_owlv2, save_siglip
from transformers import AutoModel

from spatial_vlm_ros.naming.config import DetectorConfig, NamerConfig
from spatial_vlm_ros.naming.crops import View, crop, views_of
from spatial_vlm_ros.naming.looking import Looking
from spatial_vlm_ros.naming.namer import Namer, chosen, judged
from spatial_vlm_ros.naming.votes import NameVotes
from spatial_vlm_ros.settings import check

RED, BLUE, GREEN = (230, 20, 20), (20, 20, 230), (20, 230, 20)


# Crops


def test_where_things_are() -> None:
    ids = np.zeros((6, 8), np.int32)
    ids[1:3, 2:7] = 5
    ids[2, 3] = 9_000_000  # ids of long runs are large
    assert views_of(ids) == {5: View(2, 1, 7, 3, 9), 9_000_000: View(3, 2, 4, 3, 1)}
    assert views_of(np.zeros((4, 4), np.int32)) == {}
    assert set(views_of(np.full((4, 4), 3, np.int32))) == {3}


@given(arrays.arrays(np.int32, (5, 7), elements=st.integers(0, 4)))
def test_where_things_are_pixel_by_pixel(ids) -> None:
    expected = {}
    for number in set(ids.ravel().tolist()) - {0}:
        rows, columns = np.nonzero(ids == number)
        box = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        expected[number] = View(*map(int, box), len(rows))
    assert views_of(ids) == expected


def test_a_crop_by_hand() -> None:
    """A thing 4 x 2 in the middle: a square of side 4 * 1.5, its middle the thing's."""
    rgb = np.full((20, 20, 3), 100, np.uint8)
    mask = np.zeros((20, 20), bool)
    mask[9:11, 8:12] = True
    rgb[mask] = 200
    square = crop(rgb, mask, View(8, 9, 12, 11, 8), 0.25, 0.5)
    expected = np.full((6, 6, 3), 150)  # half of the surroundings, half of the thing's colour
    expected[2:4, 1:5] = 200
    assert np.array_equal(square, expected)
    assert (crop(rgb, mask, View(8, 9, 12, 11, 8), 0.25, 1.0)[0] == 100).all()
    assert (crop(rgb, mask, View(8, 9, 12, 11, 8), 0.25, 0.0) == 200).all()


def test_a_crop_at_the_edge_is_a_whole_square() -> None:
    rgb = np.full((10, 20, 3), 100, np.uint8)
    mask = np.zeros((10, 20), bool)
    mask[0:10, 0:18] = True  # larger than the image is high
    rgb[mask] = 40
    square = crop(rgb, mask, View(0, 0, 18, 10, 180), 0.1, 1.0)
    assert square.shape == (22, 22, 3)
    assert (square[6:16, 2:20] == 40).all()
    assert (square[6:16, 20:22] == 100).all()
    assert (square[:6] == 40).all() and (square[16:] == 40).all()  # beyond the image: its colour


# Which things are looked at


def view(u: int, v: int = 0, side: int = 40) -> View:
    return View(u, v, u + side, v + side, side * side)


def test_new_things_come_first_and_all_have_their_turn() -> None:
    looking = Looking(NamerConfig(crops=2))
    views = {k: view(50 * k, side=30 + k) for k in range(1, 6)}
    assert looking.choose(views) == [5, 4]  # the largest
    assert looking.choose(views) == [3, 2]
    assert looking.choose(views) == [1]
    assert looking.choose(views) == []  # nobody has moved
    assert looking.choose(views | {9: view(900)}) == [9]


def test_a_better_view_comes_before_another_one() -> None:
    looking = Looking(NamerConfig(crops=1))
    looking.choose({1: view(0)})
    looking.choose({1: view(0), 2: view(100)})
    moved_and_grown = {1: view(11), 2: view(100, side=46)}
    assert looking.choose(moved_and_grown) == [2]
    assert looking.choose(moved_and_grown) == [1]
    assert looking.choose(moved_and_grown) == []


def test_what_changes_little_is_no_new_view() -> None:
    looking = Looking(NamerConfig(growth=1.3, shift=0.25, again=50))
    looking.choose({1: view(100, side=40)})
    assert looking.choose({1: view(109, side=40)}) == []  # 9 of 40 pixels
    assert looking.choose({1: view(110, side=40)}) == [1]
    assert looking.choose({1: view(110, side=45)}) == []  # 1.27 times as large
    assert looking.choose({1: view(110, side=46)}) == [1]
    assert looking.choose({1: view(110, side=41)}) == []
    assert looking.choose({1: view(110, side=40)}) == [1]  # smaller by as much: from elsewhere


def test_who_stands_still_looks_again_now_and_then() -> None:
    looking = Looking(NamerConfig(again=10))
    looked = [bool(looking.choose({1: view(100)})) for _ in range(31)]
    assert [k for k, yes in enumerate(looked) if yes] == [0, 10, 20, 30]


def test_small_things_are_not_looked_at() -> None:
    looking = Looking(NamerConfig(min_side=24))
    assert looking.choose({1: View(0, 0, 100, 23, 2300), 2: View(0, 0, 24, 24, 500)}) == [2]
    assert looking.choose({1: View(0, 0, 100, 24, 2400)}) == [1]


def test_of_thousands_of_things_few_are_remembered() -> None:
    looking = Looking(NamerConfig(crops=3))
    for k in range(10_000):
        assert len(looking.choose({j: view(j % 7 * 50) for j in range(k, k + 4)})) <= 3
    assert len(looking) < 700


# Votes


def test_one_lucky_view_names_nothing() -> None:
    votes = NameVotes()
    assert votes.winner == (None, 0.0)
    votes.add("sofa", 0.1)
    votes.add("chair", 0.99)  # the first for a chair, and it leads by far
    assert votes.winner == (None, 0.0)
    votes.add("chair", 0.9)  # 0.9405 + 0.9; the sofa 0.09025
    assert votes.winner == ("chair", pytest.approx(1.8405 / 1.93075))


def test_unsure_votes_have_to_add_up() -> None:
    votes = NameVotes()
    for said in (None, None, "chair"):
        votes.add("chair", 0.2)
        assert votes.winner[0] == said  # 0.2, 0.39, 0.2 * (1 + 0.95 + 0.9025) = 0.5705


def test_what_is_called_something_need_not_have_that_name() -> None:
    votes = NameVotes()
    assert not votes.called
    votes.add("chair", 0.3)
    assert votes.called and votes.winner[0] is None
    votes.add(None, 0.9)
    assert not votes.called


def test_unknown_is_a_candidate() -> None:
    votes = NameVotes()
    for _ in range(5):
        votes.add(None, 0.9)
    votes.add("chair", 1.0)
    votes.add("chair", 1.0)
    assert votes.winner[0] is None and votes.winner[1] > 0.5
    for _ in range(6):
        votes.add("chair", 0.9)
    assert votes.winner[0] == "chair"


def test_a_name_needs_a_lead() -> None:
    """After chair, sofa, chair: chair 1.9025, sofa 0.95, so a lead of 0.33 of all."""
    votes = NameVotes(lead=0.2)
    for name in ("chair", "sofa", "chair"):
        votes.add(name, 1.0)
    assert votes.winner == ("chair", pytest.approx(1.9025 / 2.8525))
    votes.add("sofa", 1.0)  # 1.807 and 1.9025
    assert votes.winner == (None, 0.0)


def test_later_views_correct_earlier_ones() -> None:
    votes = NameVotes()
    for _ in range(1000):
        votes.add("sofa", 1.0)
    turns = 0
    while votes.winner[0] != "bed":
        votes.add("bed", 1.0)
        turns += 1
    assert turns < 25


@given(st.lists(st.tuples(st.integers(0, 60), st.floats(-1, 2)), max_size=150))
def test_votes_are_bounded(said) -> None:
    votes, other = NameVotes(), NameVotes()
    for k, (number, score) in enumerate(said):
        (votes if k % 3 else other).add(str(number) if number else None, score)
    votes.merge(other)
    assert len(votes._tallies) <= 16
    name, score = votes.winner
    assert 0 <= score <= 1
    assert votes.called or name is None


def test_what_turns_out_to_be_one_thing_has_the_votes_of_both() -> None:
    one, two = NameVotes(), NameVotes()
    one.add("chair", 0.9)
    two.add("chair", 0.8)
    assert one.winner[0] is two.winner[0] is None
    one.merge(two)
    assert one.winner == ("chair", 1.0)


# From likeness to a word


def test_clip_chooses_by_hand() -> None:
    logits = torch.log(torch.tensor([[0.6, 0.1], [0.35, 0.05], [0.45, 0.1], [0.3, 0.3]]))
    nothing = torch.log(torch.tensor([[0.2, 0.1], [0.5, 0.1], [0.4, 0.05], [0.2, 0.2]]))
    said = chosen(logits, nothing, min_share=0.4, lead=0.1)
    assert [k for k, _ in said] == [0, None, None, None]  # sure; nothing is likelier; too near; few
    assert [score for _, score in said] == pytest.approx([0.6, 0.65, 0.55, 0.7])
    (alone,) = chosen(torch.zeros(1, 1), None, 0.4, 0.1)
    assert alone == (0, 1.0)  # without texts for nothing it can say nothing else


def test_siglip_judges_by_hand() -> None:
    logits = torch.special.logit(torch.tensor([[0.3, 0.02], [0.01, 0.04]]))
    said = judged(logits, min_probability=0.05)
    assert [k for k, _ in said] == [0, None]
    assert [score for _, score in said] == pytest.approx([0.3 / 0.35, 1 - 0.04 / 0.09])


# Networks

KINDS = {
    "clip": save_clip,
    "siglip": save_siglip,
    "siglip2": lambda folder: save_siglip(folder, naflex=True),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("namers")
    for name, save in KINDS.items():
        save(root / name)
    return {name: root / name for name in KINDS}


def config(folder: Path, **changes: Any) -> NamerConfig:
    return NamerConfig(str(folder), **{"device": "cpu", **changes})


def coloured(colour: tuple[int, int, int], seed: int = 0, side: int = 48) -> np.ndarray:
    """A square of about a colour."""
    rng = np.random.default_rng(seed)
    return np.clip(colour + rng.normal(0, 25, (side, side, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", KINDS)
def test_likeness_is_that_of_transformers(folders, kind) -> None:
    """On crops of several sizes; a single template, so that it can be asked the same."""
    folder, words = folders[kind], ["chair", "table", "lamp"]
    namer: Any = Namer.open(config(folder, templates=["a {}"], nothing=[]), words)
    with torch.no_grad():
        namer._network.logit_scale.fill_(1.5)
    crops = [coloured(RED), coloured(BLUE, side=70), coloured(GREEN, side=33)]
    network = AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        network.logit_scale.fill_(1.5)
    length = {"clip": 77}.get(kind, 64)
    text = namer._tokenizer(
        [f"a {word}" for word in words], padding="max_length", max_length=length,
        return_tensors="pt",
    )  # fmt: skip
    if kind != "clip":
        text.pop("attention_mask", None)
    with torch.inference_mode():
        logits = network(**namer._images(*crops), **text).logits_per_image
    expected = chosen(logits, None, 0.4, 0.1) if kind == "clip" else judged(logits, 0.05)
    said = namer.votes(crops)
    assert [name for name, _ in said] == [None if k is None else words[k] for k, _ in expected]
    assert [score for _, score in said] == pytest.approx([s for _, s in expected], abs=1e-4)
    assert namer.votes([]) == []


def teach(namer: Any, kind: str, steps: int = 150) -> None:
    """Until red is a chair, blue a table, and green none of both."""
    network, tokenizer = namer._network, namer._tokenizer
    network.requires_grad_(True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for part in network.parameters():
            if part.ndim == 2:
                torch.nn.init.xavier_uniform_(part)
            elif part.ndim > 2:
                torch.nn.init.normal_(part, std=0.02)
    with torch.no_grad():
        network.logit_scale.fill_(2.3)
    texts = ["a chair", "a table", "something else"]
    length = {"clip": 77}.get(kind, 64)
    text = tokenizer(texts, padding="max_length", max_length=length, return_tensors="pt")
    if kind != "clip":
        text.pop("attention_mask", None)
    colours = [RED, BLUE, GREEN] * 6
    inputs = namer._images(*(coloured(colour, k) for k, colour in enumerate(colours)))
    wanted = torch.arange(3).repeat(6)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(steps):
        logits = network(**inputs, **text).logits_per_image
        if kind == "clip":
            loss = torch.nn.functional.cross_entropy(logits, wanted)
        else:
            pairs = torch.nn.functional.one_hot(wanted, 3).float()
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, pairs)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.requires_grad_(False)


@pytest.mark.parametrize("kind", KINDS)
def test_a_taught_namer_knows_what_it_does_not_know(tmp_path, kind) -> None:
    """From crops to votes to a name: red is named, green is unknown, by every kind."""
    KINDS[kind](tmp_path)
    few = {"templates": ["a {}"], "nothing": ["something else"], "min_probability": 0.3}
    namer = Namer.open(config(tmp_path, **few), ["lamp"])
    teach(namer, kind)
    if kind == "clip":
        namer._nothing = namer._meanings([["something else"]])  # it has learnt what that means
    namer.set_vocabulary(["chair", "thing|table"])
    unseen = [coloured(colour, 100 + k) for k, colour in enumerate((RED, BLUE, GREEN))]
    assert [name for name, _ in namer.votes(unseen)] == ["chair", "thing", None]
    ids = np.zeros((100, 200), np.int32)
    rgb = np.full((100, 200, 3), 128, np.uint8)
    for number, (left, colour) in {7: (5, RED), 8: (70, BLUE), 9: (135, GREEN)}.items():
        ids[20:68, left : left + 48] = number
        rgb[20:68, left : left + 48] = coloured(colour, number)
    tallies = {number: NameVotes(least=1) for number in (7, 8, 9)}
    for vote in namer.look(rgb, ids):
        tallies[vote.number].add(vote.name, vote.score)
    assert {number: tally.winner[0] for number, tally in tallies.items()} == {
        7: "chair",
        8: "thing",
        9: None,
    }
    assert namer.look(rgb, ids) == []  # the same view again is no other opinion
    namer.set_vocabulary(["chair"])  # but other words are another question
    assert {vote.number: vote.name for vote in namer.look(rgb, ids)}[7] == "chair"
    namer.reset()
    assert len(namer.look(rgb, ids)) == 3


def test_a_simulated_drive_is_looked_at(folders, tmp_path) -> None:
    """Every thing that is large enough gets its votes, a few an image; the detector runs beside."""
    pytest.importorskip("embreex")
    from spatial_vlm_ros.naming.opening import open_detector
    from spatial_vlm_ros.simulation.record import simulate
    from spatial_vlm_ros.sources import open_source

    simulate(tmp_path, seed=1, rooms=1, fps=3.0, width=320, height=240, seconds=4.0, workers=1)
    save_owlv2(tmp_path / "owl")
    words = ["chair", "table", "lamp", "floor"]
    settings = DetectorConfig(str(tmp_path / "owl"), device="cpu", min_score=0.0)
    detector = open_detector(settings, words)
    namer = Namer.open(config(folders["clip"], crops=3), words)
    large: dict[int, int] = {}
    named: set[int] = set()
    for frame in open_source(tmp_path / "bag"):
        votes = namer.look(frame.rgb, frame.labels.ids)
        assert len(votes) <= 3
        views = views_of(frame.labels.ids)
        assert {vote.number for vote in votes} <= views.keys()
        assert {vote.name for vote in votes} <= {None, *words}
        assert all(min(views[vote.number].sides) >= 24 for vote in votes)
        named |= {vote.number for vote in votes}
        for number, one in views.items():
            large[number] = large.get(number, 0) + (min(one.sides) >= 24)
        for box in detector.find(frame.rgb):
            assert box.label in words and 0 <= box.u_min < box.u_max <= 320
            assert 0 <= box.v_min < box.v_max <= 240
    often = {number for number, times in large.items() if times >= 6}
    assert len(often) >= 4 and often <= named


def test_the_vocabulary_changes_while_it_looks(folders) -> None:
    namer = Namer.open(config(folders["siglip"], min_probability=0.0), ["chair", "table"])
    stop, wrong, seen = threading.Event(), [], []

    def look() -> None:
        try:
            while not stop.is_set():
                seen.append({name for name, _ in namer.votes([coloured(RED), coloured(BLUE)])})
        except Exception as error:
            wrong.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    for turn in range(10):
        namer.set_vocabulary([["lamp"], ["chair", "table"]][turn % 2])
    stop.set()
    thread.join()
    assert not wrong
    assert seen and all(names == {"lamp"} or names <= {"chair", "table"} for names in seen)
    with pytest.raises(ValueError, match=r"'a photo of a z.*' is \d+ tokens long"):
        namer.set_vocabulary(["z" * 300])
    assert namer.votes([coloured(RED)])[0][0] in ("chair", "table")


def test_what_cannot_be_opened_says_why(tmp_path, folders) -> None:
    save_owlv2(tmp_path / "owl")
    with pytest.raises(ValueError, match="model_type owlv2, which cannot name crops; one of clip"):
        Namer.open(config(tmp_path / "owl"), ["chair"])
    with pytest.raises(ValueError, match="device cuda:9 of the namer"):
        Namer.open(config(folders["clip"], device="cuda:9"), ["chair"])
    with pytest.raises(ValueError, match="there is no folder"):
        Namer.open(config(tmp_path / "none"), ["chair"])


def test_a_tokenizer_that_needs_a_missing_package(tmp_path) -> None:
    """As of the first SigLIP: only its sentencepiece file, or the whole in one file too."""
    save_siglip(tmp_path)
    said = tmp_path / "tokenizer_config.json"
    said.write_text(said.read_text().replace("GemmaTokenizer", "SiglipTokenizer"))
    namer = Namer.open(config(tmp_path, min_probability=0.0), ["chair"])
    assert namer.votes([coloured(RED)])[0][0] == "chair"
    (tmp_path / "tokenizer.json").rename(tmp_path / "spiece.model")
    with pytest.raises(ValueError, match="no tokenizer that works here.*pip install sentencepiece"):
        Namer.open(config(tmp_path), ["chair"])


def test_settings_are_consistent() -> None:
    check(NamerConfig())
    check(DetectorConfig())
    with pytest.raises(ValueError, match=r"namer\.templates: 'a photo' does not have \{\} once"):
        check(NamerConfig(templates=["a photo"]), "namer.")
    with pytest.raises(ValueError, match="templates: is empty"):
        check(NamerConfig(templates=[]))
