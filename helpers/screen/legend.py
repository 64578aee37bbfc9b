"""The legend of a picture: what colours, patterns and signs stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..camera.texts import plain
from .bars import HALF, HATCH, MARGIN, paint
from .layout import Pattern
from .letters import KEY, Name, cut_to, px
from .palette import OTHER
from .text import as_drawn

__all__ = ["Key", "add_legend", "in_lines", "keys"]

_WIDE, _HIGH, _NEAR, _FAR = 25, 13, 8, 20  # pixels: a patch, before its text, after it
_MEANING: dict[Pattern, str] = {
    "running": "running: holds the loop",
    "ready": "ready: could run, kept out",
    "world": "waiting for the world",
    "turn": "waiting for its turn",
}


class Key(NamedTuple):
    """What stands beside a text, and how that is called."""

    text: str
    colour: str = ""
    pattern: Pattern | None = None
    """None for a sign, which is part of the text."""

    def width(self) -> float:
        """In pixels, with the room behind it."""
        return px(self.text, KEY) + _FAR + (_WIDE + _NEAR if self.pattern else 0)


def keys(
    colours: Mapping[str, str], states: Mapping[Pattern, str], signs: Sequence[str]
) -> list[list[Key]]:
    """What the legend explains: the calls; the states, and what is waited for in them; signs.

    Examples
    --------
    >>> [[key.text for key in group] for group in keys({"load": "#000000"}, {"world": "sleep"}, [])]
    [['load()'], ['waiting for the world: sleep']]
    """
    calls = [
        Key(f"{cut_to(plain(call, 30), KEY, 270)}()", colour, "running")
        for call, colour in colours.items()
        if colour != OTHER
    ]
    if OTHER in colours.values():
        calls.append(Key("other", OTHER, "running"))
    others = [
        Key(cut_to(f"{text}: {states[state]}".removesuffix(": "), KEY, 560), "#555555", state)
        for state, text in _MEANING.items()
        if state in states
    ]
    return [calls, others + [Key(sign) for sign in signs]]


def in_lines(groups: Sequence[Sequence[Key]], room: float) -> list[list[Key]]:
    """Break it into lines of so many pixels: in one if all fits, else each group begins anew."""
    everything = [key for group in groups for key in group]
    if sum(key.width() for key in everything) <= room + _FAR:
        return [everything]
    lines: list[list[Key]] = []
    for group in groups:
        left = 0.0
        for key in group:
            left -= key.width()
            if left < -_FAR:
                lines.append([])
                left = room - key.width()
            lines[-1].append(key)
    return lines


def add_legend(figure: Figure, lines: Sequence[Sequence[Key]], *, high: float, foot: float) -> None:
    """Draw the lines, each so many pixels high, above the foot of the figure."""
    wide, tall = figure.get_size_inches() * figure.dpi
    for number, line in enumerate(lines):
        x, y = float(MARGIN), foot + high * (len(lines) - number - 0.5)
        for key in line:
            at = x
            if key.pattern is not None:
                face, edge = paint(key.colour, key.pattern)
                part = _HIGH * HALF[key.pattern] / HALF["running"]
                box = Rectangle(
                    (x / wide, (y - part / 2) / tall),
                    _WIDE / wide,
                    part / tall,
                    fc=face,
                    ec=edge,
                    hatch=HATCH[key.pattern],
                    transform=figure.transFigure,
                    gid="key",
                    snap=True,
                )
                figure.add_artist(box)
                at += _WIDE + _NEAR
            text, how = as_drawn(key.text, KEY)
            figure.add_artist(
                Name(
                    at / wide,
                    y / tall,
                    text,
                    transform=figure.transFigure,
                    va="center_baseline",
                    gid="key",
                    **how,
                )
            )
            x += key.width()
