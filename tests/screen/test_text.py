"""Any text can be shown: escaped where it must be, in letters where it can, and not too long."""

import doctest
import json
import unicodedata
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from helpers.camera.texts import plain
from helpers.screen import text as module
from helpers.screen.style import in_our_style
from helpers.screen.text import (
    Font,
    as_drawn,
    cut,
    escaped,
    in_order,
    message,
    value,
    width,
)

NAME, TITLE, KEY = Font(12, "monospace"), Font(12, weight="bold"), Font(11)
ANY = st.text(st.characters(), max_size=60)  # lone surrogates, too


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(module)
    assert result.attempted and not result.failed


# --- In words ------------------------------------------------------------------------------


@given(ANY, st.integers(1, 80))
def test_plain_text_can_be_sent_and_obeys_nothing(any_text: str, most: int) -> None:
    """It is valid UTF-8, in one line, without controls, not too long; and stays when repeated."""
    shown = plain(any_text, most)
    json.dumps(shown, ensure_ascii=False).encode()
    assert len(shown) <= most
    assert plain(shown, most) == shown
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("$x^2$ <b> naïve 中 😀", "$x^2$ <b> naïve 中 😀"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\0\x1b[31m\x7f\x85", r"\x00\x1b[31m\x7f\x85"),
        ("\ud800 \u202e \u2028 \ufeff", r"\ud800 \u202e \u2028 \ufeff"),
        ("हिन्\u200cदी 👩\u200d💻 \u3000", "हिन्\u200cदी 👩\u200d💻 \u3000"),
    ],
)
def test_controls_are_escaped_as_python_does_and_letters_are_not(text: str, shown: str) -> None:
    """Spaces of other widths, and what shapes a script, are no controls."""
    assert plain(text) == shown


def test_what_is_to_be_kept_is_kept() -> None:
    """Printed text has lines and tabs."""
    assert plain("a\n\tb\0", keep="\n\t") == "a\n\tb\\x00"
    assert escaped("<\n>") == r"&lt;\n&gt;"


class Broken(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt

    __repr__ = __str__


class Wordless(Exception):
    def __str__(self) -> str:
        return None  # type: ignore[return-value]


def test_a_message_is_one_short_line_of_any_error() -> None:
    """Of one that cannot be asked its kind alone."""
    assert message(ValueError("  first\nsecond")) == "ValueError: first"
    assert message(Broken()) == "Broken" and message(Wordless()) == "Wordless"
    assert message(KeyError()) == "KeyError"
    assert len(message(ValueError("x" * 1_000_000))) == 300
    assert message(ValueError("\ud800")) == r"ValueError: \ud800"


def test_a_value_is_short_whatever_it_is() -> None:
    """Of one that cannot be asked its kind alone."""
    endless: list[object] = []
    endless.append(endless)
    for odd in ("x" * 1_000_000, b"x" * 1_000_000, [0] * 10_000, 10**5_000, endless, Broken()):
        assert len(value(odd)) <= 60
    assert value(Broken()) == "<Broken>"
    assert value("\ud800") == r"'\ud800'"


def test_parts_keep_their_order_where_one_runs_from_right_to_left() -> None:
    """A mark beside the dots; other texts are left alone."""
    assert in_order("a 中 · 3 lanes") == "a 中 · 3 lanes"
    assert in_order("שלום · 3 lanes") == "שלום\u200e · \u200e3 lanes"


# --- Drawn ---------------------------------------------------------------------------------


@pytest.fixture
def lone_font(tmp_path: Path) -> Iterator[str]:
    """A font that has one letter, which no other has: a square, and an empty one beside it."""
    pen = TTGlyphPen(None)
    for move, point in [
        (pen.moveTo, (0, 0)),
        (pen.lineTo, (0, 900)),
        (pen.lineTo, (900, 900)),
        (pen.lineTo, (900, 0)),
    ]:
        move(point)
    pen.closePath()
    empty = TTGlyphPen(None).glyph()
    build = FontBuilder(1000, isTTF=True)
    build.setupGlyphOrder([".notdef", "square", "empty"])
    build.setupCharacterMap({0x12000: "square", 0x12001: "empty"})
    build.setupGlyf({".notdef": empty, "square": pen.glyph(), "empty": empty})
    build.setupHorizontalMetrics(dict.fromkeys([".notdef", "square", "empty"], (1000, 0)))
    build.setupHorizontalHeader(ascent=900, descent=-100)
    build.setupNameTable({"familyName": "Lone", "styleName": "Regular"})
    build.setupOS2(sTypoAscender=900, usWinAscent=900, usWinDescent=100)
    build.setupPost()
    build.save(tmp_path / "lone.ttf")
    before = list(fontManager.ttflist)
    forget()
    fontManager.addfont(tmp_path / "lone.ttf")
    yield "Lone"
    fontManager.ttflist = before
    forget()


def forget() -> None:
    for cached in (module._in_families, module._advance):
        cached.cache_clear()
    module._known.clear()


def ink(text: str, font: Font) -> float:
    """How much of a picture a text blackens, in dots."""
    with warnings.catch_warnings(), in_our_style():
        warnings.simplefilter("error")
        figure = Figure(figsize=(6, 0.5), dpi=100)
        canvas = FigureCanvasAgg(figure)
        drawn, how = as_drawn(text, font)
        figure.text(0.01, 0.2, drawn, **how)
        canvas.draw()
        return float((1 - np.asarray(canvas.buffer_rgba())[..., :3] / 255).mean(axis=2).sum())


@pytest.mark.parametrize("font", [NAME, TITLE, KEY])
def test_a_letter_comes_from_whichever_font_has_it(lone_font: str, font: Font) -> None:
    """It is drawn in that, whatever its weight, without a warning; the others stay in ours."""
    letter = "\U00012000"
    with in_our_style():
        drawn, how = as_drawn(f"a{letter}", font)
    assert drawn == f"a{letter}"
    assert how["fontproperties"].get_family() == [font.family, lone_font]
    square = (0.9 * font.size * 100 / 72) ** 2
    assert ink(letter * 3, font) == pytest.approx(3 * square, rel=0.15)


def test_a_letter_that_no_font_draws_is_escaped(lone_font: str) -> None:
    """Neither a box nor nothing: in one font it is empty, in the others missing."""
    with in_our_style():
        assert as_drawn("a\U00012001b", NAME)[0] == r"a\U00012001b"
        assert as_drawn("a\U00012002b", NAME)[0] == r"a\U00012002b"


def test_usual_text_looks_for_no_font(monkeypatch: pytest.MonkeyPatch) -> None:
    """What our fonts have needs no other, so that it costs nothing."""
    forget()
    monkeypatch.setattr(module, "fontManager", None)
    with in_our_style():
        for text in ("load('a')", "failed · at most 3 … ✖ ■", "naïve ž Ω Я"):
            assert as_drawn(text, TITLE)[0] == text


@settings(deadline=None, max_examples=60)
@given(ANY)
def test_any_text_is_drawn_without_a_warning(any_text: str) -> None:
    """And where there is something to be seen, something is seen."""
    some = ink(any_text, NAME)
    if any(unicodedata.category(c)[0] in "LNPS" for c in any_text[:5]):
        assert some > 0


@pytest.mark.parametrize("font", [NAME, TITLE, KEY])
@pytest.mark.parametrize("text", ["W" * 50, "i" * 50, "load_data('dataset1.csv')", "😀a" * 20])
def test_a_width_is_that_of_the_drawing(text: str, font: Font) -> None:
    """Within the kerning of its letters, and as it is saved, with twice the dots, if wider then."""
    with in_our_style():
        drawn, how = as_drawn(text, font)
        real = max(
            RendererAgg(9, 9, dpi).get_text_width_height_descent(
                drawn, how["fontproperties"], False
            )[0]
            / dpi
            for dpi in (100, 200)
        )
        assert width(text, font) == pytest.approx(real, rel=0.03, abs=0.03)


@settings(deadline=None)
@given(ANY, st.floats(0.2, 6.0))
def test_a_cut_text_fits_and_is_cut_no_sooner(any_text: str, room: float) -> None:
    """With its sign, if it was cut; what fits is left as it is."""
    text = plain(any_text)
    with in_our_style():
        short = cut(text, NAME, room)
        assert width(short, NAME) <= room + 1e-6
        if short != text:
            kept = len(short) - 1
            assert short == text[:kept] + "…"
            assert width(text[: kept + 1] + "…", NAME) > room - 1e-6


def test_wide_letters_count_more() -> None:
    """Twelve letters of four are as many as there is room for."""
    with in_our_style():
        assert cut("a" * 50, NAME, 4.2) == "a" * 41 + "…"
        assert len(cut("W" * 50, TITLE, 4.2)) < len(cut("i" * 50, TITLE, 4.2)) == 50
