"""The widget without a browser: what it shows is what `simulate` and the real clock say."""

import asyncio
import base64
import doctest
import html
import json
import re
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import ipywidgets as widgets
import pytest

from helpers import Run, explore, infer, load_data, simulate
from helpers import explore as face
from helpers.camera import FastForwardLoop
from helpers.screen import curve
from helpers.screen import experiment as logic

module = sys.modules["helpers.screen.explorer"]  # as an attribute of `helpers` it is the function
SIGNATURE = b"\x89PNG\r\n\x1a\n"


async def one(file: str) -> str:
    return await infer("model", await load_data(file))


async def story(files: int, at_once: bool) -> list[str]:
    jobs = [one(f"dataset{number}.csv") for number in range(1, files + 1)]
    if at_once:
        return await asyncio.gather(*jobs)
    return [await job for job in jobs]


async def short(parts: int, seconds: float = 0.05) -> int:
    """Short enough to be run in real time."""

    async def part(number: int) -> None:
        await asyncio.sleep(seconds)

    await asyncio.gather(*(part(number) for number in range(parts)))
    return parts


def wait(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    """Wait until it holds; fail if it never does."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "it never came true"
        time.sleep(0.005)


async def until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    """Wait until it holds, and let the loop turn meanwhile."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "it never came true"
        await asyncio.sleep(0.005)


def settled(explorer: Any) -> Any:
    """The explorer, once it has done all that was asked for."""
    assert explorer.experiment.wait_idle(20)
    return explorer


def text(explorer: Any) -> str:
    """The line of text, as one reads it."""
    return html.unescape(re.sub("<[^>]*>", "", explorer.line.value))


def shown(explorer: Any, run: Run) -> bytes:
    """The picture of a run as the explorer shows it."""
    figure = logic.timeline(run, until=explorer.experiment.axis, height=logic.HEIGHT)
    picture: bytes = logic.png(figure)
    return picture


def play(main: Callable[[], Awaitable[Any]]) -> Any:
    """Run a test on a loop as a cell does; afterwards nothing of the explorer's may be left."""

    async def checked() -> Any:
        result = await main()
        await until(lambda: len(asyncio.all_tasks()) == 1)
        return result

    return asyncio.run(checked())


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No thread outlives a test."""
    before = set(threading.enumerate())
    yield
    wait(lambda: set(threading.enumerate()) <= before)


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every picture that is drawn."""
    drawn: list[bytes] = []

    def counting(figure: Any) -> bytes:
        drawn.append(module_png(figure))
        return drawn[-1]

    module_png = logic.png
    monkeypatch.setattr(logic, "png", counting)
    return drawn


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(module)
    assert result.attempted and not result.failed


def test_the_face_shows_the_function() -> None:
    """`from helpers import explore` is the function, though a module has that name."""
    assert face is module.explore


# --- What is built -------------------------------------------------------------------------


def test_controls_follow_interact() -> None:
    """A range is a slider, a list a dropdown, a bool a checkbox; a widget is taken as it is."""

    async def anything(**values: Any) -> None: ...

    mine = widgets.IntText(7)
    explorer = explore(
        anything, n=(1, 20), x=(0.0, 1.0, 0.5), how=["a", "b"], on=True, name="text", mine=mine
    )
    kinds = {name: type(control).__name__ for name, control in explorer.controls.items()}
    assert kinds == {
        "n": "IntSlider",
        "x": "FloatSlider",
        "how": "Dropdown",
        "on": "Checkbox",
        "name": "Text",
        "mine": "IntText",
    }
    assert explorer.controls["mine"] is mine
    assert (explorer.controls["n"].min, explorer.controls["n"].max) == (1, 20)
    assert [c.description for c in explorer.controls.values()] == list(kinds)


def test_a_control_begins_at_the_functions_default() -> None:
    """As with `interact`, a default says where a control begins."""

    async def nap(hours: int = 3) -> None:
        await asyncio.sleep(hours)

    assert explore(nap, hours=(1, 9)).run.seconds == 3


def test_parts_carry_the_classes_that_one_can_address_them_by() -> None:
    """Controls, buttons, text and picture each have a class."""
    explorer = explore(story, files=(1, 3), at_once=True)
    parts = [*explorer.controls.values(), explorer.pin, explorer.play, explorer.stop]
    parts += [explorer.line, explorer.picture]
    assert [part._dom_classes[-1] for part in parts] == [
        "explore-files",
        "explore-at_once",
        "explore-thumb-tack",
        "explore-play",
        "explore-stop",
        "explore-line",
        "explore-picture",
    ]


def test_the_first_picture_is_there_before_any_move() -> None:
    """Picture, text and repr show the run of the controls' first values."""
    explorer = explore(story, files=(1, 3), at_once=True)
    run = simulate(story, files=2, at_once=True)
    assert text(explorer) == repr(run)
    assert bytes(explorer.picture.value).startswith(SIGNATURE)
    assert repr(explorer) == f"explore(story, files=2, at_once=True): {run!r}"


def test_where_no_widget_can_live_there_is_the_picture() -> None:
    """The mimebundle holds the widget, the picture, and one short line of text."""
    explorer = explore(story, files=(1, 3), at_once=True)
    bundle = explorer._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.model_id
    assert base64.b64decode(data["image/png"]) == explorer.picture.value
    assert data["text/plain"] == repr(explorer)
    assert len(data["text/plain"]) < 120 and "\n" not in data["text/plain"]


# --- Moves ---------------------------------------------------------------------------------


def test_each_move_gives_the_numbers_of_simulate() -> None:
    """What is shown for a value is what the function does for it, without any widget."""
    explorer = explore(story, files=(1, 12), at_once=True)
    seen = set()
    for files, at_once in [(1, True), (12, True), (12, False), (7, False), (2, True)]:
        explorer.controls["files"].value = files
        explorer.controls["at_once"].value = at_once
        settled(explorer)
        run = simulate(story, files=files, at_once=at_once)
        assert text(explorer) == repr(explorer.run) == repr(run)
        assert explorer.run.finishes == run.finishes
        assert explorer.run.result == run.result
        seen.add(explorer.picture.value)
    assert len(seen) == 5


def test_a_burst_of_moves_ends_on_the_last_and_draws_few_pictures(pictures: list[bytes]) -> None:
    """300 moves: the last one is shown, and most others are never drawn."""
    explorer = explore(story, files=(1, 40), at_once=True)
    del pictures[:]
    for move in range(300):
        explorer.controls["files"].value = 1 + move % 40
    settled(explorer)
    assert explorer.values()["files"] == 20
    assert text(explorer) == repr(simulate(story, files=20, at_once=True))
    assert explorer.picture.value == pictures[-1]
    assert 1 <= len(pictures) < 100


def test_pictures_follow_while_the_slider_is_being_moved(pictures: list[bytes]) -> None:
    """Somebody who drags without a pause sees more than the end."""
    explorer = explore(story, files=(1, 40), at_once=True)
    del pictures[:]
    move = 0

    def moved_on() -> bool:
        nonlocal move
        move += 1
        explorer.controls["files"].value = 1 + move % 40
        return len({*pictures}) >= 3

    wait(moved_on)
    assert settled(explorer).picture.value == pictures[-1]


def test_moves_from_several_threads_end_on_one_of_the_last() -> None:
    """Callbacks may come on any thread; text, picture and numbers belong to the same values."""
    explorer = explore(story, files=(1, 40), at_once=True)

    def move(start: int) -> None:
        for step in range(30):
            explorer.controls["files"].value = 1 + (start + step) % 40

    threads = [threading.Thread(target=move, args=(start,)) for start in (0, 10, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settled(explorer)
    run = simulate(story, **explorer.values())
    assert text(explorer) == repr(run)
    assert explorer.picture.value == shown(explorer, run)


def test_it_answers_from_a_loop_that_never_turns() -> None:
    """A cell that holds the loop does not stop the fast-forward clock."""

    async def main() -> None:
        explorer = explore(story, files=(1, 12), at_once=True)
        explorer.controls["files"].value = 9
        wait(lambda: explorer.experiment.wait_idle(0))  # blocks the loop on purpose
        assert text(explorer) == repr(simulate(story, files=9, at_once=True))

    play(main)


# --- Pin and compare -----------------------------------------------------------------------


def test_pin_compares_with_what_comes_next() -> None:
    """The pinned run stays as A, the next is B; unpinned, one run is drawn again."""
    explorer = explore(story, files=(1, 5), at_once=[True, False])
    alone = explorer.picture.value
    pinned = explorer.run
    explorer.pin.click()
    settled(explorer)
    assert explorer.pin.description == "Unpin A"
    explorer.controls["at_once"].value = False
    settled(explorer)
    other = simulate(story, files=3, at_once=False)
    expected = logic.compare(
        pinned,
        other,
        names=("A files=3, at_once=True", "B files=3, at_once=False"),
        until=explorer.experiment.axis,
        height=logic.HEIGHT,
    )
    assert explorer.picture.value == logic.png(expected)
    assert text(explorer) == repr(other)
    explorer.pin.click()
    settled(explorer)
    explorer.controls["at_once"].value = True
    settled(explorer)
    assert explorer.pin.description == "Pin as A"
    assert explorer.picture.value == shown(explorer, pinned) != alone  # on the longer axis


def test_pin_during_a_burst_keeps_a_run_with_its_own_values() -> None:
    """The name of A says what was run, not where the slider stands meanwhile."""
    explorer = explore(story, files=(1, 40), at_once=True)
    for files in range(1, 41):
        explorer.controls["files"].value = files
    explorer.pin.click()
    values, run = explorer.experiment.pinned
    assert repr(run) == repr(simulate(story, **values))
    settled(explorer)


# --- For real ------------------------------------------------------------------------------


def test_run_for_real_ends_with_the_real_run() -> None:
    """In the end text, picture and `run` are those of the program in real time."""

    async def main() -> None:
        explorer = explore(short, parts=(1, 5))
        simulated = explorer.picture.value
        assert not explorer.play.disabled and explorer.stop.disabled
        explorer.play.click()
        await until(lambda: explorer.run.real and explorer.run.finished)
        await until(lambda: explorer.stop.disabled)
        assert explorer.run.result == 3
        assert explorer.run.seconds >= 0.05
        assert text(explorer) == repr(explorer.run)
        assert "(real)" in text(explorer) and "so far" not in text(explorer)
        assert explorer.picture.value not in (simulated, b"")

    play(main)


def test_bars_grow_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of the run so far come before the last one, and none after."""
    monkeypatch.setattr(logic, "_FRAME", 0.01)
    shown: list[str] = []

    async def until_seen(parts: int) -> None:
        """Go on until two pictures of it have been shown (or this is fast-forward)."""
        for _ in range(1_000):
            await asyncio.sleep(0.02)
            if len(shown) >= 2:
                break

    async def main() -> None:
        explorer = explore(until_seen, parts=(1, 3))
        explorer.line.observe(lambda change: shown.append(text(explorer)), "value")
        explorer.play.click()
        await until(lambda: explorer.run.real and explorer.run.finished)
        await until(lambda: explorer.stop.disabled)
        await asyncio.sleep(0.2)

    play(main)
    assert len(shown) > 2
    assert all("so far" in line for line in shown[:-1])
    assert "so far" not in shown[-1]


@pytest.mark.parametrize("holds", [False, True])
def test_an_interrupt_stops_a_run_for_real(holds: bool) -> None:
    """■ by itself stops cells only; here it stops the run, also one that holds the loop."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a kernel does between cells
    held, over = threading.Event(), threading.Event()

    async def long(parts: int) -> None:
        async def part() -> None:
            if holds:
                held.set()
                time.sleep(60)  # noqa: ASYNC251 - that is the point
            await asyncio.sleep(60)

        await asyncio.gather(*(part() for _ in range(parts)))

    async def main() -> None:
        explorer = explore(long, parts=(2, 4))
        held.clear()
        threading.Thread(target=interrupt, daemon=True).start()
        explorer.play.click()
        await until(lambda: explorer.run.real and explorer.run.finished and explorer.stop.disabled)
        over.set()
        assert text(explorer).startswith("cancelled after")
        assert explorer.run.seconds < 60

    def interrupt() -> None:
        if holds:
            held.wait()
        else:
            wait(lambda: callable(signal.getsignal(signal.SIGINT)))
        while not over.is_set():  # one that comes just before a sleep is heard after it
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            over.wait(0.5)

    try:
        play(main)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        over.set()
        signal.signal(signal.SIGINT, before)


def test_a_run_for_real_that_never_ends_does_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody need be there to stop it: the tab may have been closed."""
    monkeypatch.setattr(logic, "_LONGEST", 0.2)

    async def main() -> None:
        explorer = explore(short, parts=(2, 4), seconds=widgets.FloatText(3_600.0))
        explorer.play.click()
        await until(lambda: explorer.run.real and explorer.run.finished and explorer.stop.disabled)
        assert text(explorer).startswith("cancelled after")
        assert asyncio.all_tasks() == {asyncio.current_task()}

    play(main)


def test_a_name_that_is_missing_is_hinted_at() -> None:
    """Cells run out of order are the usual cause: it says to run those above."""

    async def needs(files: int) -> None:
        missing(files)  # type: ignore[name-defined]  # noqa: F821

    explorer = explore(needs, files=(1, 3))
    assert "name 'missing' is not defined · has the cell that defines it been run?" in text(
        explorer
    )


def test_stop_cancels_what_runs() -> None:
    """A stopped run is shown as cancelled, lane by lane, long before its time."""

    async def main() -> Run:
        explorer = explore(short, parts=(2, 4), seconds=widgets.FloatText(60.0))
        explorer.play.click()
        await until(lambda: explorer.run.real)  # a first picture of it
        explorer.stop.click()
        await until(lambda: explorer.run.finished and explorer.stop.disabled)
        assert text(explorer).startswith("cancelled after")
        return explorer.run

    run = play(main)
    assert [lane.ending for lane in run.lanes] == ["cancelled"] * 3
    assert run.seconds < 30


def test_a_move_supersedes_a_real_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cancelled, and never writes again."""
    monkeypatch.setattr(logic, "_FRAME", 0.01)
    ended = []

    async def slow(parts: int) -> None:
        try:
            await asyncio.sleep(60.0 * parts)
        finally:
            ended.append(parts)

    async def main() -> None:
        explorer = explore(slow, parts=(1, 3))
        ended.clear()
        explorer.play.click()
        await until(lambda: explorer.run.real)
        explorer.controls["parts"].value = 3
        await until(lambda: 2 in ended and explorer.stop.disabled)
        await until(lambda: explorer.experiment.wait_idle(0))
        await asyncio.sleep(0.1)
        assert text(explorer) == repr(simulate(slow, parts=3)) == "180.00 s"

    play(main)


def test_a_move_right_after_play_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if the loop has not yet turned: the real run does not begin."""
    real = []

    async def slow(parts: int) -> None:
        if not isinstance(asyncio.get_running_loop(), FastForwardLoop):
            real.append(parts)
        await asyncio.sleep(60.0 * parts)

    async def main() -> None:
        explorer = explore(slow, parts=(1, 3))
        explorer.play.click()
        explorer.controls["parts"].value = 1
        await until(lambda: explorer.experiment.wait_idle(0))
        await asyncio.sleep(0.05)
        assert text(explorer) == "60.00 s"

    play(main)
    assert real == []


def test_play_right_after_a_move_wins() -> None:
    """The simulated run of the move does not write over the real one."""

    async def main() -> None:
        explorer = explore(short, parts=(1, 30))
        for parts in range(1, 31):
            explorer.controls["parts"].value = parts
        explorer.play.click()
        await until(lambda: explorer.run.real and explorer.run.finished and explorer.stop.disabled)
        await until(lambda: explorer.experiment.wait_idle(0))
        assert "(real)" in text(explorer)
        assert explorer.run.result == 30

    play(main)


def test_play_twice_runs_the_second() -> None:
    """The first is cancelled, the second is shown in the end."""

    async def main() -> None:
        endings = []

        async def told(seconds: float = 0.3) -> None:
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                endings.append("cancelled")
                raise
            endings.append("done")

        explorer = explore(told, seconds=widgets.FloatText(0.3))
        endings.clear()
        explorer.play.click()
        await asyncio.sleep(0.1)
        explorer.play.click()
        await until(lambda: explorer.run.real and explorer.run.finished and explorer.stop.disabled)
        assert explorer.run.error is None
        assert endings == ["cancelled", "done"]

    play(main)


def test_buttons_may_be_clicked_on_another_thread() -> None:
    """As in JupyterLab, where a subshell's thread takes the messages."""

    async def main() -> Run:
        explorer = explore(short, parts=(2, 4), seconds=widgets.FloatText(60.0))
        await asyncio.to_thread(explorer.play.click)
        await until(lambda: explorer.run.real)
        await asyncio.to_thread(explorer.stop.click)
        await until(lambda: explorer.run.finished and explorer.stop.disabled)
        return explorer.run

    assert play(main).pending == []


def test_without_a_loop_nothing_can_be_run_for_real() -> None:
    """In a plain script the button is off."""
    explorer = explore(short, parts=(1, 3))
    assert explorer.play.disabled
    explorer.play.click()
    assert not explorer.run.real


def test_moves_can_run_in_real_time() -> None:
    """With ``real=True`` each move runs files and threads for real, and the last move wins."""

    async def in_threads(parts: int) -> int:
        return sum(await asyncio.gather(*(asyncio.to_thread(int, 1) for _ in range(parts))))

    explorer = explore(in_threads, real=True, parts=(1, 5))
    assert explorer.run.real and explorer.run.result == 3
    for parts in (1, 2, 5, 4):
        explorer.controls["parts"].value = parts
    settled(explorer)
    assert explorer.run.error is None and explorer.run.result == 4
    assert "(real)" in text(explorer)


# --- What learners write -------------------------------------------------------------------


def test_an_error_is_shown_with_its_picture() -> None:
    """A program that raises is drawn, and its error is in red, escaped."""

    async def broken(files: int) -> None:
        await asyncio.sleep(1)
        if files == 3:
            raise ValueError("<b>no such file</b>")

    explorer = explore(broken, files=(1, 3))
    before = explorer.picture.value
    explorer.controls["files"].value = 3
    settled(explorer)
    assert text(explorer) == "failed after 1.00 s with ValueError: <b>no such file</b>"
    assert "#a00000" in explorer.line.value and "<b>no" not in explorer.line.value
    assert explorer.picture.value not in (before, b"")
    explorer.controls["files"].value = 1
    assert "#a00000" not in settled(explorer).line.value


def test_an_error_in_real_time_is_shown_as_well() -> None:
    """The same for a run in real time."""

    async def broken(files: int) -> None:
        await asyncio.sleep(0.01)
        raise ValueError("no such file")

    async def main() -> None:
        explorer = explore(broken, files=(1, 3))
        explorer.play.click()
        await until(lambda: explorer.run.real and explorer.run.finished and explorer.stop.disabled)
        assert "ValueError: no such file" in text(explorer)

    play(main)


def test_a_deadlock_is_explained() -> None:
    """Nothing hangs; the line says that nothing can go on."""

    async def stuck(files: int) -> None:
        if files > 2:
            await asyncio.Event().wait()

    explorer = explore(stuck, files=(1, 3))
    explorer.controls["files"].value = 3
    assert "Deadlock: nothing can ever go on" in text(settled(explorer))


@pytest.mark.parametrize("awaits", [True, False])
def test_a_program_without_end_is_stopped(awaits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it awaits or not, patience ends, and the next move works."""
    monkeypatch.setattr(logic, "_PATIENCE", 0.3)

    async def endless(files: int) -> None:
        while files > 2:
            if awaits:
                await asyncio.sleep(0)

    explorer = explore(endless, files=(1, 3))
    explorer.controls["files"].value = 3
    assert "Runaway: " in text(settled(explorer))
    explorer.controls["files"].value = 1
    assert text(settled(explorer)) == "0.00 s"


def test_no_coroutine_function_is_refused() -> None:
    """A call, a plain value, and a function that gives back no coroutine: each a clear error."""
    with pytest.raises(TypeError, match=r"write explore\(load_data, \.\.\.\)"):
        explore(load_data("dataset1.csv"), path="dataset1.csv")
    with pytest.raises(TypeError, match=r"explore\(\) wants a coroutine function"):
        explore(3, files=(1, 3))
    with pytest.raises(TypeError, match=r"write `async def plain`"):
        explore(lambda_named("plain"), files=(1, 3))


def lambda_named(name: str) -> Callable[..., int]:
    def plain(files: int) -> int:
        return files

    plain.__name__ = name
    return plain


def test_an_object_that_is_called_may_give_a_coroutine_or_not() -> None:
    """Where only some values give a coroutine, the others say so in the line."""

    class Sometimes:
        __name__ = "sometimes"

        def __call__(self, files: int) -> Any:
            return short(files) if files < 3 else None

    explorer = explore(Sometimes(), files=(1, 3))
    explorer.controls["files"].value = 3
    assert text(settled(explorer)) == (
        "NoCoroutine: sometimes() returned None, not a coroutine, so nothing in it can wait: "
        "write `async def sometimes`"
    )


@pytest.mark.parametrize("real", [False, True])
def test_a_plain_function_is_refused_at_once(real: bool) -> None:
    """With what came of it, and the mend."""

    def plain(files: int) -> int:
        return files

    wrong = r"plain\(\) returned 2, not a coroutine, so nothing in it can wait: write `async def "
    with pytest.raises(TypeError, match=wrong):
        explore(plain, real=real, files=(1, 3))


def test_whatever_is_returned_is_kept() -> None:
    """The result is not shown, so nothing about it can go wrong."""

    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError("no repr")

    async def odd(files: int) -> Odd:
        return Odd()

    explorer = explore(odd, files=(1, 3))
    assert isinstance(explorer.run.result, Odd)
    assert text(explorer) == "0.00 s"


def test_prints_are_shown_bounded_and_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    """What the program prints is below the picture, not in the cell, and not all of 100,000."""

    async def chatty(lines: int) -> None:
        for number in range(lines):
            print(f"<script>{number}</script>")  # noqa: T201

    explorer = explore(chatty, lines=[2, 0, 100_000])
    assert "&lt;script&gt;1&lt;/script&gt;" in explorer.printed.value
    assert "<script>" not in explorer.printed.value
    explorer.controls["lines"].value = 100_000
    settled(explorer)
    assert len(explorer.printed.value) < 60_000
    assert "more lines" in explorer.printed.value
    explorer.controls["lines"].value = 0
    settled(explorer)
    assert "script" not in explorer.printed.value
    assert "height: 8em" in explorer.printed.value  # the room stays, so that nothing jumps
    assert capsys.readouterr().out == ""


async def says(files: int) -> None:
    if files > 2:
        print("many")  # noqa: T201


def test_there_is_room_for_prints_before_the_first_one() -> None:
    """Of a function that may print, itself or by way of another; so that nothing jumps."""
    others = {"says": says}

    async def by_name(files: int) -> None:
        await others["says"](files)

    async def within(files: int) -> None:
        async def one() -> None:
            await by_name(files)

        await one()

    for function in (says, by_name, within, partial(within)):
        explorer = explore(function, files=(1, 3))
        room = explorer.printed.value
        assert "height: 8em" in room and "many" not in room
        explorer.controls["files"].value = 3
        assert "many" in settled(explorer).printed.value
    assert explore(short, parts=(1, 3)).printed.value == ""


def test_prints_of_a_real_run_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """They are below the picture as well."""

    async def chatty(lines: int) -> None:
        await asyncio.sleep(0.01)
        print("real" * lines)  # noqa: T201

    async def main() -> None:
        explorer = explore(chatty, lines=[2])
        explorer.play.click()
        await until(lambda: explorer.run.real and explorer.run.finished and explorer.stop.disabled)
        assert "realreal" in explorer.printed.value

    play(main)
    assert capsys.readouterr().out == ""


# --- Bad controls --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        ({}, r"do not fit story\(files: int, at_once: bool\).*missing.*'files'.*explore\(story, "),
        ({"files": (1, 3)}, "missing a required argument: 'at_once'"),
        ({"files": (1, 3), "at_once": True, "limit": 3}, "unexpected keyword argument 'limit'"),
        ({"files": object(), "at_once": True}, "cannot make a control for files of <object"),
        ({"files": widgets.Button(), "at_once": True}, "cannot make a control for files"),
        ({"files": widgets.fixed(3), "at_once": True}, "cannot make a control for files"),
    ],
)
def test_controls_that_do_not_fit_are_refused(controls: dict[str, Any], message: str) -> None:
    """The error names the control, or the function's arguments, and shows how to write it."""
    with pytest.raises(TypeError, match=message):
        explore(story, **controls)


def test_a_range_the_wrong_way_round_is_refused() -> None:
    """It says which number is to come first."""
    for wrong, mend in {(20, 1): "(1, 20)", (0.5, 0.1, 0.1): "(0.1, 0.5)"}.items():
        with pytest.raises(ValueError, match=re.escape(f"the smaller one, as in files={mend}")):
            explore(story, files=wrong, at_once=True)


# --- Whatever it raises --------------------------------------------------------------------


class Own(BaseException):
    """An error that `except Exception` does not catch."""


class Mute(Exception):
    """An error whose text cannot be had."""

    def __str__(self) -> str:
        raise SystemExit("no text")


class Wordless(Exception):
    def __str__(self) -> str:
        return None  # type: ignore[return-value]


def nested() -> BaseException:
    """A group of a group … 3,000 deep."""
    error: Exception = ValueError("deep")
    for _ in range(3_000):
        error = ExceptionGroup("", [error])
    return error


RAISED: dict[str, Callable[[], BaseException]] = {
    "SystemExit": lambda: SystemExit(3),
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "CancelledError": asyncio.CancelledError,
    "Own": lambda: Own("mine"),
    "Mute": Mute,
    "Wordless": Wordless,
    "ExceptionGroup": nested,
    "StopIteration": StopIteration,
    "StopAsyncIteration": StopAsyncIteration,
    "RecursionError": RecursionError,
    "MemoryError": MemoryError,
    "TimeoutError": TimeoutError,
    "TypeError": lambda: TypeError("x" * 1_000_000),
}


@pytest.mark.parametrize("early", [False, True], ids=["in the coroutine", "before there is one"])
@pytest.mark.parametrize("how", ["fast", "real", "played"])
@pytest.mark.parametrize("name", RAISED)
def test_after_whatever_it_raises_the_next_move_works(name: str, how: str, early: bool) -> None:
    """At the first run as at a move; the line names it and is short; the kernel's loop lives."""

    def raising(wrong: bool) -> Any:
        if wrong and early:
            raise RAISED[name]()

        async def program() -> str:
            if wrong:
                raise RAISED[name]()
            return "right"

        return program()

    def shows_it(explorer: Any) -> bool:
        return name.replace("StopIteration", "RuntimeError" if not early else name) in text(
            explorer
        ) or (name == "CancelledError" and text(explorer).startswith("cancelled after"))

    async def main() -> None:
        explorer = explore(raising, real=how == "real", wrong=how != "played")
        if how == "played":
            explorer.controls["wrong"].value = True
            settled(explorer)
            explorer.line.value = ""
            explorer.play.click()
        await until(lambda: shows_it(explorer), 5)
        assert len(text(explorer)) < 700 and len(repr(explorer)) < 700
        assert explorer.stop.disabled
        explorer.controls["wrong"].value = False
        settled(explorer)
        assert explorer.run.error is None and explorer.run.result == "right"
        if how == "played":
            explorer.play.click()
            await until(lambda: explorer.run.real and explorer.run.finished)
            assert explorer.run.result == "right"

    play(main)


# --- Endless, in real time -----------------------------------------------------------------


@pytest.mark.parametrize("refuses", [False, True])
def test_one_interrupt_ends_an_endless_first_run(
    refuses: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cell comes back, with what there was of it or a sentence; the next move works."""
    monkeypatch.setattr(logic, "_GRACE", 0.2)
    began, let_go = threading.Event(), threading.Event()

    async def endless(files: int) -> int:
        while files > 1 and not let_go.is_set():
            began.set()
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                if not refuses:
                    raise
        return files

    def interrupt() -> None:
        began.wait()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    start = time.monotonic()
    explorer = explore(endless, real=True, files=(1, 3))
    assert time.monotonic() - start < 10
    said = "DoesNotStop: it was asked to stop" if refuses else "cancelled after"
    assert text(explorer).startswith(said)
    explorer.controls["files"].value = 1
    assert settled(explorer).run.result == 1
    let_go.set()


def test_a_move_and_stop_end_an_endless_run_in_real_time() -> None:
    """One that came of a move: *Stop* may be pressed while it runs, and only then."""

    async def endless(files: int) -> int:
        if files > 1:
            await asyncio.sleep(3600)
        return files

    explorer = explore(endless, real=True, files=widgets.IntSlider(1, 1, 9))
    assert explorer.stop.disabled
    explorer.controls["files"].value = 2
    wait(lambda: not explorer.stop.disabled)
    explorer.stop.click()
    assert text(settled(explorer)).startswith("cancelled after")
    assert explorer.stop.disabled
    explorer.controls["files"].value = 3
    wait(lambda: not explorer.stop.disabled)
    explorer.controls["files"].value = 1
    assert settled(explorer).run.result == 1


def test_a_stop_that_comes_before_there_is_anything_to_stop_is_heard() -> None:
    """A move asked for and superseded while its thread begins does not go on for ever."""

    async def endless(files: int) -> int:
        if files > 1:
            await asyncio.sleep(3600)
        return files

    explorer = explore(endless, real=True, files=widgets.IntSlider(1, 1, 99))
    for files in [*range(2, 60), 1]:
        explorer.controls["files"].value = files
        time.sleep(0.001 * (files % 7))
    assert settled(explorer).run.result == 1


# --- Whatever is called --------------------------------------------------------------------


class Called:
    """An object that is called like a coroutine function."""

    async def __call__(self, files: int) -> int:
        return files


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    def plain(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return plain


async def added(left: int, files: int, right: int = 0) -> int:
    return left + files + right


@pytest.mark.parametrize(
    ("function", "name", "result"),
    [
        (partial(added, 10, right=5), "added", 17),
        (partial(partial(added, 10), right=1), "added", 13),
        (Called(), "Called", 2),
        (Called().__call__, "__call__", 2),
        (lambda files: added(1, files), "<lambda>", 3),
        (decorated(Called()), "plain", 2),
        (partial(Called()), "Called", 2),
    ],
)
@pytest.mark.parametrize("real", [False, True])
def test_takes_what_simulate_takes(function: Any, name: str, result: int, real: bool) -> None:
    """Partials, objects, lambdas, decorated functions, each by a name that can be read."""
    explorer = explore(function, real=real, files=(1, 3))
    assert explorer.run.result == result
    assert repr(explorer) == f"explore({name}, files=2): {explorer.run!r}"


def test_a_partial_has_a_control_for_each_argument_that_is_left() -> None:
    """What is given already needs none, and its absence is no fault."""
    with pytest.raises(TypeError, match=r"do not fit added\(files: int.*missing.*'files'"):
        explore(partial(added, 10))


def test_arguments_may_have_the_names_of_options() -> None:
    """Those of `explore`, of `simulate` and of the classes within."""

    async def odd(
        real: int, max_turns: int, patience: str, function: bool, self: int, values: int
    ) -> Any:
        return real, max_turns, patience, function, self, values

    explorer = explore(
        odd, real=(1, 5), max_turns=[7], patience="none", function=True, self=(2, 4), values=(1, 1)
    )
    assert explorer.run.result == (3, 7, "none", True, 3, 1)
    assert not explorer.run.real
    explorer.controls["real"].value = 5
    assert settled(explorer).run.result[0] == 5


def test_half_a_character_reaches_no_browser() -> None:
    """A choice, an argument's name, an error, what is printed: all can be sent."""

    async def odd(**values: str) -> None:
        print("\0\x1b[31m \ud800\tb")  # noqa: T201
        raise ValueError(values["\ud800 name"])

    explorer = explore(odd, **{"\ud800 name": ["one \udfff", "two"]})
    assert explorer.controls["\ud800 name"].value == "one \udfff"
    for part in walk(explorer):
        json.dumps(part.get_state(), default=repr, ensure_ascii=False).encode()
    repr(explorer).encode()
    assert "ValueError: one \\udfff" in text(explorer)
    assert "\\x00\\x1b[31m \\ud800\tb" in explorer.printed.value


def walk(widget: Any) -> Iterator[Any]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


def test_texts_have_an_end() -> None:
    """A value, a name and an error of a million letters: line, repr and description are short."""

    async def loud(path: str) -> None:
        raise ValueError(path)

    loud.__name__ = "loud" * 100_000
    explorer = explore(loud, path="x" * 1_000_000)
    explorer.pin.click()
    settled(explorer)
    for said in (text(explorer), repr(explorer), explorer.picture.tooltip):
        assert len(said) < 1_000


# --- Advice --------------------------------------------------------------------------------


def test_a_thing_of_another_loop_is_explained() -> None:
    """Made in a cell and used by two runs, it is bound to the first; also inside a group."""
    gate = asyncio.Semaphore(1)

    async def each() -> None:
        async with gate:
            await asyncio.sleep(1)

    async def together(files: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(files):
                group.create_task(each())

    explorer = explore(together, files=(2, 4))
    explorer.controls["files"].value = 2
    assert "make the Semaphore, Queue, session … inside the coroutine" in text(settled(explorer))


@pytest.mark.parametrize(
    "said",
    [
        "<asyncio.locks.Lock object at 0x7f [locked]> is bound to a different event loop",
        "Task <Task pending> got Future <Future pending> attached to a different loop",
        "Timeout context manager should be used inside a task",
        "Event loop is closed",
    ],
)
def test_what_libraries_say_of_another_loop_is_explained(said: str) -> None:
    """Also as the cause of another error."""

    async def uses(files: int) -> None:
        try:
            raise RuntimeError(said)
        except RuntimeError as error:
            raise OSError("no connection") from error

    assert "inside the coroutine" in text(explore(uses, files=(2, 4)))


def test_what_takes_real_time_is_told_the_mend() -> None:
    """And needs it no more with ``real=True``."""

    async def reads(files: int) -> int:
        return await asyncio.to_thread(int, files)

    explorer = explore(reads, files=(1, 3))
    assert text(explorer).endswith("write explore(reads, ..., real=True)")
    assert explore(reads, files=(1, 3), real=True).run.result == 2


def test_what_is_refused_leaves_no_widget() -> None:
    """Nothing stands in the kernel that no cell shows."""

    def plain(files: int) -> int:
        return files

    def count() -> int:
        return sum(isinstance(it, module.Explorer) for it in widgets.widget._instances.values())

    before = count()
    with pytest.raises(TypeError):
        explore(plain, files=(1, 3))
    assert count() == before


def test_arguments_by_position_only_are_told_a_mend() -> None:
    """A control gives its argument by name, which such a function does not take; the mend works."""

    async def pos(n: int, m: int = 2, /) -> int:
        return n + m

    with pytest.raises(TypeError, match="positional") as caught:
        explore(pos, n=(1, 3), m=(1, 3))
    advice = "write a function that takes it so, such as `(async def it.*)`, and (explore.*)$"
    found = re.search(advice, str(caught.value))
    assert found and "explore(pos" not in str(caught.value)
    assert found[1] == "async def it(n, m): return await pos(n, m)"
    assert found[2] == "explore(it, n=..., m=...)"
    scope: dict[str, Any] = {"pos": pos}
    exec(found[1], scope)
    assert explore(scope["it"], n=(1, 3), m=(1, 3)).run.result == 4


# --- The screen stands still -----------------------------------------------------------------


async def waits(seconds: float) -> None:
    await asyncio.sleep(seconds)


def ends(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Where the axis of each picture ends, from now on."""
    seen: list[float | None] = []
    timeline = logic.timeline

    def noting(run: Run, *, until: float | None, height: float) -> Any:
        assert height == logic.HEIGHT
        seen.append(until)
        return timeline(run, until=until, height=height)

    monkeypatch.setattr(logic, "timeline", noting)
    return seen


def test_the_axis_grows_in_round_steps_and_never_shrinks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is faster is drawn shorter; where no time passes, nothing is said of the axis."""
    seen = ends(monkeypatch)
    explorer = explore(waits, seconds=widgets.FloatText(0.65))
    for seconds in (1.1, 1.4, 0.2, 12.0, 0, 20.0, 0.001, 21.0):
        explorer.controls["seconds"].value = seconds
        settled(explorer)
    axis = [0.7, 1.5, 1.5, 1.5, 15.0, None, 20.0, 20.0, 30.0]
    assert [end and round(end, 9) for end in seen] == axis


def test_the_axis_shrinks_to_what_is_compared() -> None:
    """Two short runs could not be told apart on the axis of a long one before them."""
    explorer = explore(waits, seconds=widgets.FloatText(50.0))
    ends = []

    def after(act: Callable[[], Any]) -> None:
        act()
        settled(explorer)
        ends.append(round(explorer.experiment.axis, 9))

    for act in (
        partial(setattr, explorer.controls["seconds"], "value", 2.4),
        explorer.pin.click,
        partial(setattr, explorer.controls["seconds"], "value", 1.7),
        explorer.pin.click,
    ):
        after(act)
    assert ends == [50.0, 3.0, 3.0, 2.0]


def test_a_program_without_end_leaves_the_axis_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """It had to be stopped after any number of seconds, beside which nothing could be seen."""
    seen = ends(monkeypatch)

    async def endless(ends: bool) -> None:
        await asyncio.sleep(1.2)
        for _ in range(0 if ends else 10**9):
            await asyncio.sleep(1.0)

    explorer = explore(endless, ends=True)
    for value in (False, True):
        explorer.controls["ends"].value = value
        settled(explorer)
    assert seen[0] == seen[2] == 1.5 and (seen[1] or 0) > 10_000


def old(explorer: Any) -> tuple[bool, bool]:
    """Whether the line and the picture look old."""
    classes = explorer.line._dom_classes
    return "shows-old" in classes, "shows-old-picture" in classes


def test_what_is_older_than_the_controls_looks_so() -> None:
    """From the move until what comes of it is shown, not of those before it."""
    held, go = threading.Event(), threading.Event()

    async def slow(files: int) -> None:
        if files > 2:
            held.set()
            go.wait(20)

    explorer = explore(slow, files=(1, 4))
    assert old(explorer) == (False, False)
    explorer.controls["files"].value = 3
    assert held.wait(20) and old(explorer) == (True, True)
    explorer.controls["files"].value = 4  # what came of 3 is shown meanwhile, and is old as well
    seen = []
    explorer.line.observe(lambda change: seen.append(old(explorer)), "value")
    go.set()
    assert old(settled(explorer)) == (False, False)
    assert set(seen) == {(True, True)}


def test_a_picture_of_another_run_looks_old_where_there_is_none() -> None:
    """The line then tells of the present values, and the picture does not."""

    class Sometimes:
        def __call__(self, files: int) -> Any:
            return short(files) if files < 3 else None

    explorer = explore(Sometimes(), files=(1, 3))
    explorer.controls["files"].value = 3
    assert old(settled(explorer)) == (False, True)
    explorer.controls["files"].value = 2
    assert old(settled(explorer)) == (False, False)


def test_how_much_is_done_of_a_run_for_real(monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of as many as it came to fast-forward, though they begin one after the other."""
    monkeypatch.setattr(logic, "_FRAME", 0.01)
    shown: list[str] = []
    playing: list[bool] = []

    async def in_turn(parts: int) -> None:
        for number in range(1, parts + 1):
            await waits(0.01)
            while playing and f" {number} of 5 done" not in "".join(shown):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def main() -> None:
        explorer = explore(in_turn, parts=(4, 6))
        playing.append(True)
        explorer.line.observe(lambda change: shown.append(text(explorer)), "value")
        explorer.play.click()
        await until(lambda: explorer.run.real and explorer.run.finished and explorer.stop.disabled)

    play(main)
    *grows, last = shown
    done = [re.search(r" so far .* · (\d) of 5 done$", line) for line in grows]
    numbers = [int(found[1]) for found in done if found]
    assert len(numbers) == len(grows) and numbers == sorted(numbers)
    assert {1, 2, 3, 4, 5} <= set(numbers)
    assert "done" not in last and "so far" not in last


def test_a_figure_that_it_returns_is_shown_in_place_of_the_run() -> None:
    """With its own words; there is no axis to compare it on, and a failure shows its run."""

    async def line(high: int = 1) -> Any:
        if high == 3:
            raise ValueError("too high")
        return curve([1, 2], {"line": [1, high]}, xlabel="x", ylabel=f"up to {high}")

    explorer = explore(line, high=(1, 3))
    assert explorer.picture.tooltip == "up to 1"
    assert explorer.pin.disabled
    explorer.controls["high"].value = 2
    assert settled(explorer).picture.tooltip == "up to 2"
    assert bytes(explorer.picture.value) == logic.png(explorer.run.result)
    explorer.controls["high"].value = 3
    assert settled(explorer).picture.tooltip.startswith("Timeline: failed")
    assert bytes(explorer.picture.value) == shown(explorer, explorer.run)
    assert not explorer.pin.disabled
