"""Helpers of the course: the world, the camera and the screen."""

from .clock import busy, record, simulate
from .infer import infer
from .load import load_data
from .trace import Run

__all__ = ["Run", "busy", "explore", "infer", "load_data", "record", "simulate"]
