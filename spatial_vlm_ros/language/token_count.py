"""How many tokens a text has at most, without a tokenizer at hand."""

from __future__ import annotations

import re
import unicodedata

_RUNS = re.compile(r" ?[a-z]+| ?[!-/:-@\[-`{-~]+\n*")
# Pairs of a space or small letter and a small letter that are no token; all others are one.
_NO_TOKEN = re.compile(r"[jqxz]|gk|wv|yf|yv")
# Runs that are one token as they stand: what a text of a scene has on every other line.
_ONE_TOKEN = frozenset((" (#", "):", "],", " ->")) | {
    f" {word}"
    for word in """
    on under above below inside beside per cell yaw missing camera
    red orange yellow green blue purple pink brown black white grey
    chair table sofa desk bed cabinet shelf lamp plant picture window door book box mug bowl tv
    """.split()
}


def most_qwen_tokens(text: str) -> int:
    """Tokens that Qwen2.5's tokenizer, or one with its vocabulary, makes of ``text`` at most.

    It is byte-level: a text cannot have more tokens than it has bytes of UTF-8 (composed, NFC).
    It cuts text into digits, one token each, words with the space before them, and runs of marks,
    and within one of these, neighbours that together are a token never stay apart. So of n small
    letters, the space among them, no two neighbours are both alone, which leaves at most
    (2 n + 1) // 3 tokens; and a space before marks or a line end after them is no token of its own.
    """
    text = unicodedata.normalize("NFC", text)
    most = len(text.encode("utf-8", "replace"))
    for found in _RUNS.finditer(text):
        run, after = found[0], text[found.end() : found.end() + 1]
        if run in _ONE_TOKEN and not after.isalpha():
            most -= len(run) - 1
        elif run[-1].isalpha():
            most -= 0 if _NO_TOKEN.search(run) else len(run) - (2 * len(run) + 1) // 3
        elif len(run) > 1:
            most -= run[0] == " " or (run[-1] == "\n" and run.rstrip("\n")[-1] != "^")
    return most
