"""The game without a browser: its rules follow the run, its view follows the rules."""

import asyncio
import base64
import doctest
import html
import json
import re
from typing import Any

import pytest

import helpers.screen.game as module
from helpers import busy, load_data, record, simulate
from helpers.screen.game import _Game, be_the_loop


async def worker(*naps: float) -> None:
    for nap in naps:
        await asyncio.sleep(nap)


async def shift() -> None:
    naps = {"a": (0, 0.2), "b": (0.1, 0.2), "c": (0, 0)}
    await asyncio.gather(*(asyncio.create_task(worker(*naps[k]), name=k) for k in naps))


async def holding() -> None:
    late = asyncio.create_task(worker(0.1, 0.1), name="late")
    await asyncio.sleep(0.05)
    busy(0.4)
    await asyncio.sleep(0)
    await late


def lanes(game: Any) -> dict[str, Any]:
    return {lane.name: lane for lane in game.lanes}


def states(game: Any) -> dict[str, str]:
    return {name: game.state(lane) for name, lane in lanes(game).items()}


def picks(game: Any) -> list[str]:
    """Play it to the end without a mistake; tell who was picked."""
    order = []
    while not game.over:
        lane = game.moments[game.at].lane
        order.append(lane.name)
        assert game.pick(lane).startswith("✔")
    return order


def read(widget: Any) -> str:
    return html.unescape(re.sub("<[^>]*>", " ", widget.value))


def press(board: Any, name: str) -> str:
    """Click on a coroutine's button and read the answer."""
    next(button for button in board.buttons if button.description == name).click()
    return read(board.answer)


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clicks count, however soon."""
    monkeypatch.setattr(module, "_SOON", 0.0)


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(module)
    assert result.attempted and not result.failed


# --- The rules -----------------------------------------------------------------------------


def test_the_real_order_answers() -> None:
    """The one who is asked for is the one who took the step in the run."""
    game = _Game(simulate(shift))
    assert picks(game) == ["a", "b", "c", "a", "c", "c", "b", "a", "b"]
    assert (game.right, game.asked) == (9, 9)
    assert len(game.log) == len(game.moments)


def test_real_time_asks_for_the_same() -> None:
    """A recorded run of asyncio is played as its fast-forward twin is."""
    assert picks(_Game(asyncio.run(record(shift())))) == picks(_Game(simulate(shift)))


def test_who_sleeps_is_shown_asleep_until_the_loop_wakes_it() -> None:
    """When nobody is ready the player has to find out who is due first."""
    game = _Game(simulate(shift))
    assert states(game) == {"shift()": "waits for gather", "a": "ready", "b": "ready", "c": "ready"}
    for name in "abcacc":
        game.pick(lanes(game)[name])
    assert states(game) == {
        "shift()": "waits for gather",
        "a": "waits for sleep, until 0.20 s",
        "b": "waits for sleep, until 0.10 s",
        "c": "has ended",
    }


def test_a_wrong_pick_says_why_and_moves_nothing() -> None:
    """It counts as a miss for that step, once, and the right one may still be picked."""
    game = _Game(simulate(shift))
    mine = lanes(game)
    assert game.pick(mine["c"]) == "✘ No: 2 others have stood in line longer than c."
    assert "waits for gather" in game.pick(mine["shift()"])
    assert game.at == 1  # only what left no choice
    assert game.pick(mine["a"]) == "✔ Yes, a."
    picks(game)
    assert (game.right, game.asked) == (8, 9)


def test_after_the_end_nothing_is_asked() -> None:
    """A second click on the last button does no harm."""
    game = _Game(simulate(shift))
    picks(game)
    assert game.pick(game.lanes[0]) == ""
    assert (game.right, game.asked) == (9, 9)


def test_a_timer_that_came_late_waits_for_the_turn_of_the_loop() -> None:
    """While the loop was held a timer fell due; who was in line already goes first."""
    game = _Game(simulate(holding))
    while game.now < 0.45:
        game.pick(game.moments[game.at].lane)
    assert states(game) == {"holding()": "ready", "late": "waits for sleep, until 0.10 s"}
    assert picks(game)[:2] == ["holding()", "late"]


@pytest.mark.parametrize("call", [load_data, holding, shift])
def test_every_run_can_be_played(call: Any) -> None:
    """Also one with nobody to choose from, which is over at once."""
    game = _Game(simulate(call, *["dataset1.csv"] * (call is load_data)))
    picks(game)
    assert game.over and game.right == game.asked


def test_a_failed_and_a_cancelled_run_can_be_played() -> None:
    """A program may end early and leave others behind."""

    async def fails() -> None:
        await asyncio.sleep(0.1)
        raise ValueError

    async def both() -> None:
        await asyncio.gather(fails(), worker(1.0))

    picks(_Game(simulate(both)))

    async def group() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fails())
            tasks.create_task(worker(1.0))

    picks(_Game(simulate(group)))


def test_wants_a_run() -> None:
    """Anything else is told what to give."""
    with pytest.raises(TypeError, match=r"wants a Run, as of simulate\(\), not str"):
        be_the_loop("run")  # type: ignore[arg-type]


# --- The view ------------------------------------------------------------------------------


def test_one_plays_with_buttons() -> None:
    """Each pick is answered; only those alive can be picked; the end counts, and shows the run."""
    board = be_the_loop(simulate(shift))
    assert "Nothing has been picked yet" in read(board.answer)
    assert "Who goes next?" in read(board.answer)
    assert board.picture.layout.display == "none"
    assert (
        press(board, "b")
        == " ✘ No: 1 other has stood in line longer than b. It is 0.00 s. Who goes next? "
    )
    for name in "abcacc":
        assert f"✔ Yes, {name}." in press(board, name)
    assert [button.disabled for button in board.buttons] == [False, False, False, True]
    for name in "bab":
        press(board, name)
    assert "The end: 8 of 9 right at the first pick." in read(board.answer)
    assert all(button.disabled for button in board.buttons)
    assert board.picture.layout.display is None
    assert "0.30 s  b: has ended" in read(board.steps)


def test_clicks_that_wait_for_the_kernel_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ten that come together the first counts: the others were made without its answer."""
    now = [100.0]
    monkeypatch.setattr(module, "_SOON", 0.15)
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    board = be_the_loop(simulate(shift))
    assert "✔ Yes, a." in press(board, "a")
    at = board.game.at
    for _ in range(9):
        now[0] += 0.01
        press(board, "b")
    said = read(board.answer)
    assert "✔ Yes, a." in said and "✘ 9 clicks came before this could be read" in said
    assert (board.game.at, board.game.asked, board.game.tried) == (at, 1, False)
    now[0] += 1
    said = press(board, "b")
    assert "✔ Yes, b." in said and "clicks" not in said


def test_names_are_not_taken_for_html() -> None:
    """A task may be called anything."""

    async def odd() -> None:
        await asyncio.gather(
            asyncio.create_task(worker(0.1), name="<b>&"), asyncio.create_task(worker(0.2))
        )

    board = be_the_loop(simulate(odd))
    assert "<b>" not in board.steps.value
    press(board, "<b>&")
    assert "<b>" not in board.steps.value + board.answer.value


def test_where_no_widget_can_live_there_is_the_picture() -> None:
    """The mimebundle holds the widget, the timeline, and one short line of text."""
    board = be_the_loop(simulate(shift))
    data = board._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == board.model_id
    assert base64.b64decode(data["image/png"]) == board.picture.value
    assert bytes(board.picture.value).startswith(b"\x89PNG")
    assert data["text/plain"] == f"be_the_loop, 11 steps: {board.run!r}" == repr(board)


@pytest.mark.parametrize("text", ["\ud800 \0 \u202e", "<b>$x^2$</b>", "x" * 1_000_000, "\u4e2d"])
def test_any_text_can_be_sent_and_is_short(text: str) -> None:
    """Of tasks and errors: on buttons, in states, steps and the line."""

    async def fails() -> None:
        await asyncio.sleep(1)
        raise ValueError(text)

    async def main() -> None:
        await asyncio.gather(*(asyncio.create_task(fails(), name=f"{text}{i}") for i in range(2)))

    board = be_the_loop(simulate(main))
    for button in board.buttons:
        button.click()
    widgets = [board, board.answer, board.steps, board.picture, *board.buttons, *board.states]
    for widget in widgets:
        sent = json.dumps(widget.get_state(), default=repr, ensure_ascii=False).encode()
        assert len(sent) < 200_000 and b"\\u0000" not in sent
    for shown in (board.answer, board.steps, *board.states):
        assert "<b>" not in shown.value
    assert len(repr(board)) < 1_000
