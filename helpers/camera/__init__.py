"""The camera: what films coroutines, on the fast-forward clock and on the real one."""

from .clock import busy, record, simulate
from .fastforward import Deadlock, FastForwardLoop, JumpingSelector, OrderedDeadline, Runaway
from .outside import RealIO
from .run import Lane, Run, Segment
from .steps import Step, Steps

__all__ = [
    "Deadlock",
    "FastForwardLoop",
    "JumpingSelector",
    "Lane",
    "OrderedDeadline",
    "RealIO",
    "Run",
    "Runaway",
    "Segment",
    "Step",
    "Steps",
    "busy",
    "record",
    "simulate",
]
