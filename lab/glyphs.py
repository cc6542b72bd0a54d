"""The few signs that stand beside words, in a full set and in one for poor terminals.

Chosen once, at the start, by what the terminal can draw. The Linux console's font has 256 or 512
glyphs and lacks ticks, crosses and most block eighths; a locale without UTF-8 has none at all.
Every sign stands beside a word, so nothing is lost where it is only an ASCII letter.
  current().bad == "✖", or "X" on the Linux console
Sources: console_codes(4), setfont(8), the cp437 table that console fonts keep to.
"""

from __future__ import annotations

import locale
import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One sign for each meaning; `bars` rises from empty to full, for plots and gauges."""

    run: str = "●"
    pressure: str = "▲"
    bad: str = "✖"
    done: str = "✔"
    open: str = "○"
    begun: str = "◐"
    closed: str = "◌"
    here: str = "▸"
    star: str = "★"
    pause: str = "‖"
    arrow: str = "→"
    differ: str = "≠"
    equal: str = "="
    bars: str = " ▁▂▃▄▅▆▇█"
    rule: str = "─"
    upright: str = "│"
    tee: str = "┬"
    branch: str = "├"
    last: str = "└"
    axis: str = "┤"
    limit: str = "╌"
    shade: str = "░"
    left: str = "▕"
    right: str = "▏"
    thumb: str = "▐"
    dot: str = "·"
    ellipsis: str = "…"
    micro: str = "µ"


FULL = Glyphs()
CONSOLE = Glyphs(
    run="*", bad="X", pressure="!", done="√", open="o", begun="%", closed="-", here=">", star="*",
    pause="=", arrow="->", differ="!", bars="  ▄▄▄▄███", limit="-", left="[", right="]",
    thumb="█", ellipsis="~", shade="░",
)
ASCII = Glyphs(
    run="*", bad="X", pressure="!", done="v", open="o", begun="%", closed="-",
    here=">", star="*", pause="=",
    arrow="->", differ="!", bars="  ..oo###", rule="-", upright="|", tee="+", branch="|", last="`",
    axis="|", limit="-", shade=":", left="[", right="]", thumb="#", dot="-", ellipsis="~",
    micro="u",
)


def choose(terminal: str, encoding: str) -> Glyphs:
    """The set for a TERM and a character encoding: choose("linux", "UTF-8") is CONSOLE."""
    if encoding.upper().replace("-", "") not in ("UTF8", ""):
        return ASCII
    return CONSOLE if terminal in ("linux", "vt100", "vt220", "cons25", "dumb") else FULL


def current() -> Glyphs:
    """The set for this terminal. CONTAINER_LAB_GLYPHS=full|console|ascii overrides."""
    wished = {"full": FULL, "console": CONSOLE, "ascii": ASCII}
    override = wished.get(os.environ.get("CONTAINER_LAB_GLYPHS", ""))
    # The C locale of a bare container is UTF-8 to Python (PEP 538); Textual writes UTF-8 anyway.
    encoding = locale.getpreferredencoding(False)
    if encoding == "ANSI_X3.4-1968":
        encoding = "UTF-8"
    return override or choose(os.environ.get("TERM", ""), encoding)


G = current()
