"""What is written into pictures: the fonts, and texts cut and broken to fit, in CSS pixels."""

from __future__ import annotations

import math
import textwrap
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text

from ..camera.texts import plain
from .style import in_our_style
from .text import Font, as_drawn, cut, in_order, width

__all__ = [
    "BOLD",
    "ITALIC",
    "KEY",
    "MOST_LETTERS",
    "NAME",
    "PX",
    "SIGN",
    "TEXT",
    "TITLE",
    "Name",
    "cut_to",
    "px",
    "wrapped",
    "write",
]

PX = 100  # CSS pixels an inch
MOST_LETTERS = 1_000  # of any text, before it is cut to fit
_FONT = 12.0  # points
NAME, ITALIC = Font(_FONT, "monospace"), Font(_FONT, "monospace", style="italic")
TITLE, TEXT, KEY = Font(_FONT, weight="bold"), Font(_FONT), Font(_FONT - 1)
BOLD, SIGN = Font(_FONT - 1, weight="bold"), Font(8, weight="bold")
_BOLD = 10.4  # pixels: a letter of a title


class Name(Text):
    """A name, drawn as an image that is kept: its letters take half of a picture's time."""

    def draw(self, renderer: Any) -> None:
        """Draw it, in letters where images do not help: PDF, SVG."""
        if not hasattr(renderer, "buffer_rgba"):
            return super().draw(renderer)
        box = self.get_window_extent(renderer)
        size = math.ceil(box.width) + 2, math.ceil(box.height) + 2
        image = _image(self.get_text(), self.get_fontproperties(), size, renderer.dpi)
        context = renderer.new_gc()
        renderer.draw_image(context, round(box.x0) - 1, round(box.y0) - 1, image)
        context.restore()


@lru_cache(maxsize=2_000)
def _image(name: str, how: FontProperties, size: tuple[int, int], dpi: float) -> Any:
    """A name in black on nothing, with a dot of air around it."""
    width, height = size
    with in_our_style():
        figure = Figure(figsize=(width / dpi, height / dpi), dpi=dpi, facecolor="none")
        canvas: Any = FigureCanvasAgg(figure)
        figure.text(1 / width, 1 / height, name, va="bottom", parse_math=False, fontproperties=how)
        canvas.draw()
        return np.flipud(np.asarray(canvas.buffer_rgba()))


def px(text: str, font: Font) -> float:
    """How wide a line of text is."""
    return width(text, font) * PX


def write(artist: Text, text: str, font: Font) -> None:
    """Have a text say this, as it is."""
    drawn, how = as_drawn(text, font)
    artist.set(text=drawn, **how)


def cut_to(text: str, font: Font, room: float) -> str:
    """The text in one line that is no wider than that.

    Examples
    --------
    >>> cut_to("a long story", NAME, 80)
    'a long …'
    """
    return cut(plain(text, MOST_LETTERS), font, room / PX)


def wrapped(title: str, room: float) -> str:
    """The title in lines that fit, four at most, broken between its parts where possible.

    Examples
    --------
    >>> print(wrapped("2.00 s · two lanes · at most two in flight", 250))
    2.00 s · two lanes
    at most two in flight
    """
    most = int(room / _BOLD)
    while True:
        lines = [""]
        for part in title.split(" · "):
            if lines[-1] and len(lines[-1]) + len(part) + 3 <= most:
                lines[-1] += f" · {part}"
            else:
                lines += textwrap.wrap(part, most, max_lines=3, placeholder=" …") or [""]
        if most < 20 or all(px(line, TITLE) <= room for line in lines[1:5]):
            return "\n".join(in_order(cut(line, TITLE, room / PX)) for line in lines[1:5])
        most -= most // 10  # its letters are wide
