"""The words that are looked for, as users list them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial_vlm_ros.naming.vocabulary import Vocabulary, refuse_long


def test_a_list_is_tidied() -> None:
    words = Vocabulary.of(
        [" Chair", "trash   CAN", "", "chair", "tv | Television|TV", "floor", "|"]
    )
    assert words.names == ("chair", "trash can", "tv", "floor")
    assert words.phrases == ("chair", "trash can", "tv", "television", "floor")
    assert words.owners == (0, 1, 2, 2, 3)


def test_a_phrase_belongs_to_the_first_name_that_has_it() -> None:
    words = Vocabulary.of(["couch", "sofa|couch", "sofa|settee"])
    assert words.names == ("couch", "sofa")
    assert dict(zip(words.phrases, words.owners, strict=True)) == {
        "couch": 0,
        "sofa": 1,
        "settee": 1,
    }


def test_the_words_of_the_surroundings_are_words() -> None:
    assert Vocabulary.of(["floor", "wall", "ceiling"]).names == ("floor", "wall", "ceiling")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "there is no word in it"),
        (["", "  ", "|"], "there is no word in it"),
        (["chair", "?!"], r"'\?!' has no letter or digit"),
        (["chair", 3], "3 is no text"),
    ],
)
def test_what_is_no_word_is_refused(words, said) -> None:
    with pytest.raises(ValueError, match=f"vocabulary: {said}"):
        Vocabulary.of(words)


def test_a_long_word_is_named() -> None:
    refuse_long("chair", 16, 16)
    with pytest.raises(
        ValueError, match="'a long one' is 17 tokens long, and the network takes 16"
    ):
        refuse_long("a long one", 17, 16)


@given(st.lists(st.text("aB |", max_size=8), max_size=6))
def test_any_list_gives_each_phrase_once(words) -> None:
    try:
        found = Vocabulary.of(words)
    except ValueError:
        assert not any(character.isalnum() for word in words for character in word)
        return
    assert len(set(found.phrases)) == len(found.phrases) == len(found.owners)
    assert sorted(set(found.owners)) == list(range(len(found.names)))
    assert all(phrase == " ".join(phrase.lower().split()) != "" for phrase in found.phrases)
    assert Vocabulary.of(found.phrases).phrases == found.phrases
