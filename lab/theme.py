"""The two themes, and the style of every role a line can name.

Colours that stay apart for normal, deutan, protan and tritan eyes, all at least 4.5:1 on their
background (WCAG AA); a test measures it. Three meanings, three colours, and never the colour alone:
calm `● RUN`, pressure `▲ THROTTLED`, dead `✖ OOM`. With NO_COLOR there is no colour at all, not
even grey, only bold, dim and reverse; on a terminal of eight colours Rich takes the nearest, and
bold and reverse still tell the roles apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rich.style import Style
from textual.theme import Theme


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one theme by meaning."""

    name: str
    dark: bool
    background: str
    raised: str
    text: str
    dim: str
    rule: str
    strong: str
    calm: str
    pressure: str
    dead: str
    code: str
    focus: str


DARK = Palette(
    name="lab-dark", dark=True, background="#11161b", raised="#1b232b", text="#ced6de",
    dim="#8592a0", rule="#33404c", strong="#ffffff", calm="#56b4e9", pressure="#ffd60a",
    dead="#ff6b6b", code="#9fd8c4", focus="#7cc7f2",
)
LIGHT = Palette(
    name="lab-light", dark=False, background="#fbfaf6", raised="#efece3", text="#2c343c",
    dim="#5d6771", rule="#c3c0b6", strong="#000000", calm="#005b94", pressure="#7a5600",
    dead="#b01e1e", code="#1d6350", focus="#00659f",
)
PALETTES = {palette.name: palette for palette in (DARK, LIGHT)}


def textual_theme(palette: Palette, plain: bool = False) -> Theme:
    """The palette as Textual's own widgets (the input line) and theme.tcss see it."""
    return Theme(
        name=palette.name, primary=palette.focus, secondary=palette.calm, warning=palette.pressure,
        error=palette.dead, success=palette.calm, accent=palette.focus, foreground=palette.text,
        background=palette.background, surface=palette.background, panel=palette.raised,
        dark=palette.dark,
        variables={"rule": palette.rule, "dim": palette.dim, "input-cursor-background":
                   palette.text, "input-selection-background": f"{palette.focus} 35%",
                   "input-cursor-text-style": "reverse" if plain else "none"},
    )


# NO_COLOR: the terminal's own two colours; weight and reverse tell the roles apart.
PLAIN = {
    **dict.fromkeys(("text", "name", "calm", "code", "emphasis"), Style()),
    **dict.fromkeys(("dim", "rule"), Style(dim=True)),
    **dict.fromkeys(("strong", "title", "pressure", "focus", "key"), Style(bold=True)),
    **dict.fromkeys(("dead", "bright", "chosen"), Style(bold=True, reverse=True)),
}


@lru_cache(maxsize=4)
def styles(name: str, plain: bool = False) -> dict[str, Style]:
    """{role: style} of a theme; the background is the widget's own."""
    if plain:
        return PLAIN
    p = PALETTES.get(name, DARK)
    return {
        "text": Style(color=p.text),
        "dim": Style(color=p.dim),
        "name": Style(color=p.text),
        "strong": Style(color=p.strong, bold=True),
        "title": Style(color=p.strong, bold=True),
        "calm": Style(color=p.calm),
        "pressure": Style(color=p.pressure, bold=True),
        "dead": Style(color=p.dead, bold=True),
        "code": Style(color=p.code),
        "focus": Style(color=p.focus, bold=True),
        "rule": Style(color=p.rule),
        "key": Style(color=p.strong, bold=True),
        "emphasis": Style(color=p.text, italic=True),
        "bright": Style(color=p.strong, bold=True),
        "chosen": Style(color=p.strong, bold=True, bgcolor=p.raised),
    }
