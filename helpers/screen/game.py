"""A game: be the event loop, and say at each step of a run who takes it."""

from __future__ import annotations

import math
import time

import ipywidgets as widgets

from ..camera.run import Lane, Run
from ..camera.steps import Steps
from ..camera.texts import plain
from .picture import Picture, PictureBox, row
from .plot import timeline
from .text import escaped

__all__ = ["be_the_loop"]

_SOON = 0.15  # seconds in which nobody reads an answer
_LINE, _LINES = 22, 20  # pixels of a line of what was said, and how many are seen together


def be_the_loop(run: Run) -> _Board:
    """Play the event loop of a run, best of two to eight tasks: pick who goes next.

    Examples
    --------
    >>> from helpers import load_data, simulate
    >>> be_the_loop(simulate(load_data, "dataset1.csv"))
    be_the_loop, 2 steps: 0.65 s
    """
    if not isinstance(run, Run):
        raise TypeError(f"be_the_loop() wants a Run, as of simulate(), not {type(run).__name__}")
    return _Board(run)


class _Game:
    """The rules: a step is asked for where the one who takes it was in line, and not alone."""

    def __init__(self, run: Run) -> None:
        self.lanes, self.moments = [run.root, *run.lanes], Steps(run)
        self.at = self.asked = self.right = 0
        self.now, self.log, self.tried, self.over = 0.0, list[str](), False, False
        self._go_on()

    def state(self, lane: Lane) -> str:
        """What the lane does before the step: nothing, if it has not been made yet."""
        end = float("inf") if self.over else self.moments[self.at].segment.order
        seen = [segment for segment in lane.segments if segment.order < end]
        if len(seen) > 1 and seen[-2].until is not None and seen[-1].start > self.now:
            seen.pop()  # the loop has yet to sleep until then
        if not seen or seen[-1].state == "ready":
            return "ready" if seen else ""
        if seen[-1].state == "running":
            return "has ended" if len(seen) == len(lane.segments) else "goes on"
        until = "" if seen[-1].until is None else f", until {seen[-1].until:.2f} s"
        return f"waits for {seen[-1].what}{until}"

    def pick(self, lane: Lane) -> str:
        """Answer a pick: a right one takes the step, a wrong one learns why it is none."""
        if self.over:  # a second click on the last button
            return ""
        moment, state = self.moments[self.at], self.state(lane)
        if lane is moment.lane:
            self.asked, self.right = self.asked + 1, self.right + (not self.tried)
            self._go_on(asked=True)
            return f"✔ Yes, {lane.name}."
        self.tried = True
        if state == "ready":
            before = moment.ready.index(lane) + 1
            others = "1 other has" if before == 1 else f"{before} others have"
            return f"✘ No: {others} stood in line longer than {lane.name}."
        return f"✘ No: {lane.name} {state}. Somebody else is ready, or due first."

    def _go_on(self, asked: bool = False) -> None:
        """Take this step, if it was asked for, and those after it that leave no choice."""
        while not self.over:
            time, lane, step, stops, *_ = self.moments[self.at]
            queued = lane.segments[max(lane.segments.index(step) - 1, 0)].state == "ready"
            alive = sum(self.state(other) not in ("", "has ended") for other in self.lanes)
            if queued and alive > 1 and not asked:
                return
            self.at, self.now, self.tried, asked = self.at + 1, step.end, False, False
            self.over = self.at == len(self.moments)
            self.log.append(f"{time:.2f} s  {lane.name}" + ("" if stops else ": has ended"))


class _Board(PictureBox):
    """The view: a button and a state for each coroutine, the answer, and the steps so far.

    While the kernel is busy, clicks wait in line; then they come all together. The first of them is
    answered. The others were made without having seen that answer, and do not count.
    """

    def __init__(self, run: Run) -> None:
        self.run, self.game = run, _Game(run)
        self._said, self._clicked, self._dropped = "", -math.inf, 0
        self.answer = widgets.HTML(layout={"min_height": f"{3 * _LINE}px"})
        lines = min(len(self.game.moments), _LINES) + 1  # as high as ever needed: nothing jumps
        self.steps = widgets.HTML(layout={"width": "40%", "height": f"{lines * _LINE}px"})
        self.picture = Picture()
        self.picture.draw(timeline(run), run)
        names = [plain(lane.name, 100) for lane in self.game.lanes]
        self.states = [widgets.HTML(layout={"flex": "1", "min_width": "0"}) for _ in names]
        self.buttons = [
            widgets.Button(description=name, tooltip=name, layout={"width": "16em"})
            for name in names
        ]
        for button, lane in zip(self.buttons, self.game.lanes, strict=True):
            button.on_click(lambda _, lane=lane: self._click(lane))
        rows = [row(*parts) for parts in zip(self.buttons, self.states, strict=True)]
        board = widgets.VBox([self.answer, *rows], layout={"width": "60%"})
        super().__init__([row(board, self.steps), self.picture], "game")
        self._show("Nothing has been picked yet.")

    def __repr__(self) -> str:
        return plain(f"be_the_loop, {len(self.game.moments)} steps: {self.run!r}", 600)

    def _click(self, lane: Lane) -> None:
        before, self._clicked = self._clicked, time.monotonic()
        if self._clicked - before >= _SOON:
            self._dropped, self._said = 0, self.game.pick(lane) or self._said
            return self._show(self._said)
        self._dropped += 1
        clicks = "1 click" if self._dropped == 1 else f"{self._dropped} clicks"
        self._show(self._said, f"✘ {clicks} came before this could be read, and did not count.")

    def _show(self, *answer: str) -> None:
        game = self.game
        end = f"The end: {game.right} of {game.asked} right at the first pick."
        ask = f"It is {game.now:.2f} s. Who goes next?"
        self.answer.value = _large(*answer, end if game.over else ask)
        self.steps.value = _large("Steps so far:", *game.log)
        self.picture.layout.display = None if game.over else "none"
        for lane, button, state in zip(game.lanes, self.buttons, self.states, strict=True):
            told = game.state(lane)
            button.disabled, state.value = game.over or told in ("", "has ended"), _large(told)


def _large(*lines: str) -> str:
    return f'<div style="font-size: 15px">{"<br>".join(map(escaped, lines))}</div>'
