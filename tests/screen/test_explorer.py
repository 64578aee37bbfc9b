"""The widget without a browser: what it shows is what `simulate` and the real clock say."""

import asyncio
import base64
import doctest
import html
import re
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import ipywidgets as widgets
import pytest

from helpers import Run, explore, infer, load_data, simulate
from helpers import explore as face
from helpers.camera import FastForwardLoop

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

    module_png = module.png
    monkeypatch.setattr(module, "png", counting)
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
    assert explorer.picture.value == module.png(module.timeline(run))


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
    expected = module.compare(
        pinned, other, names=("A files=3, at_once=True", "B files=3, at_once=False")
    )
    assert explorer.picture.value == module.png(expected)
    assert text(explorer) == repr(other)
    explorer.pin.click()
    explorer.controls["at_once"].value = True
    settled(explorer)
    assert explorer.pin.description == "Pin as A"
    assert explorer.picture.value == alone


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
    monkeypatch.setattr(module, "_FRAME", 0.01)
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
    monkeypatch.setattr(module, "_LONGEST", 0.2)

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
    monkeypatch.setattr(module, "_FRAME", 0.01)
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
    monkeypatch.setattr(module, "_PATIENCE", 0.3)

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
    assert settled(explorer).printed.value == ""
    assert capsys.readouterr().out == ""


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
    """As `interact` refuses it."""
    with pytest.raises(ValueError, match="20"):
        explore(story, files=(20, 1), at_once=True)
