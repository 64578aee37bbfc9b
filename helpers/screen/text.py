"""Any text, as it can be shown: nothing in it is obeyed, no letter is a box, and it has an end."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Set
from contextlib import suppress
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.ft2font import FT2Font

from ..camera.texts import escape, kind_name, message_of, plain

__all__ = ["Font", "as_drawn", "cut", "escaped", "in_order", "message", "value", "width"]

_INK = {"L", "N", "P", "S"}  # the kinds of characters that cannot be empty
_RENDERERS: Any = [  # only to measure, as a figure is drawn and as it is saved: with rounded dots
    RendererAgg(1, 1, dpi)  # type: ignore[no-untyped-call]
    for dpi in (100, 200)
]
_NO_LETTERS = re.compile("last ?resort|blank|notdef", re.IGNORECASE)  # fonts that have but boxes


def in_order(text: str) -> str:
    """The text, its parts between dots one after the other, also if one runs from right to left."""
    if any(unicodedata.bidirectional(c) in ("R", "AL") for c in text):
        return text.replace(" · ", "\u200e · \u200e")
    return text


def escaped(text: str, most: int = 300, *, keep: str = "") -> str:
    """The text in HTML.

    Examples
    --------
    >>> escaped("<b>")
    '&lt;b&gt;'
    """
    return html.escape(plain(text, most, keep=keep))


def message(error: BaseException, most: int = 300) -> str:
    """What the error says of itself, in one line; its kind alone where it cannot be asked.

    Examples
    --------
    >>> message(ValueError("no such shard"))
    'ValueError: no such shard'
    """
    said = message_of(error)
    return plain(kind_name(error) + (f": {said}" if said else ""), most)


def value(of: Any, most: int = 60) -> str:
    """A value as Python writes it; its kind alone where it cannot be asked.

    Examples
    --------
    >>> value([1, "two"]), value("a" * 1_000, 10)
    ("[1, 'two']", "'aaaaaaaa…")
    """
    try:
        text = repr(of[:most] if type(of) in (str, bytes) else of)
    except BaseException:  # its own code: anything can come
        text = f"<{kind_name(of)}>"
    return plain(text, most)


# --- Drawn ---------------------------------------------------------------------------------


class Font(NamedTuple):
    """How a text is written."""

    size: float
    family: str = "sans-serif"
    weight: str = "normal"
    style: Literal["normal", "italic"] = "normal"

    def properties(self, *families: str) -> FontProperties:
        """The same, in these families."""
        return FontProperties(
            family=families or [self.family], size=self.size, weight=self.weight, style=self.style
        )


def as_drawn(text: str, font: Font) -> tuple[str, dict[str, Any]]:
    r"""The text, and what matplotlib's `Text` needs to write it as it is.

    Signs of mathematics are signs; a letter that the font lacks comes from another one, and one
    that no font has is escaped.

    Examples
    --------
    >>> as_drawn("$5", Font(12))[0], as_drawn("\0", Font(12))[0]
    ('$5', '\\x00')
    """
    text, families = _in_families(plain(text, keep="\n"), font)
    return text, {"fontproperties": font.properties(*families), "parse_math": False}


@lru_cache(maxsize=4_000)
def _in_families(text: str, font: Font) -> tuple[str, tuple[str, ...]]:
    if text.isascii():
        return text, (font.family,)
    has = _families({c for c in text if not c.isascii()}, font)
    others = sorted({name for name in has.values() if name and name != font.family})
    drawn = "".join(c if c.isascii() or has[c] else escape(c) for c in text)
    return drawn, (font.family, *others)


_known: dict[tuple[str, Font], str | None] = {}


def _families(characters: Set[str], font: Font) -> dict[str, str | None]:
    """The first family that has it, for each of the characters."""
    unknown = {c for c in characters if (c, font) not in _known}
    fonts: list[tuple[str, str]] = [(font.family, findfont(font.properties()))]
    if any(not _has(get_font(fonts[0][1]), c) for c in unknown):
        fonts += sorted(
            ((entry.name, entry.fname) for entry in fontManager.ttflist),
            key=lambda pair: (pair[0] != "DejaVu Sans", pair),
        )
    for name, path in fonts:
        if not unknown:
            break
        if _NO_LETTERS.search(name):
            continue
        with suppress(Exception):  # a font that cannot be read
            found = {c for c in unknown if _has(get_font(path), c)}
            if found:  # matplotlib may take another face of the family
                face = get_font(findfont(font.properties(name), fallback_to_default=False))
                found = {c for c in found if _has(face, c)}
            _known.update(((c, font), name) for c in found)
            unknown -= found
    _known.update(((c, font), None) for c in unknown)
    return {c: _known[c, font] for c in characters}


def _has(font: FT2Font, c: str) -> bool:
    """Whether the font has it, and draws something: those of coloured emoji may be empty."""
    if not font.get_char_index(ord(c)):
        return False
    if unicodedata.category(c)[0] not in _INK:
        return True
    font.load_char(ord(c))
    return len(font.get_path()[0]) > 0


def width(text: str, font: Font) -> float:
    """How wide a line of text is when drawn, in inches.

    Examples
    --------
    >>> round(width("loading", Font(12, "monospace")), 3)
    0.7
    """
    return sum([_advance(c, font) for c in text])


@lru_cache(maxsize=10_000)
def _advance(c: str, font: Font) -> float:
    """How far a letter moves those after it: seen in many, whose ink may be anywhere."""
    drawn, how = as_drawn(c, font)
    found = []
    for renderer in _RENDERERS:
        one, many = (
            renderer.get_text_width_height_descent(text, how["fontproperties"], False)[0]
            for text in (f"|{drawn}|", f"|{drawn * 21}|")
        )
        found.append((many - one) / 20 / renderer.dpi)
    return float(max(found))


def cut(text: str, font: Font, room: float) -> str:
    """The text, cut where it would be wider than so many inches.

    Examples
    --------
    >>> cut("a long story", Font(12, "monospace"), 0.8)
    'a long …'
    """
    if width(text, font) <= room + 1e-9:
        return text
    used = width("…", font)
    for at, c in enumerate(text):
        used += _advance(c, font)
        if used > room + 1e-9:
            return text[:at] + "…"
    return text
