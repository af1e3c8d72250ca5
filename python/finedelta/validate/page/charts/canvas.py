"""What charts are drawn with: elements of SVG, and how much room a text takes in fonts that are not known."""

from __future__ import annotations

import math
import unicodedata
from html import escape
from typing import Literal

from finedelta.validate.page.inline import plain

WIDTH = 720  # of charts that may choose
ROW = 24  # between bars

_FONT = 12.0  # as in page.css
_BOLD = 1.15
_NARROW = frozenset("iljftrI.,:;|!'`()[]{}/\\- \"")
_WIDE = frozenset("mwMWOQGD@%…+=<>~×→−&")
_LONGEST = 400  # characters of a name that are looked at

Anchor = Literal["start", "middle", "end"]


def _em(character: str) -> float:
    """At least the width of a character in common fonts, in parts of the font's size."""
    if character in _NARROW:
        return 0.42
    if character in _WIDE:
        return 1.0
    if unicodedata.combining(character):
        return 0.0
    if character >= "\u0590":
        # Latin punctuation, or else scripts whose letters are as wide as high, and emoji.
        return 0.9 if "\u2000" <= character < "\u2190" else 1.3
    return 0.82 if character.isupper() else 0.64


def text_width(text: str, is_bold: bool = False) -> float:
    return sum(map(_em, plain(text))) * _FONT * (_BOLD if is_bold else 1)


def widest(texts: list[str], most: float, is_bold: bool = False) -> float:
    """The room that texts get which are cut to `most`."""
    return min(most, max((text_width(text, is_bold) for text in texts), default=0.0))


def fit(text: str, room: float, is_bold: bool = False) -> str:
    """The text, or both its ends around an ellipsis."""
    text = plain(text)
    if len(text) > _LONGEST:
        half = _LONGEST // 2
        text = text[:half] + "…" + text[-half:]
    if text_width(text, is_bold) <= room:
        return text
    for kept in range(len(text) - 1, 0, -1):
        shorter = text[: (kept + 1) // 2] + "…" + text[len(text) - kept // 2 :]
        if text_width(shorter, is_bold) <= room:
            return shorter
    return ""


def share(value: float, largest: float) -> float:
    """Of the largest, from 0 to 1; 0 for what cannot be drawn."""
    if not (math.isfinite(value) and value > 0 and largest > 0):
        return 0.0
    return min(1.0, value / largest)


def text(
    x: float,
    y: float,
    content: str,
    room: float = math.inf,
    style: str = "",
    anchor: Anchor = "start",
    turn: float = 0,
) -> str:
    """`y` is the baseline. A text that is cut to its room says all of it to whoever points at it."""
    shown = fit(content, room, "bold" in style)
    whole = plain(content)
    tip = f"<title>{escape(whole)}</title>" if shown != whole else ""
    turned = f' transform="rotate({turn:g} {x:.1f} {y:.1f})"' if turn else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}"{_class(style)} text-anchor="{anchor}"{turned}>'
        f"{tip}{escape(shown)}</text>"
    )


def rect(x: float, y: float, width: float, height: float, style: str, opacity: float | None = None) -> str:
    filled = "" if opacity is None else f' fill-opacity="{opacity:.3f}"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"{_class(style)}{filled}/>'


def line(x: float, y: float, to_x: float, to_y: float, style: str) -> str:
    return f'<path d="M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}"{_class(style)}/>'


def circle(x: float, y: float, style: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5"{_class(style)}/>'


def tipped(tip: str, *elements: str) -> str:
    """Elements that say something to whoever points at them."""
    return f"<g><title>{escape(plain(tip))}</title>{''.join(elements)}</g>"


def drawing(kind: str, title: str, width: float, height: float, elements: list[str]) -> str:
    width, height = math.ceil(width), math.ceil(height)
    return "\n".join(
        [
            f'<svg class="chart" role="img" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}">',
            f"<title>{escape(plain(title))}</title>",
            f"<desc>{escape(kind)}. The table below it has the same numbers.</desc>",
            *elements,
            "</svg>",
        ]
    )


def _class(style: str) -> str:
    return f' class="{style}"' if style else ""
