"""The screen: what shows a run."""

from .explorer import explore
from .game import be_the_loop
from .plot import compare, curve, png, timeline
from .replay import replay

__all__ = ["be_the_loop", "compare", "curve", "explore", "png", "replay", "timeline"]
