"""The loop's door: all that a loop calls passes it, and nothing of the program is touched."""

import asyncio
import subprocess
import sys
import textwrap
import traceback
from collections import deque
from typing import Any

import pytest

from helpers.camera.clock import record, simulate
from helpers.camera.cpython import get_ready_queue
from helpers.camera.door import FilmedQueue, close_door, open_door


async def stack() -> list[str]:
    await asyncio.sleep(0)
    return [frame.f_code.co_name for frame, _ in traceback.walk_stack(sys._getframe())]


def test_no_frame_of_the_camera_is_on_the_stack() -> None:
    """Of a task, and of a callback, as the program sees it."""

    async def main() -> list[Any]:
        called: list[Any] = []
        asyncio.get_running_loop().call_soon(
            lambda: called.append([f.f_code.co_name for f, _ in traceback.walk_stack(None)][:3])
        )
        return [(await asyncio.create_task(stack()))[:5], called[0]]

    plain = asyncio.run(main())
    assert asyncio.run(record(main())).result == plain
    assert simulate(main).result == plain


def test_debug_mode_says_where_a_task_was_made() -> None:
    """And who held the loop, in the same words."""

    async def main() -> list[Any]:
        loop = asyncio.get_running_loop()
        task: Any = asyncio.create_task(asyncio.sleep(0))
        made: list[Any] = [task, loop.call_soon(print, ""), loop.call_later(0, print, "")]
        await task
        return [[frame.name for frame in each._source_traceback][-1:] for each in made]

    plain = asyncio.run(main(), debug=True)
    assert asyncio.run(record(main()), debug=True).result == plain

    async def in_debug_mode() -> list[Any]:
        asyncio.get_running_loop().set_debug(True)
        return await main()

    assert simulate(in_debug_mode).result == plain


def test_the_queue_is_put_in_place_and_back_while_the_loop_goes_through_it() -> None:
    """Nobody's turn is lost or comes twice."""
    order: list[str] = []

    async def mark(name: str) -> None:
        for number in range(3):
            order.append(f"{name}{number}")
            await asyncio.sleep(0)

    async def films() -> None:
        await record(mark("b"))

    async def plain() -> None:
        await mark("b")

    async def main(middle: Any) -> list[str]:
        order.clear()
        tasks = [asyncio.create_task(each) for each in (mark("a"), middle(), mark("c"))]
        await asyncio.wait(tasks)
        assert type(get_ready_queue(asyncio.get_running_loop())) is deque
        return list(order)

    assert asyncio.run(main(films)) == asyncio.run(main(plain))


def test_each_camera_gives_its_place_back() -> None:
    """After the last one the loop has a queue as before."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        first = open_door(loop)
        assert open_door(loop) is first is get_ready_queue(loop)
        close_door(first)
        assert isinstance(get_ready_queue(loop), FilmedQueue)
        close_door(first)
        assert type(get_ready_queue(loop)) is deque
        assert vars(loop).keys() & {"create_task", "call_soon"} == set()

    asyncio.run(main())


def test_a_loop_of_another_make_is_refused() -> None:
    """With a sentence; the program has not begun."""
    with pytest.raises(TypeError, match="films the loops of asyncio itself, not a object"):
        open_door(object())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
@pytest.mark.parametrize("way", ["factory", "option"])
def test_an_eager_task_takes_its_first_step_inside_another(way: str) -> None:
    """It is a lane from its first step on; one that ends in it as well; and the time is its own."""
    if way == "option" and sys.version_info < (3, 14):
        pytest.skip("eager_start came with Python 3.14")
    from helpers import busy

    async def job(name: str, waits: bool) -> str:
        busy(1)
        if waits:
            await asyncio.sleep(2)
        return name

    async def main() -> list[str]:
        options: Any = {}
        if way == "factory":
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        else:
            options = {"eager_start": True}
        tasks = [asyncio.create_task(job(n, n == "b"), **options) for n in ("a", "b")]
        busy(0.5)
        return [await task for task in tasks]

    run = simulate(main)
    assert run.result == ["a", "b"]
    assert [(lane.name, lane.start, lane.end, lane.ending) for lane in run.lanes] == [
        ("job('a', False)", 0.0, 1.0, "done"),
        ("job('b', True)", 1.0, 4.0, "done"),
    ]
    assert run.held == 2.5
    held = [(s.start, s.end) for s in run.root.segments if s.state == "running" and s.end > s.start]
    assert held == [(2.0, 2.5)]


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="nest_asyncio breaks there")
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_loop_that_runs_in_a_step(when: str) -> None:
    """As nest_asyncio allows, which puts another class in the place of `asyncio.Task`."""
    program = """
    import asyncio
    {}
    from helpers import record
    {}
    nest_asyncio.apply()

    async def inner():
        await asyncio.sleep(0.02)
        return "inner"

    async def main():
        task = asyncio.create_task(asyncio.sleep(0.1, "outer"))
        result = asyncio.run(inner())
        await asyncio.sleep(0.01)
        return result, await task

    run = asyncio.run(record(main()))
    print(run.result, [(lane.name, lane.ending) for lane in (run.root, *run.lanes)])
    print([segment.what for segment in run.root.segments if segment.state == "waiting"])
    """
    imports = "import nest_asyncio; nest_asyncio.apply()", "import nest_asyncio"
    lines = imports if when == "before" else ("", imports[1])
    code = textwrap.dedent(program).format(*lines)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = [("main()", "done"), ("sleep(0.1, 'outer')", "done"), ("inner()", "done")]
    assert done.stdout.startswith("('inner', 'outer') ")
    assert all(str(each) in done.stdout for each in names), done.stdout
    assert """['sleep', "sleep(0.1, 'outer')"]""" in done.stdout
