"""A gauge: how full something is against its limit, in eighths of a cell.

Twin of the bars of systemd-cgtop's friends; a pure function. The bar says share and limit, the role
says the meaning, and a number always stands beside it.
  gauge(0.5, 8, "calm") → ▕████    ▏
"""

from __future__ import annotations

from lab.glyphs import G
from lab.widgets.line import Span

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int) -> str:
    """`width` cells filled from the left to the share (0.0 to 1.0)."""
    share = min(1.0, max(0.0, share))
    if "▁" not in G.bars:
        full = round(share * width)
        return G.bars[-1] * full + " " * (width - full)
    eighths = round(share * width * 8)
    full, rest = divmod(eighths, 8)
    text = "█" * full + (_EIGHTHS[rest] if rest else "")
    return text.ljust(width)[:width]


def gauge(share: float | None, width: int, role: str, key: str = "") -> list[Span]:
    """The bar between its ends; without a limit (None) there is nothing to be full of: no bar."""
    if share is None:
        return []
    return [Span(G.left, "rule"), Span(bar(share, width), role, key), Span(G.right, "rule")]
