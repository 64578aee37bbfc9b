"""What all widgets of the course have: a picture with words, also where no widget can live."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets
from matplotlib.figure import Figure
from traitlets import Unicode

from ..camera.run import Run
from .plot import in_words, png, size

__all__ = ["Picture", "PictureBox", "button", "row"]

# What is old looks so when it is for more than a moment. While JupyterLab shows that its kernel is
# busy, no widget of the kernel can answer: each says so, and the one in hand looks old.
_STYLE = """<style>
.shows-old, :has(> .shows-old-picture) + .explore-picture {
    opacity: 0.4; transition: opacity 0s 0.3s }
.jp-NotebookPanel:has(.jp-Notebook-ExecutionIndicator[data-status=busy])
    .shows-run:focus-within :is(.explore-line, .explore-picture) {
    opacity: 0.4; transition: opacity 0s 0.5s }
.shows-failed::before { content: "✘ " }
.replay-source, .replay-lanes { background: white }
.explore-line .widget-html-content { line-height: 18px }
.shows-run { position: relative }
.shows-busy { display: none; position: absolute; top: 0; right: 0; z-index: 1; margin: 0;
    height: auto; padding: 0 8px; background: #fff3c4; color: #111; pointer-events: none;
    animation: shows-busy 0s 0.5s both }
@keyframes shows-busy { from { visibility: hidden } to { visibility: visible } }
.jp-NotebookPanel:has(.jp-Notebook-ExecutionIndicator[data-status=busy]) .shows-busy {
    display: block }
</style>"""

# Notebook 7 takes the arrow keys before a slider sees them (jupyter/notebook#7716: it starts
# without the `bubblingKeydown` of JupyterLab), save where an attribute says whose they are.
# Only a script can set that.
_KEYS = """<img alt="" src="data:," onerror="window.showsKeys ||= !window.addEventListener(
    'keydown', event => event.target.matches?.('.shows-run .noUi-handle') &&
    event.target.toggleAttribute('data-lm-suppress-shortcuts', event.key.startsWith('Arrow')), true
)">"""
_BUSY = "the kernel is busy: this waits until it is free"


class Picture(widgets.Image):  # type: ignore[misc]
    """The timeline of a run, with what it shows in words for those who cannot see it.

    Examples
    --------
    >>> from helpers import load_data, simulate
    >>> from helpers.screen.plot import timeline
    >>> picture, run = Picture(), simulate(load_data, "dataset1.csv")
    >>> picture.draw(timeline(run), run)
    >>> picture.tooltip[:16], picture.width
    ('Timeline: 0.65 s', '960')
    """

    # Without it the view of a widget that has a tooltip cannot be made (ipywidgets 8.1.9).
    description = Unicode("").tag(sync=True)

    def __init__(self) -> None:
        super().__init__(format="png")
        self.layout.align_self = "flex-start"  # its own size, not enlarged
        self.layout.object_fit = "contain"
        self.layout.margin = "0"  # beside which its full width would be too wide

    def draw(self, figure: Figure, run: Run) -> None:
        """Show this figure of the run."""
        self.show(png(figure), in_words(run), *size(figure))

    def show(self, picture: bytes, words: str, width: int, height: int) -> None:
        """Show this picture, so wide and high, or smaller where there is no room."""
        with self.hold_sync():
            self.width, self.height = f"{width}", f"{height}"
            self.layout.max_width = f"min({width}px, 100%)"
            self.value, self.tooltip = picture, words


class PictureBox(widgets.VBox):  # type: ignore[misc]
    """A box that holds a `picture`, and has a short `repr`."""

    picture: Picture

    def __init__(self, children: Sequence[Any], *classes: str) -> None:
        busy = widgets.HTML(_BUSY)
        busy.add_class("shows-busy")
        style = widgets.HTML(_STYLE + _KEYS, layout={"display": "none"})
        super().__init__([*children, busy, style], _dom_classes=["shows-run", *classes])
        self.layout.overflow = "visible"  # no bars to scroll it by

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The widget; and where none can live (GitHub, paper) its picture."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is not None:
            data["text/plain"] = repr(self)
            if self.picture.value:
                data["image/png"] = base64.b64encode(self.picture.value).decode()
        return bundle


def row(*parts: Any, **layout: str) -> Any:
    """Parts beside each other, without bars to scroll them by.

    Examples
    --------
    >>> row(button("Back", "replay-step-backward"), flex="none").layout.flex
    'none'
    """
    return widgets.HBox(parts, layout={"overflow": "visible", **layout})


def button(text: str, name: str, tooltip: str | None = None, **layout: str) -> Any:
    """A button with an icon, which is the last part of its name, that of its class.

    Examples
    --------
    >>> button("Back", "replay-step-backward").icon
    'step-backward'
    """
    icon = name.partition("-")[2]
    made = widgets.Button(description=text, icon=icon, tooltip=tooltip, layout=layout)
    made.add_class(name)
    return made
