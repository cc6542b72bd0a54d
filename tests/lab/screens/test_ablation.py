"""The ablation board, driven by keys over a table made by hand."""

from __future__ import annotations

import asyncio

import pytest

from lab import board
from lab.screens.ablation import AblationScreen, by_command
from runtime.engine.ablation import PARTS
from tests.lab.screens.test_screens import settle, text


def answer(yes: bool, errno: str = "") -> dict:
    return {"yes": yes, "errno": errno, "said": ""}


def probe(question: str, full: dict, without: dict, line: str = "") -> dict:
    return {"name": question, "question": question, "call": "kill(2)", "parts": [], "line": line,
            "full": full, "without": without, "red": without["yes"] and not full["yes"],
            "changed": full != without}


def found(*parts: str) -> dict:
    pane = {"pane": "namespaces", "full": "private", "proof": "readlink /proc/9/ns/mnt",
            "evidence": {"full": "4026532217", "without": "4026531836"}}
    return {
        "without": list(parts),
        "line": f"docker run --rm -it --without {','.join(parts)} --unsafe lab/base sh",
        "panes": [{**pane, "what": "mnt", "without": "private", "red": False},
                  {**pane, "what": "pid", "without": "the host's", "red": True}],
        "probes": [probe("signal a process of the host", answer(False, "ESRCH"), answer(True),
                         "kill -0 2"),
                   probe("read /proc/kcore", answer(False), answer(False, "EPERM")),
                   probe("make a device node", answer(True), answer(True))],
    }


class Asked:
    """In place of the command line: keeps what was asked, answers by hand."""

    def __init__(self) -> None:
        self.words: list[list[str]] = []
        self.trouble = ""

    def __call__(self, words, root):
        self.words.append(list(words))
        if self.trouble:
            raise ValueError(self.trouble)
        return found(*words[words.index("--without") + 1].split(","))


def drive(lab, story, size=(80, 24)) -> Asked:
    asked = Asked()

    async def go() -> None:
        async with lab.run_test(size=size) as pilot:
            await settle(pilot)
            lab.push_screen(AblationScreen(asked))
            await settle(pilot)
            await story(pilot, asked)

    asyncio.run(go())
    return asked


async def done(pilot) -> None:
    await pilot.app.workers.wait_for_complete()
    await settle(pilot)


@pytest.mark.parametrize("size", [(80, 24), (120, 30)], ids=["80x24", "120x30"])
def test_a_part_left_out_turns_rows_and_probes_red_in_words_too(lab, size):
    async def story(pilot, asked):
        assert all(part in text(lab) for part in PARTS)
        await pilot.press("space", "U", "r")
        await done(pilot)
        seen = text(lab)
        assert "✖ pid      left out" in seen
        assert "1 of 2 pane rows, 1 of 3 probes turned red" in seen
        rows = {" ".join(row.split()): row for row in seen.splitlines()}
        assert any("✖ pid ns" in row and "the host's" in row for row in rows)
        assert any("✖ signal a process of the host" in row and "YES" in row for row in rows)
        assert any("▲ read /proc/kcore" in row and "no EPERM" in row for row in rows)
        assert any("= make a device node" in row for row in rows)

    asked = drive(lab, story, size)
    assert asked.words == [["ablation", "--json", "--without", "pid", "--unsafe"]]


def test_what_could_harm_the_host_has_to_be_allowed_first(lab):
    async def story(pilot, asked):
        await pilot.press("space", "r")
        await settle(pilot)
        seen = " ".join(text(lab).split())
        assert "this host could be harmed" in seen and "U allows it" in seen
        assert not asked.words
        await pilot.press("U", "U", "r")
        await settle(pilot)
        assert not asked.words, "taken back again"

    drive(lab, story)


def test_what_harms_nothing_starts_at_once(lab):
    async def story(pilot, asked):
        await pilot.press("down", "down", "space", "r")
        await done(pilot)
        await pilot.press("down", "down", "space")
        await settle(pilot)
        assert "r starts again: changed since is uts" in text(lab)

    assert drive(lab, story).words == [["ablation", "--json", "--without", "net"]]


def test_a_part_no_container_has_is_refused_by_a_sentence(lab):
    async def story(pilot, asked):
        await pilot.press(*["down"] * list(PARTS).index("user"), "space")
        await settle(pilot)
        said = " ".join(text(lab).replace("│", " ").split())
        assert "no user namespace of its own" in said
        assert "◌ user     has none" in text(lab)
        await pilot.press("r")
        await settle(pilot)
        assert not asked.words

    drive(lab, story)


def test_the_engines_refusal_is_shown_as_it_is(lab):
    async def story(pilot, asked):
        asked.trouble = "containers need root here, and you are uid 1000"
        await pilot.press("down", "down", "space", "r")
        await done(pilot)
        assert "containers need root here" in text(lab)

    drive(lab, story)


def test_over_the_table_a_row_can_be_tried_by_hand(lab):
    async def story(pilot, asked):
        await pilot.press("space", "U", "r")
        await done(pilot)
        await pilot.press("tab", "down")
        await settle(pilot)
        assert "pid 4026532217 · without 4026531836" in text(lab)
        await pilot.press("down", "y")
        await settle(pilot)
        assert lab.clipboard == ("docker run --rm --without pid --unsafe lab/base sh -c "
                                 "'kill -0 2'")
        assert "sent to the terminal's clipboard" in text(lab)
        await pilot.press("q")
        await settle(pilot)
        assert isinstance(lab.screen, AblationScreen) and not lab.screen.over_table
        await pilot.press("q")
        await settle(pilot)
        assert not isinstance(lab.screen, AblationScreen)

    drive(lab, story)


def test_it_is_a_key_away_from_home(lab):
    async def story(pilot, asked):
        await pilot.press("q", "a")
        await settle(pilot)
        assert "what does each part of a container hold back?" in text(lab)
        await pilot.press("question_mark")
        await settle(pilot)
        assert "allow what could harm this host" in text(lab)

    drive(lab, story)


@pytest.mark.parametrize("width", [52, 55, 95, 140])
def test_every_row_fits(width):
    from lab.widgets.line import laid_out, width_of

    for row in board.table_lines(found("pid"), width):
        assert width_of(laid_out(row, width)) == width


def test_the_line_is_the_one_the_student_would_type():
    words = board.command({"uts", "net"}, armed=True)
    assert board.shown(words) == "container-lab ablation --without net,uts"
    assert board.shown(board.command({"pid"}, armed=True)).endswith("--without pid --unsafe")


@pytest.mark.kernel
def test_the_command_line_makes_the_table(root):
    table = by_command(board.command({"uts"}, armed=False), root)
    assert [row["what"] for row in table["panes"] if row["red"]] == ["uts"]
    assert [row["name"] for row in table["probes"] if row["red"]] == ["name"]
    with pytest.raises(ValueError, match="could harm this host"):
        by_command(board.command({"pid"}, armed=False), root)
