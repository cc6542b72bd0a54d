"""Gauge, plot, prose and the live table: the small parts that draw."""

from __future__ import annotations

import asyncio

import pytest
from textual.app import App

from lab import theme
from lab.glyphs import ASCII, CONSOLE, FULL, choose
from lab.widgets.gauge import bar
from lab.widgets.line import Line, Span, fit, fit_left, laid_out, line
from lab.widgets.live_table import LiveTable
from lab.widgets.plot import Column, plot, spark
from lab.widgets.prose import prose
from lab.widgets.quantities import age, clock, duration, exit_words, short_size, size


@pytest.mark.parametrize("share,expected", [
    (0.0, "    "), (0.5, "██  "), (1.0, "████"), (2.0, "████"), (0.03125, "▏   "),
])
def test_a_bar_fills_by_eighths(share, expected):
    assert bar(share, 4).ljust(4) == expected


def test_a_plot_has_its_newest_sample_at_the_right_end():
    rows = [row.text for row in plot([Column(0.5), Column(1.0)], 16, 2, "48M")]
    assert rows[0].startswith(" 48M ┤╌") and rows[0].endswith("╌█")
    assert rows[1].endswith("██") and " 0 ┤" in rows[1]


def test_throttling_and_the_kill_have_signs_not_only_colours():
    rows = plot([Column(0.2, shaded=True), Column(0.9, killed=True)], 14, 3, "1")
    assert "░" in rows[0].text and "✖" in rows[0].text


def test_a_spark_is_as_wide_as_it_is_told():
    assert sum(len(span.text) for span in spark([Column(0.5)] * 50, 20)) == 20
    assert sum(len(span.text) for span in spark([], 20)) == 20


def test_code_keeps_its_own_indent():
    rows = [row.text for row in prose('So:\n\n    {\n      "a": [\n        1 ]\n    }\n', 40)]
    assert rows[2:] == ["   {", '     "a": [', "       1 ]", "   }"]
    long = [row.text for row in prose("    one \\\n      two three four five six seven", 24)]
    assert long == ["   one \\", "     two three four", "       five six seven"]


def test_a_line_that_goes_on_behind_a_backslash_is_one_line_to_type():
    rows = prose("    one \\\n      two\n    three", 40)
    assert [row.proof for row in rows] == ["", "one two", "three"]


def test_prose_wraps_and_tells_code_from_words():
    rows = prose("Give it `$limit`, and **let** it run:\n\n    docker run x\n\n- one\n- two", 24)
    texts = [row.text for row in rows]
    assert all(len(text) <= 24 for text in texts)
    assert "   docker run x" in texts and " · one" in texts and " · two" in texts
    assert Span("$limit", "code") in rows[0].spans


def test_a_comma_stays_with_its_word():
    assert not any(row.text.strip().startswith(",") for row in prose("xxx xxxx xxxx `a`, b", 16))


def test_fitting_cuts_the_less_important_end():
    assert fit("abcdef", 4) == "abc…" and fit("ab", 4) == "ab  "
    assert fit_left("/sys/fs/cgroup/memory.max", 11) == "…memory.max"


def test_the_right_side_goes_when_there_is_no_room():
    row = line("left", right=["right"])
    assert "".join(span.text for span in laid_out(row, 12)) == "left   right"
    assert "".join(span.text for span in laid_out(row, 8)) == "left    "


@pytest.mark.parametrize("given,expected", [
    (size(50331648), "48.0M"), (short_size(50331648), "48M"), (size(None), "max"),
    (duration(118), "118 µs"), (duration(4200), "4.2 ms"), (duration(1_310_000), "1.31 s"),
    (age(4), "4 s"), (age(720), "12 m"), (exit_words(137), "128 + 9 KILL"),
    (exit_words(3), ""), (clock(1790000000.114)[-4:], ".114"),
])
def test_quantities(given, expected):
    assert given == expected


@pytest.mark.parametrize("terminal,encoding,expected", [
    ("xterm-256color", "UTF-8", FULL), ("linux", "UTF-8", CONSOLE), ("xterm", "ISO-8859-1", ASCII),
])
def test_poor_terminals_have_poor_signs(terminal, encoding, expected):
    assert choose(terminal, encoding) is expected


def contrast(one: str, other: str) -> float:
    """The WCAG contrast ratio of two colours."""
    def luminance(colour: str) -> float:
        parts = [int(colour[at:at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", [theme.DARK, theme.LIGHT], ids=lambda one: one.name)
@pytest.mark.parametrize("role", ["text", "dim", "strong", "calm", "pressure", "dead", "code",
                                  "focus"])
def test_every_word_can_be_read_on_its_background(palette, role):
    assert contrast(getattr(palette, role), palette.background) >= 4.5
    assert contrast(getattr(palette, role), palette.raised) >= 4.5


class Table(App):
    """A table in an app of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.table = LiveTable()

    def compose(self):
        yield self.table

    def on_mount(self) -> None:
        for palette in theme.PALETTES.values():
            self.register_theme(theme.textual_theme(palette))
        self.theme = "lab-dark"


def test_only_rows_that_changed_are_painted_and_a_change_is_bright():
    async def story():
        app = Table()
        async with app.run_test(size=(20, 5)) as pilot:
            rows = [line(Span(f" {n}", key=f"row:{n}")) for n in "abcd"]
            app.table.put(rows)
            await pilot.pause()
            painted = []
            real = app.table._repaint
            app.table._repaint = lambda number: (painted.append(number), real(number))
            app.table.put([*rows[:2], line(Span(" x", key="row:c")), rows[3]])
            await pilot.pause()
            assert painted == [2]
            assert app.table._bright.keys() == {"row:c"}
            app.table._bright["row:c"] = 0.0
            app.table._fade()
            assert not app.table._bright

    asyncio.run(story())


def test_the_cursor_stops_where_there_is_a_proof():
    async def story():
        app = Table()
        async with app.run_test(size=(20, 3)) as pilot:
            app.table.shows_cursor = True
            proven = [Line((Span(f" {n}"),), proof=f"cat {n}") for n in range(6)]
            app.table.put([line(" title"), *proven[:3], line(" gap"), *proven[3:]])
            await pilot.pause()
            assert app.table.current.proof == "cat 0"
            for _ in range(3):
                app.table.step_cursor(1)
            assert app.table.current.proof == "cat 3" and app.table.top > 0
            app.table.step_cursor(-99)
            assert app.table.current.proof == "cat 0" and app.table.top == 0
            app.table.put([proven[0], *(line(f" row {n}") for n in range(9))])
            app.table.step_cursor(1)
            app.table.step_cursor(1)
            assert app.table.current.proof == "cat 0" and app.table.top == 2

    asyncio.run(story())
