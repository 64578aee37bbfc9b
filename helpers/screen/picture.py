"""What all widgets of the course have: a picture with words, also where no widget can live."""

from __future__ import annotations

import base64
from typing import Any

import ipywidgets as widgets
from traitlets import Unicode

from ..camera.run import Run
from ..camera.texts import plain

__all__ = ["Picture", "PictureBox", "button"]


class Picture(widgets.Image):  # type: ignore[misc]
    """The timeline of a run, with its line of text for those who cannot see it.

    Examples
    --------
    >>> from helpers import load_data, simulate
    >>> picture = Picture()
    >>> picture.show(b"PNG", simulate(load_data, "dataset1.csv"))
    >>> picture.tooltip
    'Timeline: 0.65 s'
    """

    # Without it the view of a widget that has a tooltip cannot be made (ipywidgets 8.1.9).
    description = Unicode("").tag(sync=True)

    def __init__(self) -> None:
        super().__init__(format="png")
        self.layout.max_width = "100%"
        self.layout.align_self = "flex-start"  # its own size, not enlarged
        self.layout.object_fit = "contain"

    def show(self, png: bytes, run: Run) -> None:
        """Show this picture of the run."""
        self.value = png
        self.tooltip = plain(f"Timeline: {run!r}", 600)


class PictureBox(widgets.VBox):  # type: ignore[misc]
    """A box that holds a `picture`, and has a short `repr`."""

    picture: Picture

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The widget; and where none can live (GitHub, paper) its picture."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is not None:
            data["text/plain"] = repr(self)
            if self.picture.value:
                data["image/png"] = base64.b64encode(self.picture.value).decode()
        return bundle


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
