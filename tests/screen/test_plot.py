"""Drawing: what is in the picture is what was in the run, and everybody can read it."""

import asyncio
import contextlib
import doctest
import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.text import Text

import helpers
from helpers import Run, busy, infer, load_data, record, simulate
from helpers.camera.run import Lane
from helpers.camera.steps import Steps
from helpers.camera.trace import Camera
from helpers.screen import plot
from helpers.screen.bars import HALF, HATCH
from helpers.screen.layout import pattern
from helpers.screen.plot import across, compare, curve, in_words, png, size, timeline

ROOT = Path(__file__).parent.parent
SIGNS = {"✖", "■", "…"}


async def one(file: str) -> str:
    return await infer("model", await load_data(file))


async def together(files: int) -> None:
    await asyncio.gather(*(one(f"dataset{number}.csv") for number in range(1, files + 1)))


async def in_line(files: int) -> None:
    for number in range(1, files + 1):
        await one(f"dataset{number}.csv")


async def holding(files: int) -> None:
    async def hold(file: str) -> None:
        await load_data(file)
        busy(0.3)

    await asyncio.gather(*(hold(f"dataset{number}.csv") for number in range(1, files + 1)))


async def failing(files: int) -> None:
    """The third load fails; the rest is left running."""

    async def broken(number: int) -> None:
        await asyncio.sleep(number / 10)
        if number == 3:
            raise ValueError(
                "dataset3.csv, line 17, pixel_4_5: expected a whole number from 0 to 16, "
                "saw 'letters', and much more that one would not want to read to the end"
            )

    await asyncio.gather(*(broken(number) for number in range(1, files + 1)))


async def cancelling(files: int) -> None:
    """The first load fails; the rest is cancelled."""

    async def load(number: int) -> None:
        await asyncio.sleep(1.0)
        if number == 0:
            raise ValueError("no such shard")
        await asyncio.sleep(1.0)

    async with asyncio.TaskGroup() as group:
        for number in range(files):
            group.create_task(load(number))


async def many_calls() -> None:
    """More calls than there are colours, in all states, with names that do not fit."""

    async def preprocess_a_batch_of_images_with_great_care(path: str, mode: str) -> None:
        for call in (a, b, c, d, e, f, g):
            await call()
        busy(0.5)

    async def a() -> None:
        await asyncio.sleep(0.3)

    async def b() -> None:
        await asyncio.sleep(0.3)

    async def c() -> None:
        await asyncio.sleep(0.3)

    async def d() -> None:
        await asyncio.sleep(0.3)

    async def e() -> None:
        await asyncio.sleep(0.3)

    async def f() -> None:
        await asyncio.sleep(0.3)

    async def g() -> None:
        await asyncio.sleep(0.3)

    work = preprocess_a_batch_of_images_with_great_care
    await asyncio.gather(*(work(f"/a/long/path/to/{n}", "another argument") for n in range(6)))


def so_far(files: int, seconds: float) -> Run:
    """A run that is still under way."""

    async def main() -> Run:
        camera = Camera()
        film = asyncio.create_task(camera.film(together(files)))
        await asyncio.sleep(seconds)
        run = camera.run()
        camera.stop()
        await film
        return run

    return asyncio.run(main())


async def limited(files: int) -> None:
    """One at a time."""
    limit = asyncio.Semaphore(1)

    async def hold(file: str) -> None:
        async with limit:
            await load_data(file)

    await asyncio.gather(*(hold(f"dataset{number}.csv") for number in range(1, files + 1)))


async def all_states() -> None:
    await asyncio.gather(limited(3), holding(3))


async def nested() -> None:
    """Three deep."""

    async def batch(number: int) -> None:
        await asyncio.gather(one(f"dataset{number}.csv"), one(f"dataset{number + 1}.csv"))

    async with asyncio.TaskGroup() as group:
        for number in (1, 5):
            group.create_task(batch(number))


def call_named(name: str) -> Any:
    """A call that is called so, and takes a second."""

    async def call() -> None:
        await asyncio.sleep(1)

    call.__code__ = call.__code__.replace(co_name=name, co_qualname=name)
    return call()


def titles(figure: Figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes]


def names(axes: Axes) -> list[Text]:
    return [text for text in axes.texts if text.get_fontfamily() == ["monospace"]]


def labels(axes: Axes) -> list[str]:
    return [text.get_text() for text in names(axes)]


def keys(figure: Figure) -> list[Artist]:
    return [artist for artist in figure.artists if artist.get_gid() == "key"]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in keys(figure) if isinstance(text, Text)]


def signs(axes: Axes) -> list[tuple[int, str]]:
    """What is written onto the lanes, by lane, counted from 0."""
    marks = [text for text in axes.texts if text not in names(axes)]
    return sorted((round(mark.get_position()[1]) - 1, mark.get_text().strip()) for mark in marks)


def boxes(axes: Axes, pattern: str | None = None) -> set[tuple[float, float, float]]:
    """Centre, start and end of each box, of all or of one pattern."""
    seen = set()
    for patch in axes.patches:
        if isinstance(patch, PathPatch):
            hatch = patch.get_hatch() or ""
            if pattern is None or hatch == HATCH[pattern]:
                for corners in patch.get_path().vertices.reshape(-1, 5, 2):
                    (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
                    seen.add((round((y0 + y1) / 2, 6), round(x0, 6), round(x1, 6)))
    return seen


def lines(axes: Axes, what: str) -> list[list[tuple[float, float]]]:
    """The steps, or the brackets."""
    (found,) = (c for c in axes.collections if c.get_gid() == what)
    return [[(round(x, 9), round(y, 9)) for x, y in line] for line in found.get_segments()]


def steps(axes: Axes) -> list[float]:
    return [line[0][0] for line in lines(axes, "steps")]


def colours(figure: Figure) -> dict[str, str]:
    """The colour of each call in the legend."""
    pairs = itertools.pairwise(keys(figure))
    return {
        text.get_text(): to_hex(box.get_facecolor())
        for box, text in pairs
        if isinstance(box, Rectangle) and isinstance(text, Text) and not box.get_hatch()
    }


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(plot)
    assert result.attempted and not result.failed


# --- What is in the picture ----------------------------------------------------------------


def test_lanes_and_axis_are_named() -> None:
    """The event loop is on top, then each lane by name; time is in seconds from zero on."""
    run = simulate(together, 3)
    axes = timeline(run).axes[0]
    assert labels(axes) == [
        "event loop: idle 100 %",
        *(f"one('dataset{n}.csv')" for n in (1, 2, 3)),
    ]
    assert axes.get_xlabel() == "seconds"
    assert axes.get_title(loc="left") == repr(run) == "1.76 s · 3 lanes · at most 3 in flight"
    assert axes.get_xlim() == (0, pytest.approx(run.seconds, rel=0.02))
    positions = [text.get_window_extent().y0 for text in names(axes)]
    assert positions == sorted(positions, reverse=True)
    assert size(timeline(run)) == (960, 216)


@pytest.mark.parametrize("main", [together, in_line, holding, failing])
@pytest.mark.parametrize("state", HATCH)
def test_each_box_is_a_segment(main, state: str) -> None:
    """Each lane has its segments as boxes, by state, and no others."""
    run = simulate(main, 5)
    axes = timeline(run).axes[0]
    shown = [lane for lane in (run.root, *run.lanes) if names_in(axes, lane)]
    segments = {
        (row, segment.start, segment.end)
        for row, lane in enumerate(shown, start=1)
        for segment in lane.segments
        if pattern(segment) == state and segment.end > segment.start
    }
    drawn = boxes(axes, state)
    assert {box for box in drawn if box[0] > 0.5} == segments


def names_in(axes: Axes, lane: Lane) -> bool:
    return any(label in (lane.name, f"root: {lane.name}") for label in labels(axes))


def test_the_top_lane_shows_who_holds_the_loop() -> None:
    """It has a box wherever a lane runs, and a tick for each step that took no time."""
    run = simulate(holding, 3)
    axes = timeline(run).axes[0]
    running = {
        (s.start, s.end)
        for lane in run.lanes
        for s in lane.segments
        if s.state == "running" and s.end > s.start
    }
    assert {box[1:] for box in boxes(axes) if box[0] < 0.5} == running
    assert len(running) == 3
    run = simulate(together, 3)
    axes = timeline(run).axes[0]
    assert {box for box in boxes(axes) if box[0] < 0.5} == set()
    taken = {s.start for lane in run.lanes for s in lane.segments if s.state == "running"}
    assert steps(axes) == sorted(taken)


def test_the_top_lane_shows_also_what_the_root_alone_did() -> None:
    """A time limit wakes the root and nobody else: its mark is there, though the root is not."""

    async def main() -> None:
        await asyncio.wait([asyncio.create_task(asyncio.sleep(2))], timeout=1)

    (axes,) = timeline(simulate(main)).axes
    assert labels(axes) == ["event loop: idle 100 %", "sleep(2, None)"]
    assert steps(axes) == [0.0, 1.0]


def test_what_nobody_could_see_is_left_out() -> None:
    """Of 20,000 bars and marks in 800 dots a few a dot are drawn; no gap is as wide as a dot."""

    async def one_by_one() -> None:
        for _ in range(20_000):
            await asyncio.sleep(1)

    run = simulate(one_by_one)
    axes = timeline(run).axes[0]
    dot = run.seconds / axes.bbox.width
    edges = sorted(box[1:] for box in boxes(axes))
    for drawn in edges, [(at, at) for at in steps(axes)]:
        assert 1_000 < len(drawn) < 6_000
        ends = [(0.0, 0.0), *drawn, (run.seconds, run.seconds)]
        assert all(b[0] - a[1] < dot for a, b in itertools.pairwise(ends))


def test_the_legend_names_calls_and_states() -> None:
    """Colour is the call; only the states that occur are explained, and what is waited for."""
    world = "waiting for the world: sleep"
    assert legend(timeline(simulate(together, 3))) == ["load_data()", "infer()", world]
    assert legend(timeline(simulate(holding, 3))) == [
        "load_data()",
        "hold()",
        "running: holds the loop",
        "ready: could run, kept out",
        world,
    ]
    assert legend(timeline(simulate(limited, 3)))[-1] == "waiting for its turn: Semaphore"


def test_patterns_tell_the_states_apart_without_colour() -> None:
    """Legend and bars carry the same pattern for each of the four; a turn has a thin bar."""
    figure = timeline(simulate(all_states))
    in_legend = [key.get_hatch() or "" for key in keys(figure) if isinstance(key, Rectangle)]
    assert in_legend[-4:] == list(HATCH.values())
    bars = [patch for patch in figure.axes[0].patches if isinstance(patch, PathPatch)]
    assert {bar.get_hatch() or "" for bar in bars} == set(HATCH.values())
    assert HALF["turn"] < HALF["world"] / 2


def test_more_calls_than_colours_are_other() -> None:
    """Eight calls at most have a colour each, the rest share one and are called other."""

    async def many() -> None:
        for number in range(12):
            await asyncio.create_task(call_named(f"call{number}"))

    shown = colours(timeline(simulate(many)))
    assert list(shown)[-1] == "other" and 6 <= len(shown) <= 9
    assert len(set(shown.values())) == len(shown)


def test_many_short_calls_of_one_worker_have_a_colour() -> None:
    """Each is too short to be seen alone, and together they are all that the lane does."""

    async def worker() -> None:
        for _ in range(200):
            await call_named("short")

    async def main() -> None:
        await asyncio.create_task(worker())

    figure = timeline(simulate(main))
    assert "short()" in colours(figure) and "other" not in colours(figure)


def test_a_call_keeps_its_colour() -> None:
    """In every picture, whatever else is in it; the course's own have theirs in each notebook."""

    async def first() -> None:
        await asyncio.gather(call_named("mine"), call_named("yours"), load_data("a.csv"))

    async def then() -> None:
        await asyncio.gather(infer("model", "a"), call_named("yours"), load_data("a.csv"))

    one, other = (colours(timeline(simulate(main))) for main in (first, then))
    assert one["yours()"] == other["yours()"] != one["mine()"]
    assert one["load_data()"] == other["load_data()"] == "#0072b2"
    assert other["infer()"] == "#e69f00"


def test_the_root_is_drawn_only_where_it_did_something() -> None:
    """A root that only awaits its lanes would say nothing; one that sleeps or fails does."""

    async def naps() -> None:
        await asyncio.sleep(1)
        await one("dataset1.csv")

    assert "root: naps()" in labels(timeline(simulate(naps)).axes[0])
    assert not any("root" in label for label in labels(timeline(simulate(together, 2)).axes[0]))
    assert "root: failing(3)" in labels(timeline(simulate(failing, 3)).axes[0])
    assert labels(timeline(simulate(load_data, "a.csv")).axes[0])[1:] == ["load_data('a.csv')"]


def test_nothing_at_all_is_drawn_as_well() -> None:
    """A program that does nothing has a picture."""

    async def nothing() -> None: ...

    axes = timeline(simulate(nothing)).axes[0]
    assert labels(axes) == ["event loop", "nothing()"]
    assert axes.get_xlim()[1] > 0


def test_counts_agree_with_rows() -> None:
    """Where the root has a row, the title counts it, and calls it so."""

    async def naps() -> None:
        await asyncio.sleep(1)
        await asyncio.gather(one("dataset1.csv"), one("dataset2.csv"))

    figure = timeline(simulate(naps))
    assert titles(figure) == ["2.76 s · the root and 2 lanes · at most 2 in flight"]
    assert len(labels(figure.axes[0])) == 1 + 3
    assert titles(timeline(simulate(together, 2))) == ["1.76 s · 2 lanes · at most 2 in flight"]


def test_children_stand_under_their_parent_in_a_bracket() -> None:
    """Who gathered or spawned them is above them, less indented, and joined by a line."""
    axes = timeline(simulate(nested)).axes[0]
    shown = names(axes)[1:]
    files = [f"one('dataset{n}.csv')" for n in (1, 2, 5, 6)]
    assert labels(axes)[1:] == ["batch(1)", *files[:2], "batch(5)", *files[2:]]
    starts = [round(text.get_window_extent().x0) for text in shown]
    assert starts[0] == starts[3] < min(starts[1], starts[2], starts[4], starts[5])
    joined = {y for (_, start), (_, y) in lines(axes, "brackets") if start == y}
    assert joined == {2, 3, 5, 6}
    down = [(start, end) for (_, start), (_, end) in lines(axes, "brackets") if start != end]
    assert [(round(start - 0.3), end) for start, end in down] == [(1, 3), (4, 6)]


def test_the_event_loop_says_how_much_it_was_idle() -> None:
    """In words, beside the bars of those who hold it."""
    run = simulate(holding, 3)
    assert labels(timeline(run).axes[0])[0] == f"event loop: idle {int(100 - 90 / run.seconds)} %"


def test_where_many_are_in_flight_a_strip_says_how_many() -> None:
    """A step line over time, as high as there are lanes alive."""
    axes = timeline(simulate(limited, 30)).axes[0]
    assert "in flight, up to 30" in labels(axes)
    (area,) = (patch for patch in axes.patches if patch.get_gid() == "strip")
    heights = area.get_xy()[:-1, 1].max() - area.get_xy()[:-1, 1]
    run = simulate(limited, 30)
    counts = [count for _, count in run.in_flight]
    assert counts == list(range(30, -1, -1))
    levels = sorted(set((30 * heights / heights.max()).round(6)))
    assert levels == list(range(31))
    assert not any("in flight" in label for label in labels(timeline(simulate(limited, 5)).axes[0]))


def test_titles_and_end_of_the_axis_can_be_given() -> None:
    """`until` is where the axis ends, with a line where the run does; `title` replaces its text."""
    run = simulate(together, 3)
    figure = timeline(run, until=10, title="Three files")
    axes = figure.axes[0]
    assert titles(figure) == ["Three files"]
    assert axes.get_xlim()[1] == pytest.approx(10, rel=0.02)
    assert run.seconds in [line.get_xdata()[0] for line in axes.lines]


# --- For everybody to see ------------------------------------------------------------------


def contrast(colour: str) -> float:
    """Against white, as in WCAG 2.2: (L1 + 0.05) / (L2 + 0.05)."""
    light = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 1.05 / (0.05 + 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2])


def test_text_stands_out_and_states_need_no_colour() -> None:
    """All text has a contrast of 4.5:1 at least; each state has a pattern of its own."""
    assert contrast("#767676") == pytest.approx(4.54, abs=0.01)  # the well-known limit
    for figure in timeline(simulate(failing, 4)), timeline(simulate(cancelling, 50)):
        texts = [text for text in figure.findobj(Text) if text.get_text()]
        assert len(texts) > 10
        assert min(contrast(text.get_color()) for text in texts) >= 4.5
    assert len(set(HATCH.values())) == len(HATCH) == 4


# --- Many lanes ----------------------------------------------------------------------------


@pytest.mark.parametrize(("files", "every"), [(47, ""), (200, "4th"), (2_000, "35th")])
def test_too_many_lanes_are_sampled_and_it_says_so(files: int, every: str) -> None:
    """Up to a limit all lanes are drawn, beyond it some, evenly spread, and all steps."""
    run = simulate(together, files)
    figure = timeline(run)
    axes = figure.axes[0]
    said = titles(figure)[0].partition("lanes")[2]
    assert said.startswith(f" (every {every} is drawn)" if every else " ·")
    lanes = run.lanes[:: int(every[:-2])] if every else run.lanes
    ends = {row: end for row, _, end in sorted(boxes(axes)) if row > 0.5}
    assert list(ends.values()) == [lane.end for lane in lanes]
    taken = {s.start for lane in (run.root, *run.lanes) for s in lane.segments[1::2]}
    dot, seen = run.seconds / axes.bbox.width, steps(axes)
    assert {round(at, 9) for at in taken} >= set(seen)
    assert all(any(abs(at - other) < dot for other in seen) for at in taken)


def test_those_that_failed_are_drawn_whatever_is_left_out() -> None:
    """One in 200 is what one looks for."""

    async def part(number: int) -> None:
        await asyncio.sleep(1 + number / 1_000)
        if number == 123:
            raise ValueError(number)

    async def main() -> None:
        await asyncio.gather(*map(part, range(200)), return_exceptions=True)

    figure = timeline(simulate(main))
    assert "(every 4th is drawn, and those that failed)" in titles(figure)[0]
    assert [text for _, text in signs(figure.axes[0])] == ["✖ ValueError"]


def test_who_holds_the_loop_is_seen_also_of_lanes_that_are_left_out() -> None:
    """A lane that is not drawn and holds the loop is a grey bar in the event loop's lane."""

    async def one(i: int) -> None:
        await asyncio.sleep(i)
        if i == 50:
            busy(3)

    async def main() -> None:
        await asyncio.gather(*(one(i) for i in range(100)))

    axes = timeline(simulate(main)).axes[0]
    held = [(start, end) for row, start, end in boxes(axes, "running") if row < 0.5]
    assert held == [(50, 53)]


@pytest.mark.parametrize("files", [1, 10, 40, 200, 2_000])
def test_a_picture_fits_a_screen(files: int) -> None:
    """However many lanes there are, it is 400 pixels high at most; two runs 480."""
    a, b = simulate(together, files), simulate(in_line, min(files, 200))
    assert size(timeline(a))[1] <= 400
    assert size(timeline(simulate(cancelling, files)))[1] <= 400
    assert size(compare(a, b))[1] <= 480


@pytest.mark.parametrize("height", [300, 400, 560])
def test_a_height_that_is_given_is_kept(height: int) -> None:
    """Picture and frame of the axes are as high and stand where they stood, whatever is shown."""
    runs = [simulate(main, files) for main in (together, in_line) for files in (1, 9, 200)]
    figures = [timeline(run, height=height) for run in runs]
    assert {size(figure) for figure in figures} == {(960, height)}
    frames = {tuple(figure.axes[0].get_position().bounds) for figure in figures}
    assert len(frames) == 1
    both = [compare(runs[0], run, height=height) for run in runs]
    assert {size(figure) for figure in both} == {(960, height)}


# --- Endings -------------------------------------------------------------------------------


def test_failed_cancelled_and_left_running_are_marked() -> None:
    """A lane that did not end well says so at its end; the others say nothing."""
    assert signs(timeline(simulate(together, 3)).axes[0]) == []
    assert signs(timeline(simulate(cancelling, 3)).axes[0]) == [
        (0, "✖ ExceptionGroup"),
        (1, "✖ ValueError"),
        (2, "■ cancelled"),
        (3, "■ cancelled"),
    ]
    assert signs(timeline(simulate(failing, 4)).axes[0]) == [
        (0, "✖ ValueError"),
        (3, "✖ ValueError"),
        (4, "… still waiting"),
    ]


def test_a_direct_call_that_failed_says_with_what() -> None:
    """Caught by its caller or not."""

    async def bad(kind: type[Exception]) -> None:
        await asyncio.sleep(1)
        raise kind

    async def main() -> None:
        with contextlib.suppress(OSError):
            await bad(FileNotFoundError)
        await bad(ValueError)

    shown = [text for _, text in signs(timeline(simulate(main)).axes[0])]
    assert shown == ["✖ ValueError", "✖ FileNotFoundError", "✖ ValueError"]


def test_a_deadlock_shows_who_waits_for_what() -> None:
    """Their bars go on behind the end of the run, as those of who waits for a turn, and say it."""

    async def copy(first: asyncio.Lock, second: asyncio.Lock) -> None:
        async with first:
            await asyncio.sleep(1)
            async with second:
                pass

    async def main() -> None:
        a, b = asyncio.Lock(), asyncio.Lock()
        await asyncio.gather(copy(a, b), copy(b, a))

    figure = timeline(simulate(main))
    (axes,) = figure.axes
    assert signs(axes) == [(0, "… waits for Lock.acquire"), (1, "… waits for Lock.acquire")]
    assert boxes(axes, "world") == {(1, 0, 1), (2, 0, 1)}
    assert {(row, start) for row, start, end in boxes(axes, "turn") if end > 1} == {(1, 1), (2, 1)}
    assert legend(figure)[-1] == "waiting for its turn: Lock"
    assert 1 in [line.get_xdata()[0] for line in axes.lines]


def test_thin_lanes_are_marked_by_sign_failed_ones_by_name() -> None:
    """Where there is no room for words on each lane, the legend says what a sign stands for."""
    figure = timeline(simulate(cancelling, 50))
    marks = dict(signs(figure.axes[0]))
    assert set(marks) == set(range(51))
    assert marks[0] == "✖ ExceptionGroup"
    assert [marks[row] for row in range(1, 51)] == ["✖"] + ["■"] * 49
    assert {"✖ ValueError", "■ cancelled"} <= set(legend(figure))


def test_no_words_lie_on_the_bar_of_another_lane() -> None:
    """Of ten lanes that failed early, those whose neighbours go on are marked by a sign."""

    async def request(number: int) -> None:
        await asyncio.sleep(0.1)
        if number >= 40:
            raise ConnectionError
        await asyncio.sleep(1)

    async def main() -> None:
        await asyncio.gather(*map(request, range(50)), return_exceptions=True)

    marks = dict(signs(timeline(simulate(main)).axes[0]))
    rows = sorted(marks)
    told = [row for row in rows if marks[row] == "✖ ConnectionError"]
    assert len(rows) == 10 and told
    assert min(told) > rows[0]


def test_where_no_time_passed_the_axis_counts_steps() -> None:
    """Each step is as wide as any other, and between them who is ready, and who waits."""

    async def part(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(part(2), part(1))

    run = simulate(main)
    (axes,) = (figure := timeline(run)).axes
    assert axes.get_xlabel() == "steps"
    loop = min(row for row, _, _ in boxes(axes))
    assert boxes(axes, "running") == {
        *((1, at, at + 1) for at in (0, 6)),
        *((2, at, at + 1) for at in (1, 3, 5)),
        *((3, at, at + 1) for at in (2, 4)),
        *((loop, at, at + 1) for at in range(7)),
    }
    assert boxes(axes, "ready") == {(2, 2, 3), (2, 4, 5), (3, 1, 2), (3, 3, 4)}
    assert boxes(axes, "turn") == {(1, 1, 6)}
    places = [across(figure, step.time, number) for number, step in enumerate(Steps(run))]
    left, _, wide, _ = axes.get_position().bounds
    end = axes.get_xlim()[1]
    assert places == pytest.approx([left + wide * (at + 0.5) / end for at in range(7)])


@pytest.mark.parametrize(
    ("seconds", "unit", "title"), [(0.02, "milliseconds", "20 ms"), (4e-5, "microseconds", "40 µs")]
)
def test_small_times_are_in_small_units(seconds: float, unit: str, title: str) -> None:
    """Not 0.00 s: both on the axis, whose numbers are whole ones, and in the title."""
    figure = timeline(simulate(asyncio.sleep, seconds))
    (axes,) = figure.axes
    figure.canvas.draw()
    assert (axes.get_xlabel(), titles(figure)) == (unit, [title])
    numbers = [label.get_text() for label in axes.get_xticklabels()]
    assert {"0", title.split()[0]} <= set(numbers)


def test_a_run_under_way_does_not_call_its_lanes_left_behind() -> None:
    """While a run is being filmed its lanes are alive as they should be."""
    run = so_far(3, 0.05)
    figure = timeline(run, until=2)
    assert "so far" in titles(figure)[0]
    assert signs(figure.axes[0]) == []
    waiting = [end for _, _, end in boxes(figure.axes[0], "world")]
    assert len(waiting) >= 3
    assert waiting == pytest.approx([run.seconds] * len(waiting), abs=1e-6)


def test_the_error_is_in_the_title() -> None:
    """What went wrong can be read, up to a bound, and what the run was."""
    title = titles(timeline(simulate(failing, 3)))[0].replace("\n", " ")
    assert title.startswith("failed after 0.30 s with ValueError: dataset3.csv, line 17")
    assert "expected a whole number" in title
    assert "at most 3 in flight" in title


def test_a_mark_does_not_hide_a_short_lane() -> None:
    """At the right edge it stands before the bar, where the bar is shorter than the text."""

    async def late() -> None:
        await load_data("dataset1.csv")
        async with asyncio.timeout(0.05):
            await load_data("dataset2.csv")

    run = simulate(late)
    axes = timeline(run).axes[0]
    [mark] = [text for text in axes.texts if "cancelled" in text.get_text()]
    bar = axes.transData.transform((run.lanes[-1].start, 0))[0]
    assert mark.get_window_extent().x1 <= bar + 1


# --- In words ------------------------------------------------------------------------------


def test_in_words() -> None:
    """What is drawn is told: the loop, each lane, how long it was what, and how it ended."""
    told = in_words(simulate(failing, 4)).splitlines()
    assert told[0].startswith("Timeline: failed after 0.30 s with ValueError: dataset3.csv")
    assert told[1:4] == [
        "event loop: idle 100 %",
        "root: failing(4), from 0.00 s to 0.30 s: waits for its turn 0.30 s, ✖ ValueError",
        "broken(1), from 0.00 s to 0.10 s: waits for the world 0.10 s",
    ]
    assert told[-1].endswith("to 0.30 s: waits for the world 0.30 s, … still waiting")
    assert len(in_words(simulate(together, 2_000)).splitlines()) <= 2 + 10


def test_in_words_a_real_run_is_the_same_again() -> None:
    """But for the numbers that are marked: else each execution of a notebook would change it."""

    async def main() -> None:
        await asyncio.gather(*(asyncio.sleep(0.1, number) for number in range(3)))

    said = [in_words(asyncio.run(record(main()))) for _ in range(3)]
    assert len({re.sub(r"[\d.]+ ?[^\s\d]+ \(real\)", "REAL", words) for words in said}) == 1
    assert said[0].splitlines()[2] == "sleep(0.1, 0): mostly waits for the world"


def test_a_notebook_gets_the_picture_its_width_and_its_words() -> None:
    """Of a run; and of a figure as it is, whoever made it."""
    run = simulate(together, 3)
    assert helpers._picture(run) == (png(timeline(run)), {"alt": in_words(run), "width": 960})
    figure = Figure(figsize=(5, 2), dpi=72)
    figure.subplots().set_title("mine", loc="left")
    picture, about = helpers._picture(figure)
    assert about == {"alt": "mine", "width": 360}
    assert int.from_bytes(picture[16:20]) == 720


# --- Two runs ------------------------------------------------------------------------------


def test_compare_shares_one_axis_and_keeps_the_colours() -> None:
    """Same time axis, same colour for the same call, one legend, and the name of each."""
    a, b = simulate(in_line, 3), simulate(together, 3)
    figure = compare(a, b, names=("slow", "fast"))
    assert titles(figure) == [f"slow: {a!r}", f"fast: {b!r}"]
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    assert figure.axes[0].get_xlim()[1] == pytest.approx(a.seconds, rel=0.02)
    left, right = (
        {to_hex(p.get_facecolor()) for p in ax.patches if isinstance(p, PathPatch)}
        for ax in figure.axes
    )
    assert left == right
    assert b.seconds in [line.get_xdata()[0] for line in figure.axes[1].lines]
    scales = [ax.transData.transform((1, 0))[0] for ax in figure.axes]
    assert scales[0] == scales[1]


def test_a_run_without_time_is_compared_on_the_axis_of_the_other() -> None:
    """Steps and seconds do not share an axis."""
    none, some = simulate(asyncio.sleep, 0), simulate(asyncio.sleep, 0.04)
    figure = compare(none, some)
    assert [axes.get_xlabel() for axes in figure.axes] == ["milliseconds"] * 2
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim() == (0, pytest.approx(0.0404))
    assert boxes(figure.axes[0]) == set()
    assert [axes.get_xlabel() for axes in compare(none, none).axes] == ["steps"] * 2


# --- Curves --------------------------------------------------------------------------------


def test_curve_draws_each_line_with_its_own_marker() -> None:
    """Names, numbers and labels are those given; lines differ in more than colour."""
    figure = curve(
        [1, 10, 100], {"a": [1, 2, 3], "b": [3, 2, 1]}, xlabel="files", ylabel="s", title="T"
    )
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel(), titles(figure)) == ("files", "s", ["T"])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]
    assert [list(line.get_ydata()) for line in axes.lines] == [[1, 2, 3], [3, 2, 1]]
    assert len({line.get_marker() for line in axes.lines}) == 2
    assert axes.get_ylim()[0] == 0


def test_a_logarithmic_curve_has_plain_numbers() -> None:
    """10,000 and not a power of ten, for somebody in the back row."""
    figure = curve([1, 10_000], {"a": [1, 0.01]}, xlabel="x", ylabel="y", log=True)
    axes = figure.axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    figure.canvas.draw()
    assert "10,000" in [label.get_text() for label in axes.get_xticklabels()]
    assert "0.01" in [label.get_text() for label in axes.get_yticklabels()]


# --- Can it be read? -----------------------------------------------------------------------

PICTURES = {
    "3 lanes": lambda: timeline(simulate(together, 3)),
    "20 lanes": lambda: timeline(simulate(together, 20)),
    "50 lanes": lambda: timeline(simulate(together, 50)),
    "60 lanes": lambda: timeline(simulate(together, 60)),
    "2,000 lanes": lambda: timeline(simulate(together, 2_000)),
    "loop held": lambda: timeline(simulate(holding, 8)),
    "failed": lambda: timeline(simulate(failing, 5)),
    "50 cancelled": lambda: timeline(simulate(cancelling, 50)),
    "many calls": lambda: timeline(simulate(many_calls)),
    "compare": lambda: compare(simulate(in_line, 3), simulate(together, 3)),
    "compare 40": lambda: compare(
        simulate(in_line, 40),
        simulate(together, 40),
        names=("A files=40, strategy='one after the other'", "B"),
    ),
    "compare failed": lambda: compare(simulate(failing, 4), simulate(cancelling, 4)),
    "curve": lambda: curve(
        [1, 10_000], {"a": [1, 10_000]}, xlabel="x", ylabel="y", log=True, title="One"
    ),
}


def texts(figure: Figure) -> Iterator[Text]:
    """All that is written and visible, save the signs on thin lanes."""
    for axes in figure.axes:
        yield from (axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label)
        for axis in filter(Artist.get_visible, (axes.xaxis, axes.yaxis)):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks():
                if low <= tick.get_loc() <= high:
                    yield tick.label1
        yield from (text for text in axes.texts if text.get_text().strip() not in SIGNS)
        if axes.get_legend():
            yield from axes.get_legend().get_texts()
    yield from (key for key in keys(figure) if isinstance(key, Text))


@pytest.mark.parametrize("name", PICTURES)
def test_no_text_is_clipped_or_covers_another(name: str) -> None:
    """Everything written lies within the picture, and no two texts overlap."""
    figure = PICTURES[name]()
    figure.canvas.draw()
    written = [
        (text.get_text(), text.get_window_extent())
        for text in texts(figure)
        if text.get_text().strip()
    ]
    assert len(written) > 4
    width, height = figure.canvas.get_width_height()
    for text, box in written:
        assert box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height, text
    for (text, box), (other, other_box) in itertools.combinations(written, 2):
        across = min(box.x1, other_box.x1) - max(box.x0, other_box.x0)
        down = min(box.y1, other_box.y1) - max(box.y0, other_box.y0)
        assert across <= 1 or down <= 2, (text, other)  # boxes have air around their letters


@pytest.mark.parametrize("name", PICTURES)
def test_text_is_large_enough_for_the_back_row(name: str) -> None:
    """No text below 11 points on a picture 9.6 inches wide."""
    figure = PICTURES[name]()
    assert figure.get_figwidth() == 9.6
    assert min(text.get_fontsize() for text in texts(figure) if text.get_text()) >= 11


# --- Bytes, pyplot, threads ----------------------------------------------------------------


def test_png_has_two_dots_a_pixel() -> None:
    """The signature and the size are right."""
    figure = timeline(simulate(together, 3))
    picture = png(figure)
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    dots = int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24])
    assert dots == tuple(2 * side for side in size(figure))


def test_names_look_as_if_written_anew() -> None:
    """They are kept as images; in any size they have the ink that they should have, unclipped."""
    for dpi in (100, 200):
        for names in (True, False):
            figure = timeline(simulate(together, 12))
            figure.set_dpi(dpi)
            for text in figure.axes[0].texts if names else ():
                text.__class__ = Text
            figure.canvas.draw()
            picture = np.asarray(figure.canvas.buffer_rgba())[..., :3]
            edge = int(figure.axes[0].bbox.x0) - 2
            ink = 255.0 - picture[:, :edge].mean(axis=2)
            if names:
                expected = ink
        assert expected.sum() == pytest.approx(ink.sum(), rel=0.03)


def test_pyplot_is_never_imported() -> None:
    """Nothing here touches pyplot's state, for there is none."""
    code = (
        "import sys; from helpers import *; from helpers.screen.plot import *\n"
        "r = simulate(load_data, 'a.csv'); png(timeline(r)); png(compare(r, r))\n"
        "png(curve([1], {'a': [1]}, xlabel='x', ylabel='y'))\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout.strip() == "False", run.stderr


def test_drawing_from_several_threads_gives_the_same_pictures() -> None:
    """Threads that draw at the same time do not disturb each other."""
    runs = [simulate(together, files) for files in (1, 3, 9)] * 4
    one_by_one = [png(timeline(run)) for run in runs]
    with ThreadPoolExecutor(6) as pool:
        at_once = list(pool.map(lambda run: png(timeline(run)), runs))
    assert at_once == one_by_one


# --- Any text ------------------------------------------------------------------------------

SIGNS_OF_MATHEMATICS = "$x^2$ costs $5 at \\frac_{"
ODD = {
    "mathematics": SIGNS_OF_MATHEMATICS,
    "one dollar": "a $ sign",
    "private": "_load",
    "controls": "a\0b\nc\td\re\x1b[31m\u202ef\ud800",
    "Arabic": "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644",
    "Chinese": "\u4e2d\u6587" * 30,
    "emoji": "\U0001f600\u2764\ufe0f\U0001f469\u200d\U0001f4bb",
    "wide": "W" * 60,
    "endless": "x" * 1_000_000,
    "nothing": "",
}


async def called(text: str) -> None:
    """Tasks, calls and an error that are called so."""

    async def call() -> None:
        await asyncio.sleep(1)
        raise type(text[:1_000].replace("\0", "0").replace("\ud800", "") or "E", (Exception,), {})(
            text
        )

    call.__code__ = call.__code__.replace(
        co_name=text.replace("\ud800", ""), co_qualname=text.replace("\ud800", "")
    )
    await asyncio.gather(*(asyncio.create_task(call(), name=f"{text}{i}") for i in range(3)))


def drawings(text: str) -> list[Figure]:
    """Every place that a text can come to."""
    run = simulate(called, text)
    return [
        timeline(run),
        timeline(run, title=text),
        compare(run, run, names=(text, "B")),
        curve([1, 2], {text: [1, 2], "b": [2, 1]}, xlabel=text, ylabel=text, title=text),
    ]


@pytest.mark.parametrize("name", ODD)
def test_any_text_is_drawn_as_it_is_within_the_picture(name: str) -> None:
    """No warning, no mathematics; every text, title, name and entry of a legend ends inside."""
    for figure in drawings(ODD[name]):
        png(figure)
        figure.canvas.draw()  # in its own size again
        width, height = figure.canvas.get_width_height()
        for text in texts(figure):
            if not text.get_text().strip():
                continue
            assert not text.get_usetex()
            assert not text.get_parse_math() or "$" not in text.get_text()
            assert "\0" not in text.get_text() and "\u202e" not in text.get_text()
            box = text.get_window_extent()
            inside = box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height
            assert inside, (text.get_text(), box)


def test_signs_stay_and_nothing_is_left_out() -> None:
    """Dollars in names, titles and endings; an underscore in the legend and in a curve's."""
    first, titled, both, curved = drawings(SIGNS_OF_MATHEMATICS)
    assert labels(first.axes[0])[-1] == f"{SIGNS_OF_MATHEMATICS}2"
    assert SIGNS_OF_MATHEMATICS in titles(titled)[0].replace("\n", " ")
    assert SIGNS_OF_MATHEMATICS in titles(both)[0].replace("\n", " ")
    assert f"{SIGNS_OF_MATHEMATICS}()" in legend(first)
    assert f"✖ {SIGNS_OF_MATHEMATICS}" in dict(signs(first.axes[0])).values()
    assert curved.axes[0].get_xlabel() == SIGNS_OF_MATHEMATICS
    private, *_, curved = drawings("_load")
    assert "_load()" in legend(private)
    shown = curved.axes[0].get_legend()
    assert shown and [text.get_text() for text in shown.get_texts()] == ["_load", "b"]


def test_a_title_keeps_the_order_of_its_parts() -> None:
    """Also where one of them is written from right to left."""
    figure = timeline(simulate(together, 3), title="\u05d0 · 3 lanes")
    assert titles(figure) == ["\u05d0\u200e · \u200e3 lanes"]


def test_a_name_is_cut_by_its_width() -> None:
    """Letters that are wider, or drawn by an escape, leave room for fewer; the bars keep theirs."""

    def left(text: str) -> float:
        return float(timeline(simulate(called, text)).axes[0].get_position().x0)

    assert left("x" * 35) == left("x" * 1_000) == pytest.approx(left("\u4e2d" * 100), abs=0.05)
    assert left("x" * 10) < left("\U00012345" * 3) <= left("x" * 35)


def test_a_title_of_wide_letters_is_in_lines_that_fit() -> None:
    """In as few as that takes."""
    figure = timeline(simulate(together, 3), title="W" * 70)
    assert len(titles(figure)[0].splitlines()) == 2
