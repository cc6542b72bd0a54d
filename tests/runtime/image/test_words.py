from __future__ import annotations

import pytest

from runtime.errors import Invalid
from runtime.image import words


def test_quotes_hold_words_together_and_stay() -> None:
    assert words.split(r'A=b  C="d e" E=f\ g') == ["A=b", 'C="d e"', r"E=f\ g"]


@pytest.mark.parametrize(("word", "value"), [
    ("plain", "plain"), ('"a b"c', "a bc"), ("'$X'", "$X"), ('"$X"', "tea"), ("$X$X", "teatea"),
    ("${X}s", "teas"), ("$nothing", ""), ("${nothing:-${X}}", "tea"), ("${X:+is set}", "is set"),
    ("${nothing:+is set}", ""), (r"\$X", "$X"), (r'"a\"b"', 'a"b'), (r'"a\nb"', r"a\nb"),
    ("$", "$"), ("a$-b", "a$-b"), ("", ""),
])
def test_expand(word: str, value: str) -> None:
    assert words.expand(word, {"X": "tea"}) == value


@pytest.mark.parametrize("word", ['"open', "'open", "${X", "${X:-a", "${X?y}", "${}"])
def test_an_unfinished_word_is_invalid(word: str) -> None:
    with pytest.raises(Invalid):
        words.expand(word, {"X": "tea"})


def test_only_a_list_of_strings_counts() -> None:
    assert words.strings('["sh", "-c"]') == ["sh", "-c"]
    assert [words.strings(text) for text in ("sh", "[1]", "['sh']", '["sh"')] == [None] * 4
