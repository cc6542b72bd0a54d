"""Sections, options and variables of a lesson's text."""

from __future__ import annotations

from lab.course.prose import parse, variables_in

TEXT = """# A title

> A question
> in two lines?

## step: guess

What happens?

    # this is a command, no heading

- a list: that is no list of options

then text.

- one: the first
  goes on here
- two: the `second`

### hint 1
Look there.
### say: wrong
You said $name.

### reveal
It did.
### note
Ask them.
"""


def test_every_section_is_found():
    text = parse(TEXT.replace("- a list: that is no list of options\n\nthen text.\n\n", ""), "t.md")
    assert (text.title, text.question) == ("A title", "A question in two lines?")
    prose = text.steps["guess"]
    assert prose.body.endswith("    # this is a command, no heading")
    assert prose.wording == {"one": "the first goes on here", "two": "the `second`"}
    assert prose.hints == ("Look there.",)
    assert prose.says == {"wrong": "You said $name."}
    assert (prose.reveal, prose.note) == ("It did.", "Ask them.")


def test_a_list_in_running_text_is_not_taken_for_options():
    prose = parse(TEXT, "t.md").steps["guess"]
    assert list(prose.wording) == ["one", "two"]
    assert "- a list: that is no list of options" in prose.body
    prose = parse("# T\n## step: a\n- key: words\n\nand text after it\n", "t.md").steps["a"]
    assert prose.wording == {}
    assert "- key: words" in prose.body


def test_variables_are_the_lower_case_ones():
    assert variables_in("$name ${limit} $? $PATH $(echo) $1") == ["name", "limit"]
