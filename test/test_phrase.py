"""Noun phrases and sentence surfaces, without a scene."""

from __future__ import annotations

import pytest

from spatial_vlm_ros.reasoning.inflection import plural, singular
from spatial_vlm_ros.reasoning.lexicon import Lexicon
from spatial_vlm_ros.reasoning.parser import Parser
from spatial_vlm_ros.reasoning.phrase import NounPhrase, Rank
from spatial_vlm_ros.reasoning.sides import read_sides
from spatial_vlm_ros.reasoning.wording import read

LEXICON = Lexicon(["chair", "table", "window", "mug", "dining table", "sofa"], ["red", "teal"])


def parse(text: str, guess: bool = False) -> list[NounPhrase]:
    words = tuple(text.split())
    return Parser(words, LEXICON, guess).noun_phrases(0, len(words))


def test_adjectives_determiner_and_plural() -> None:
    (phrase,) = parse("the two small red mugs")
    assert phrase.noun.name == "mug"
    assert (phrase.determiner, phrase.number, phrase.many) == ("the", 2, True)
    assert (phrase.colours, phrase.sizes) == (("red",), ("small",))
    assert parse("a gray chair")[0].colours == ("grey",)
    assert parse("the teal chair")[0].colours == ("teal",)  # a colour of the scene


def test_ordinals_and_superlatives() -> None:
    assert parse("the third chair")[0].ordinal == 3
    assert parse("the second largest chair")[0].ranks == (Rank("volume", 1, 2),)
    assert parse("the second largest chair")[0].ordinal is None
    nearest = parse("the nearest chair to the window")[0]
    same = parse("the chair nearest the window")[0]
    for phrase in (nearest, same):
        (rank,) = phrase.ranks
        assert (rank.measure, rank.sign, rank.place) == ("distance", -1, 1)
        assert [anchor.noun.name for anchor in rank.anchors] == ["window"]
    third = parse("the chair that is third farthest away from the window")[0].ranks[0]
    assert (third.sign, third.place) == (1, 3)
    assert parse("the most distant chair from me")[0].ranks[0].anchors[0].robot


def test_a_clause_belongs_to_the_nearest_noun_first() -> None:
    nested, flat = parse("the mug on the table near the window")[:2]
    assert [c.relation for c in nested.clauses] == ["on"]
    assert nested.clauses[0].anchors[0].clauses[0].relation == "near"
    assert [c.relation for c in flat.clauses] == ["on", "near"]


def test_between_two_and_between_both() -> None:
    (clause,) = parse("the mug between the sofa and the table")[0].clauses
    assert [a.noun.name for a in clause.anchors] == ["sofa", "table"]
    (clause,) = parse("the mug in between both of the chairs")[0].clauses
    assert [a.noun.name for a in clause.anchors] == ["chair"]
    assert parse("the mug between the chair") == []


def test_sides_of_the_robot() -> None:
    for text in ("the chair to my left", "the chair on your left side", "the chair left of me"):
        (clause, *_) = parse(text)[0].clauses
        assert (clause.relation, clause.anchors[0].robot) == ("left", True)


def test_labels_of_several_words_and_their_heads() -> None:
    assert parse("the dining tables")[0].noun.labels == {"dining table"}
    assert parse("the table")[0].noun.labels == {"table", "dining table"}
    assert parse("the couch")[0].noun.labels == {"sofa"}
    assert parse("any thing")[0].noun.generic


def test_unknown_nouns_only_when_guessing() -> None:
    assert parse("the flux capacitor on the table") == []
    (phrase,) = parse("the flux capacitor on the table", guess=True)
    assert (phrase.noun.name, phrase.noun.known) == ("flux capacitor", False)
    assert parse("piano")[0].noun.known  # a word of the list that the scene has none of
    assert parse("where is", guess=True) == []


@pytest.mark.parametrize(
    "text", ["", "the", "red", "the on table", "mug the", "mug on", "the mug to the table"]
)
def test_what_is_no_phrase(text: str) -> None:
    assert parse(text) == []


def test_lists() -> None:
    words = tuple("the mug , the red chair or the table".split())
    found = Parser(words, LEXICON).lists(0, len(words))
    assert [[p.name for p in phrases] for phrases in found] == [["mug", "red chair", "table"]]


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("chair", "chairs"),
        ("box", "boxes"),
        ("couch", "couches"),
        ("battery", "batteries"),
        ("toy", "toys"),
        ("bookshelf", "bookshelves"),
        ("mouse", "mice"),
        ("glass", "glasses"),
        ("vase", "vases"),
        ("stairs", "stairs"),
    ],
)
def test_singular_and_plural(one: str, many: str) -> None:
    assert plural(one) == many
    assert singular(many) == one
    assert singular(one) == one


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("to my left or right", ("left", "right")),
        ("on my left or on my right", ("left", "right")),
        ("to my left , right , or back", ("left", "right", "back")),
        ("in front of me or behind me", ("front", "behind")),
        ("to the left side or the right side of", ("left", "right")),
        (
            "to my front left , front right , back left , or back right",
            ("front-left", "front-right", "back-left", "back-right"),
        ),
        ("to my left", ()),
        ("left or table", ()),
    ],
)
def test_lists_of_directions(text: str, sides: tuple[str, ...]) -> None:
    assert read_sides(text.split()) == sides


def test_the_surface_of_a_question() -> None:
    read_text = read("Hey robot, could you please tell me: what's the sofa's height (in cm)?")
    assert " ".join(read_text.words) == "what is the sofa s height"
    assert read_text.unit == "cm"
    counting = read("How many table(s) are in this room?")
    assert " ".join(counting.words) == "how many tables are here"
    options = read("Which one? Options: A. the lamp, B. a bin.").options
    assert options == {"A": "the lamp", "B": "a bin"}
    assert read("Is vitamin A. good?").options == {}
