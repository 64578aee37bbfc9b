"""The replay without a browser: each step shows who ran, who could, who waited and for what."""

import asyncio
import base64
import gc
import html
import json
import linecache
import re
import sys
from typing import Any

import pytest

from helpers import Run, busy, infer, load_data, record, replay, simulate
from helpers.screen.plot import timeline
from helpers.screen.replay import Step, Steps

module = sys.modules["helpers.screen.replay"]  # as an attribute of `helpers` it is the function
SIGNATURE = b"\x89PNG\r\n\x1a\n"


async def nap(name: str, seconds: float = 1.0) -> str:
    await asyncio.sleep(seconds)
    return name


async def one(file: str) -> str:
    data = await load_data(file)
    return await infer("model", data)


async def together() -> None:
    await asyncio.gather(nap("a"), nap("b", 2.0), nap("c", 0.5))


async def in_turn() -> None:
    await nap("a")
    await nap("b")


def line(function: Any, text: str) -> int:
    """The number of the first line of the function that holds the text."""
    code = function.__code__
    with open(code.co_filename, encoding="utf-8") as file:
        lines = file.read().splitlines()
    first: int = code.co_firstlineno
    return next(n for n, source in enumerate(lines[first - 1 :], first) if text in source)


def plain(widget: Any) -> str:
    """What a person reads."""
    text = re.sub(r"</(?:tr|div|pre)>|<br>", "\n", widget.value)
    return html.unescape(re.sub(r"<[^>]+>", " ", text)).replace("\xa0", " ")


def squeezed(widget: Any) -> str:
    return " ".join(plain(widget).split())


def marks(shown: Any) -> dict[str, str]:
    """What stands in the marked lines of the source, by mark."""
    found = {}
    for row in plain(shown.source).splitlines():
        if match := re.match(r"\s*([▶‖ ]{2}) +\d+ +(.*)", row):
            for mark in match[1].strip():
                found[mark] = match[2].strip()
    return found


def told(moment: Step) -> tuple[Any, ...]:
    return (
        moment.time,
        moment.lane.name,
        [lane.name for lane in moment.ready],
        [(lane.name, segment.what, segment.until) for lane, segment in moment.waiting],
        [lane.name for lane in moment.finished],
    )


def steps(run: Run) -> list[tuple[Any, ...]]:
    return [told(moment) for moment in Steps(run)]


# --- The moments ---


def test_moments_of_a_known_run():
    """Ready lanes stand in the order in which they run; waiting ones tell what for."""
    a, b, c = "nap('a', 1.0)", "nap('b', 2.0)", "nap('c', 0.5)"
    root = ("together()", "gather", None)
    assert steps(simulate(together)) == [
        (0.0, "together()", [], [], []),
        (0.0, a, [b, c], [root], []),
        (0.0, b, [c], [root, (a, "sleep", 1.0)], []),
        (0.0, c, [], [root, (a, "sleep", 1.0), (b, "sleep", 2.0)], []),
        (0.5, c, [], [root, (a, "sleep", 1.0), (b, "sleep", 2.0)], []),
        (1.0, a, [], [root, (b, "sleep", 2.0)], [c]),
        (2.0, b, [], [root], [c, a]),
        (2.0, "together()", [], [], [c, a, b]),
    ]


def test_moments_of_calls_in_turn():
    """A caller waits for its call, also in the instant in which it hands over."""
    a, b = "nap('a', 1.0)", "nap('b', 1.0)"
    for_a, for_b = ("in_turn()", a, None), ("in_turn()", b, None)
    assert steps(simulate(in_turn)) == [
        (0.0, "in_turn()", [], [], []),
        (0.0, a, [], [for_a], []),
        (1.0, a, [], [for_a], []),
        (1.0, "in_turn()", [], [], [a]),
        (1.0, b, [], [for_b], [a]),
        (2.0, b, [], [for_b], [a]),
        (2.0, "in_turn()", [], [], [a, b]),
    ]


def test_who_was_ready_first_runs_next():
    """The first in the queue is the one that takes the next step, unless all must wait."""

    async def talk(name: str) -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(*map(talk, "abc"))

    found = Steps(simulate(main))
    queues = [moment.ready for moment in found]
    assert max(map(len, queues)) == 2
    for queue, after in zip(queues, [*found][1:], strict=False):
        if queue:
            assert queue[0] is after.lane


def test_late_ones_are_ready():
    """While somebody holds the loop, those that were due queue up behind."""

    async def holds() -> None:
        await asyncio.sleep(0.2)
        busy(2)
        await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(holds(), nap("a", 1.0))

    run = simulate(main)
    shown = replay(run)
    shown.step.value = 1 + next(
        i for i, moment in enumerate(shown.moments) if moment.segment.end > moment.segment.start
    )
    assert "holds the loop for 2.000 s, then goes on" in squeezed(shown.lanes)
    shown.step.value += 1
    assert "then lets the others go first" in squeezed(shown.lanes)


def test_moments_can_be_sliced():
    """They are a sequence, from either end."""
    found = Steps(simulate(together))
    assert found[-1] == found[len(found) - 1]
    assert found[1:3] == [found[1], found[2]]
    with pytest.raises(IndexError):
        found[len(found)]


def test_one_that_is_left_has_not_ended():
    """A task that the program leaves behind waits until the last step."""

    async def main() -> None:
        main.task = asyncio.create_task(nap("left", 9.0))  # type: ignore[attr-defined]
        await asyncio.sleep(1)

    last = Steps(simulate(main))[-1]
    assert last.finished == []
    assert [(lane.name, s.until) for lane, s in last.waiting] == [("nap('left', 9.0)", 9.0)]


def test_one_that_is_lost_has_ended():
    """A task that was dropped, since nobody held it, waits no more."""

    async def lost() -> None:
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        asyncio.create_task(lost())  # noqa: RUF006 - this is the mistake
        await asyncio.sleep(1)
        gc.collect()
        await asyncio.sleep(1)

    found = Steps(simulate(main))
    assert found[-1].waiting == []
    assert [(lane.name, lane.ending) for lane in found[-1].finished] == [("lost()", "lost")]
    assert [lane.name for lane, _ in found[-2].waiting] == ["lost()"]


def test_a_run_that_can_never_go_on():
    """A deadlock is shown up to where it stands."""

    async def main() -> None:
        await asyncio.Event().wait()

    shown = replay(simulate(main))
    assert len(shown.moments) == 1
    assert "then waits for Event.wait" in squeezed(shown.lanes)


# --- What is shown ---


def test_marks_the_present_line_and_the_next():
    """Where the call begins and stops; then where it goes on."""
    shown = replay(simulate(nap, "a"))
    assert marks(shown) == {
        "▶": "async def nap(name: str, seconds: float = 1.0) -> str:",
        "‖": "await asyncio.sleep(seconds)",
    }
    assert "begins here" in plain(shown.source)
    shown.step.value = 2
    assert marks(shown) == {"▶": "await asyncio.sleep(seconds)"}
    assert "goes on here" in plain(shown.source)
    assert shown.moments[1].segment.line == line(nap, "sleep")


def test_marks_the_line_of_a_call_that_awaits_another():
    """It goes on after the call that has ended, and stops where it awaits the next."""

    async def main() -> None:
        await asyncio.gather(one("dataset1.csv"))

    shown = replay(simulate(main))
    seen = []
    for number, moment in enumerate(shown.moments, start=1):
        shown.step.value = number
        if moment.lane.name.startswith("one"):
            seen.append(marks(shown))
    load, label = "data = await load_data(file)", 'return await infer("model", data)'
    assert seen == [
        {"▶": "async def one(file: str) -> str:", "‖": load},
        {"▶": load, "‖": label},
        {"▶": label},
    ]
    shown.step.value = 3
    assert "then waits in infer for sleep, until 1.440 s" in squeezed(shown.lanes)


def test_going_into_an_awaited_coroutine_is_told_from_waiting():
    """The loop hears nothing of it, so it is not said that the caller stops until its turn."""
    shown = replay(simulate(one, "dataset1.csv"))
    calls = [m.calls_into.name for m in shown.moments if m.calls_into]
    assert calls == ["load_data('dataset1.csv')", "infer('model', 'dataset1 images')"]
    assert "then goes into load_data('dataset1.csv') , at once" in squeezed(shown.lanes)
    assert "‖ calls from here" in squeezed(shown.source)
    shown.step.value = 2
    assert "then waits for sleep, until 0.650 s" in squeezed(shown.lanes)
    assert shown.moments[-1].calls_into is None


def test_marks_the_line_of_a_root_that_awaits_in_turn():
    """So it is with the calls that the root awaits directly, which are lanes of their own."""
    shown = replay(simulate(in_turn))
    seen = []
    for number, moment in enumerate(shown.moments, start=1):
        shown.step.value = number
        if moment.lane.name == "in_turn()":
            seen.append(marks(shown))
    a, b = 'await nap("a")', 'await nap("b")'
    assert seen == [{"▶": "async def in_turn() -> None:", "‖": a}, {"▶": a, "‖": b}, {"▶": b}]


def test_marks_the_line_that_holds_the_loop():
    """Also where it holds it without an await."""

    async def holds() -> None:
        total = 0
        busy(1)
        del total

    shown = replay(simulate(holds))
    shown.step.value = 2
    assert marks(shown) == {"▶": "busy(1)"}


def test_lanes_by_state():
    """Who runs and what comes of it, who is ready in order, who waits, who has ended."""
    shown = replay(simulate(together))
    shown.step.value = 3
    assert squeezed(shown.lanes) == (
        "time 0.000 s "
        "runs ▶ nap('b', 2.0) then waits for sleep, until 2.000 s "
        "ready nap('c', 0.5) "
        "waits together() for gather nap('a', 1.0) for sleep, until 1.000 s "
        "has ended nobody"
    )
    shown.step.value = 2
    assert "ready 1. nap('b', 2.0) 2. nap('c', 0.5) waits" in squeezed(shown.lanes)
    shown.step.value = 8
    assert "then ends: done" in squeezed(shown.lanes)
    assert squeezed(shown.lanes).endswith(
        "has ended nap('c', 0.5) : done nap('a', 1.0) : done nap('b', 2.0) : done"
    )


def test_says_what_failed():
    """By the kind of its error."""

    async def main() -> None:
        await asyncio.gather(nap("a"), asyncio.sleep(-1), fails(), return_exceptions=True)

    async def fails() -> None:
        raise ConnectionError("gone")

    shown = replay(simulate(main))
    said = []
    for number in range(1, shown.step.max + 1):
        shown.step.value = number
        said.append(squeezed(shown.lanes))
    assert any("▶ fails() then ends: failed with ConnectionError" in text for text in said)
    assert "fails() : failed with ConnectionError" in said[-1]


def test_a_docstring_is_left_out():
    """What is shown is the code, each line with its number in the file."""
    shown = replay(simulate(load_data, "dataset1.csv"))
    text = plain(shown.source)
    assert '"""…"""' in text
    assert "Pretend to load" not in text
    assert marks(shown)["‖"] == "await asyncio.sleep(load_seconds(path, seed=seed))"
    assert f"{line(load_data, 'await asyncio.sleep')} " in text


def test_a_long_source_is_shown_around_the_present_line():
    """Never more than a screen of it."""

    async def long() -> None:
        x = 0
        # 1
        # 2
        # 3
        # 4
        # 5
        # 6
        # 7
        # 8
        # 9
        # 10
        # 11
        # 12
        # 13
        # 14
        await asyncio.sleep(1)
        # 16
        # 17
        # 18
        # 19
        # 20
        # 21
        # 22
        # 23
        # 24
        # 25
        del x

    shown = replay(simulate(long))
    assert "⋮" in plain(shown.source)
    assert "del x" not in plain(shown.source)
    shown.step.value = 2
    assert marks(shown) == {"▶": "await asyncio.sleep(1)"}
    assert plain(shown.source).count("⋮") == 2


def test_source_that_is_not_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence instead, and everything else as ever, also where Python thinks it knows one."""
    python_c = (0, None, ["import sys\n"], "<string>")  # what 3.13 puts there for `python -c`
    monkeypatch.setitem(linecache.cache, "<string>", python_c)
    names: dict[str, Any] = {"asyncio": asyncio}
    exec("async def made():\n    await asyncio.sleep(1)", names)
    shown = replay(simulate(names["made"]))
    assert squeezed(shown.source) == "The source of made is not at hand."
    assert "then waits for sleep, until 1.000 s" in squeezed(shown.lanes)


def test_a_librarys_source_is_not_shown():
    """Only the learner's own functions are."""

    async def main() -> None:
        await asyncio.gather(asyncio.sleep(1))

    shown = replay(simulate(main))
    shown.step.value = 2
    assert shown.moments[1].segment.call == "sleep"
    assert squeezed(shown.source) == "The source of sleep is that of a library."


def test_names_are_text():
    """A name that looks like HTML is shown as it is."""

    async def main() -> None:
        await asyncio.gather(nap("<b>&"))

    shown = replay(simulate(main))
    shown.step.value = 2
    assert "<b>&amp;" not in shown.lanes.value
    assert "nap('<b>&', 1.0)" in squeezed(shown.lanes)


def test_real_time_says_so():
    """A run on the real clock is replayed like any other."""
    shown = replay(asyncio.run(record(nap("a", 0.01))))
    assert len(shown.moments) == 2
    assert "s (real)" in squeezed(shown.lanes)


def test_cursor_stands_at_the_present():
    """At the place of the time in the picture, whatever its size."""
    run = simulate(together)
    ax = timeline(run).axes[0]
    box = ax.get_position()
    shown = replay(run)
    for number, moment in enumerate(shown.moments, start=1):
        shown.step.value = number
        (left,) = re.findall(r"left: ([\d.]+)%", shown.cursor.value)
        wanted = box.x0 + box.width * moment.time / ax.get_xlim()[1]
        assert float(left) == pytest.approx(100 * wanted, abs=0.01)


# --- Moving ---


def test_back_and_forward_stop_at_both_ends():
    """One step at a time; at an end nothing happens."""
    shown = replay(simulate(nap, "a"))
    assert (shown.step.min, shown.step.max) == (shown.play.min, shown.play.max) == (1, 2)
    shown.back.click()
    assert shown.step.value == 1
    shown.forward.click()
    assert shown.step.value == 2
    assert "1.000 s" in squeezed(shown.lanes)
    shown.forward.click()
    assert shown.step.value == 2
    shown.back.click()
    assert shown.step.value == 1
    assert "0.000 s" in squeezed(shown.lanes)


def test_a_move_sends_no_picture():
    """Only the cursor and the text change."""
    shown = replay(simulate(together))
    sent = []
    shown.picture.observe(lambda change: sent.append(change), "value")
    for number in range(1, 9):
        shown.step.value = number
    assert sent == []


def test_panels_keep_their_height():
    """So that nothing jumps while it plays."""
    shown = replay(simulate(together))
    height = shown.source.layout.height
    assert shown.lanes.layout.height == height
    assert re.fullmatch(r"\d+px", height)
    shown.step.value = 8
    assert shown.source.layout.height == height


# --- As an output ---


def test_bundle_holds_widget_text_and_picture():
    """Where no widget can live, there is the timeline."""
    shown = replay(simulate(together))
    bundle = shown._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "application/vnd.jupyter.widget-view+json" in data
    assert base64.b64decode(data["image/png"]).startswith(SIGNATURE)
    assert data["text/plain"] == repr(shown)


def test_repr():
    """Short and stable."""
    assert repr(replay(simulate(nap, "a"))) == "replay of 2 steps: 1.00 s"

    async def instant() -> None: ...

    assert repr(replay(simulate(instant))) == "replay of 1 step: 0.00 s"


@pytest.mark.parametrize("thing", [None, 7, nap, simulate])
def test_other_things_are_refused(thing: Any):
    """With the snippet that is right."""
    with pytest.raises(TypeError, match=r"replay\(\) wants a Run, .*replay\(simulate\(main"):
        replay(thing)


def test_a_coroutine_is_refused_and_closed():
    """Nobody will await it, so Python must not complain of that as well."""
    coroutine = nap("a")
    with pytest.raises(TypeError, match="not coroutine"):
        replay(coroutine)  # type: ignore[arg-type]
    assert coroutine.cr_frame is None


def test_two_thousand_lanes():
    """What is shown of them is bounded, and they are counted."""

    async def main() -> None:
        await asyncio.gather(*(nap(f"{number}", 1.0 + number) for number in range(2_000)))

    shown = replay(simulate(main))
    assert len(shown.moments) == 4_002
    sizes = []
    for number in (1, 2, 1_001, 2_001, 3_001, 4_002):
        shown.step.value = number
        sizes.append(len(shown.lanes.value))
        assert squeezed(shown.lanes).count("nap(") <= 3 * module._MOST + 1
    assert max(sizes) < 6_000
    shown.step.value = 1_001
    assert "… and 992 more" in squeezed(shown.lanes)
    shown.step.value = 3_002
    assert "992 before, … nap('992', 993.0) : done" in squeezed(shown.lanes)
    assert int(shown.lanes.layout.height.removesuffix("px")) <= 500


def test_a_run_of_no_steps():
    """Also that is shown: an empty replay."""
    run = simulate(nap, "a")
    run.root = run.root._replace(segments=())
    shown = replay(run)
    shown.forward.click()
    assert "Nobody took a step" in plain(shown.lanes)


# --- Any text, and who comes first ---------------------------------------------------------


@pytest.mark.parametrize("text", ["\ud800 \0 \u202e", "<b>$x^2$</b>", "x" * 1_000_000, "\u4e2d"])
def test_any_text_can_be_sent_and_is_short(text: str) -> None:
    """Of tasks and errors, at each step: names, source and lanes."""

    async def fails() -> None:
        await asyncio.sleep(1)
        raise ValueError(text)

    async def main() -> None:
        await asyncio.gather(*(asyncio.create_task(fails(), name=f"{text}{i}") for i in range(2)))

    shown = replay(simulate(main))
    for step in range(1, shown.step.max + 1):
        shown.step.value = step
        for widget in (shown, shown.source, shown.lanes, shown.picture, shown.cursor):
            sent = json.dumps(widget.get_state(), default=repr, ensure_ascii=False).encode()
            assert len(sent) < 200_000 and b"\\u0000" not in sent
        assert "<b>$" not in shown.source.value + shown.lanes.value
    assert len(repr(shown)) < 1_000


def test_several_that_wait_for_one_future_are_ready_in_the_order_of_the_loop() -> None:
    """That is the order in which they began to wait, not that of their start."""
    went = []

    async def main() -> None:
        future = asyncio.get_running_loop().create_future()

        async def waits(number: int) -> None:
            await asyncio.sleep(4 - number)
            await future
            went.append(str(number))

        tasks = [asyncio.create_task(waits(i), name=str(i)) for i in range(4)]
        await asyncio.sleep(9)
        future.set_result(None)
        await asyncio.gather(*tasks)

    steps = [step for step in replay(simulate(main)).moments if step.time == 9]
    woken = [step for step in steps if step.lane.name.isdigit()]
    assert [step.lane.name for step in woken] == went == ["3", "2", "1", "0"]
    for at, step in enumerate(woken):
        assert [lane.name for lane in step.ready if lane.name.isdigit()] == went[at + 1 :]
