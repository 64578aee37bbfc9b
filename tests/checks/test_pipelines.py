"""The verdict of notebook 06, on right and wrong answers; and what its answers to readers claim."""

import asyncio
import doctest
import random
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
import pytest

import helpers.checks.pipelines
from helpers import simulate
from helpers.checks.pipelines import check_load_infer_save

END = object()
NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "06_pipelines.ipynb"
DEFINITIONS = "01 03 03p 03q 04 08 08p 11 16 18 33 37 37p".split()


async def take(queue, end=END):
    while (item := await queue.get()) is not end:
        yield item


async def solution(files, load, infer, save, size):
    loaded, inferred = asyncio.Queue(size), asyncio.Queue(size)

    async def loader():
        for file in files:
            await loaded.put(await load(file))
        await loaded.put(END)

    async def inferrer():
        async for data in take(loaded):
            await inferred.put(await infer(data))
        await inferred.put(END)

    async with asyncio.TaskGroup() as group:
        group.create_task(loader())
        group.create_task(inferrer())
        return [await save(label) async for label in take(inferred)]


async def gathered_and_cancelled(files, load, infer, save, size):
    """With gather, each result in its place, and by hand what a group does."""
    loaded, inferred, saved = asyncio.Queue(size), asyncio.Queue(size), [None] * len(files)

    async def loader():
        for at, file in enumerate(files):
            await loaded.put((at, await load(file)))

    async def inferrer():
        for _ in files:
            at, data = await loaded.get()
            await inferred.put((at, await infer(data)))

    async def saver():
        for _ in files:
            at, label = await inferred.get()
            saved[at] = await save(label)

    tasks = [asyncio.create_task(work()) for work in (loader, inferrer, saver)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return saved


async def by_rooms(files, load, infer, save, size):
    """No queue: a task for each file, a lock for each stage, and room between them."""
    locks = [asyncio.Lock() for _ in range(3)]
    rooms = [asyncio.Semaphore(size) for _ in range(2)]

    async def one(file):
        async with locks[0]:
            data = await load(file)
            await rooms[0].acquire()
        async with locks[1]:
            rooms[0].release()
            label = await infer(data)
            await rooms[1].acquire()
        async with locks[2]:
            rooms[1].release()
            return await save(label)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(file)) for file in files]
    return [task.result() for task in tasks]


async def by_join(files, load, infer, save, size):
    """The pattern of Python's documentation, in a group."""
    loaded, inferred, saved = asyncio.Queue(size), asyncio.Queue(size), []

    async def inferrer():
        while True:
            await inferred.put(await infer(await loaded.get()))
            loaded.task_done()

    async def saver():
        while True:
            saved.append(await save(await inferred.get()))
            inferred.task_done()

    async with asyncio.TaskGroup() as group:
        workers = [group.create_task(inferrer()), group.create_task(saver())]
        for file in files:
            await loaded.put(await load(file))
        await loaded.join()
        await inferred.join()
        for worker in workers:
            worker.cancel()
    return saved


async def stub(files, load, infer, save, size):
    return [await save(await infer(await load(file))) for file in files]


async def all_then_all(files, load, infer, save, size):
    data = [await load(file) for file in files]
    labels = [await infer(item) for item in data]
    return [await save(label) for label in labels]


async def a_task_for_each(files, load, infer, save, size):
    async def one(file):
        return await save(await infer(await load(file)))

    return await asyncio.gather(*map(one, files))


async def no_limit(files, load, infer, save, size):
    return await solution(files, load, infer, save, 0)


async def one_more(files, load, infer, save, size):
    return await solution(files, load, infer, save, size + 1)


async def one_place(files, load, infer, save, size):
    return await solution(files, load, infer, save, 1)


async def saves_in_the_second_stage(files, load, infer, save, size):
    async def both(data):
        return await save(await infer(data))

    async def nothing(saved):
        return saved

    return await solution(files, load, both, nothing, size)


async def ends_with_none(files, load, infer, save, size):
    loaded, inferred = asyncio.Queue(size), asyncio.Queue(size)

    async def loader():
        for file in files:
            await loaded.put(await load(file))
        await loaded.put(None)

    async def inferrer():
        async for data in take(loaded, None):
            await inferred.put(await infer(data))
        await inferred.put(None)

    async with asyncio.TaskGroup() as group:
        group.create_task(loader())
        group.create_task(inferrer())
        return [await save(label) async for label in take(inferred, None)]


async def one_end_only(files, load, infer, save, size):
    loaded, inferred = asyncio.Queue(size), asyncio.Queue(size)

    async def loader():
        for file in files:
            await loaded.put(await load(file))
        await loaded.put(END)

    async def inferrer():
        async for data in take(loaded):
            await inferred.put(await infer(data))

    async with asyncio.TaskGroup() as group:
        group.create_task(loader())
        group.create_task(inferrer())
        return [await save(label) async for label in take(inferred)]


async def only_gathered(files, load, infer, save, size):
    loaded, inferred, saved = asyncio.Queue(size), asyncio.Queue(size), []

    async def loader():
        for file in files:
            await loaded.put(await load(file))
        await loaded.put(END)

    async def inferrer():
        async for data in take(loaded):
            await inferred.put(await infer(data))
        await inferred.put(END)

    async def saver():
        saved.extend([await save(label) async for label in take(inferred)])

    await asyncio.gather(loader(), inferrer(), saver())
    return saved


async def end_in_finally(files, load, infer, save, size):
    loaded, inferred = asyncio.Queue(size), asyncio.Queue(size)

    async def loader():
        try:
            for file in files:
                await loaded.put(await load(file))
        finally:
            await loaded.put(END)

    async def inferrer():
        try:
            async for data in take(loaded):
                await inferred.put(await infer(data))
        finally:
            await inferred.put(END)

    async with asyncio.TaskGroup() as group:
        group.create_task(loader())
        group.create_task(inferrer())
        return [await save(label) async for label in take(inferred)]


async def keeps_errors(files, load, infer, save, size):
    def kept(stage):
        async def tried(item):
            if isinstance(item, Exception):
                return item
            try:
                return await stage(item)
            except Exception as error:
                return error

        return tried

    return await solution(files, *map(kept, (load, infer, save)), size)


async def by_name(files, load, infer, save, size):
    saved = await solution(files, load, infer, save, size)
    return list(dict(zip(files, saved, strict=True)).values())


async def last_first(files, load, infer, save, size):
    return await solution(files[::-1], load, infer, save, size)


async def forgets_to_return(files, load, infer, save, size):
    await solution(files, load, infer, save, size)


async def forgets_to_save(files, load, infer, save, size):
    async def nothing(label):
        return label

    return await solution(files, load, infer, nothing, size)


async def ends_with_text(files, load, infer, save, size):
    """A mark that a result may be equal to."""
    loaded, inferred = asyncio.Queue(size), asyncio.Queue(size)

    async def loader():
        for file in files:
            await loaded.put(await load(file))
        await loaded.put("END")

    async def inferrer():
        while (data := await loaded.get()) != "END":
            await inferred.put(await infer(data))
        await inferred.put("END")

    async with asyncio.TaskGroup() as group:
        group.create_task(loader())
        group.create_task(inferrer())
        return [await save(label) async for label in take(inferred, "END")]


async def puts_without_waiting(files, load, infer, save, size):
    loaded, inferred = asyncio.Queue(size), asyncio.Queue(size)

    async def loader():
        for file in files:
            loaded.put_nowait(await load(file))

    async def inferrer():
        for _ in files:
            inferred.put_nowait(await infer(await loaded.get()))

    async with asyncio.TaskGroup() as group:
        group.create_task(loader())
        group.create_task(inferrer())
        return [await save(await inferred.get()) for _ in files]


async def gets_without_waiting(files, load, infer, save, size):
    loaded = asyncio.Queue(size)

    async def loader():
        for file in files:
            await loaded.put(await load(file))

    async with asyncio.TaskGroup() as group:
        group.create_task(loader())
        return [await save(await infer(loaded.get_nowait())) for _ in files]


async def forgets_to_await_put(files, load, infer, save, size):
    loaded = asyncio.Queue(size)

    async def loader():
        for file in files:
            loaded.put(await load(file))

    async with asyncio.TaskGroup() as group:
        group.create_task(loader())
        return [await save(await infer(await loaded.get())) for _ in files]


async def two_loaders(files, load, infer, save, size):
    half = (len(files) + 1) // 2
    ways = (
        solution(files[:half], load, infer, save, size),
        solution(files[half:], load, infer, save, size),
    )
    first, second = await asyncio.gather(*ways)
    return first + second


RIGHT = [solution, gathered_and_cancelled, by_rooms, by_join]
WRONG = {
    stub: "took 11.15 s where 5.49 s are enough; a stage waited though",
    all_then_all: "waited for infer, with size=2; at most `size` may wait there; try: asyncio.Q",
    a_task_for_each: "12 files were in load together; each stage has one worker",
    no_limit: "waited for infer, with size=3; at most `size` may wait there; try: asyncio.Q",
    one_more: "4 results of load waited for infer, with size=3; at most `size` may wait there",
    one_place: "a stage waited though there was work for it, and room for its result",
    saves_in_the_second_stage: "a stage waited though there was work for it",
    ends_with_none: "None, False or text: your mark of the end looks like one; try: END = object",
    ends_with_text: "None, False or text: your mark of the end looks like one; try: END = object",
    puts_without_waiting: "QueueFull; put_nowait does not wait; try: await queue.put(…)",
    gets_without_waiting: "QueueEmpty; get_nowait does not wait; try: await queue.get(…)",
    forgets_to_await_put: "Queue.put(…) was never awaited; without an await, a call",
    one_end_only: "deadlocked: nothing can ever go on",
    only_gathered: "left 2 of its tasks running",
    end_in_finally: "one TaskGroup around all stages; no put in a finally",
    keeps_errors: "and nobody was told",
    by_name: "saw 5 results for 7 items",
    last_first: "results stand in the order of what was given",
    forgets_to_return: "saw None, not a list of 12 results; try: return the list of results",
    forgets_to_save: "0 calls of save for 12 files; each file passes each stage once",
    two_loaders: "2 files were in load together",
}


def plain(*args):
    return []


async def generates(*args):
    yield []


async def deadlocks(*args):
    await asyncio.Event().wait()


async def turns_for_ever(*args):
    while True:  # noqa: ASYNC110 - never ends, by intent
        await asyncio.sleep(0)


async def takes_nothing():
    return []


async def raises(*args):
    raise RuntimeError("no idea")


async def raises_when_a_stage_does(*args):
    try:
        return await solution(*args)
    except Exception:
        raise RuntimeError("no idea") from None


async def swallows_its_end(*args):
    try:
        return await solution(*args)
    except asyncio.CancelledError:
        return []


async def returns_a_number(*args):
    return 7


BROKEN = [
    plain,
    generates,
    deadlocks,
    turns_for_ever,
    takes_nothing,
    raises,
    raises_when_a_stage_does,
    swallows_its_end,
    returns_a_number,
    None,
    7,
]


def name_of(value: object) -> str:
    return getattr(value, "__name__", repr(value))


@pytest.mark.parametrize("answer", RIGHT, ids=name_of)
def test_right_answers_are_ok(answer: Any):
    """The solution, and others that do the same in another way."""
    assert repr(check_load_infer_save(answer)) == "✔ ok"


@pytest.mark.parametrize("answer", WRONG, ids=name_of)
def test_wrong_answers_get_a_hint(answer: Any):
    """Each plausible mistake is told what was seen or what to try."""
    verdict = check_load_infer_save(answer)
    assert not verdict
    assert WRONG[answer] in repr(verdict)


@pytest.mark.parametrize("answer", BROKEN, ids=name_of)
def test_broken_answers_get_a_hint_and_never_an_exception(answer: Any):
    """Nothing of what a learner may hand in comes out of the check as an error, or hangs it."""
    verdict = check_load_infer_save(answer)
    assert repr(verdict).startswith("✘ not yet: ")
    assert len(verdict.hint) > 10


def test_examples_in_the_docstrings():
    """What the docstrings show is what happens."""
    result = doctest.testmod(helpers.checks.pipelines)
    assert result.attempted and not result.failed


@pytest.fixture(scope="module")
def core() -> dict[str, Any]:
    """What the notebook defines in its core."""
    names: dict[str, Any] = {}
    cells = {cell.id: cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells}
    for number in DEFINITIONS:
        exec(cells[f"pipelines-{number}"], names)
    return names


def sleeps(times: list[float]) -> Any:
    """A stage that takes these times, by the number of the file."""

    async def stage(file):
        await asyncio.sleep(times[file])
        return file

    return stage


def some_times(rng: random.Random, count: int) -> list[float]:
    return [rng.randint(1, 64) / 64 for _ in range(count)]  # sums of these are exact


@pytest.mark.parametrize("seed", range(30))
def test_no_pipeline_beats_the_lower_bound(core: dict[str, Any], seed: int):
    """With one file or many, workers few or many, any queue; and the slow way is below twice it."""
    rng = random.Random(seed)
    count, size = rng.choice([1, 2, 5, 30]), rng.choice([0, 1, 2, 8])
    loads, infers = some_times(rng, count), some_times(rng, count)
    workers = rng.randint(1, 6), rng.randint(1, 6)
    stages = sleeps(loads), sleeps(infers)
    run = simulate(core["staffed"], asyncio.Queue(size), range(count), *stages, *workers)
    assert run.result == list(range(count))
    assert run.seconds >= core["lower_bound"](loads, infers, *workers) - 1e-9
    apart = simulate(core["all_then_all"], range(count), *stages)
    assert apart.seconds < 2 * core["lower_bound"](loads, infers)


@pytest.mark.parametrize("files, bound", [(1, 3.0), (100, 201.0)])
def test_the_lower_bound_is_reached_where_times_are_even(core: dict[str, Any], files, bound):
    """So it is no smaller than it must be; this is the first answer of *Check yourself*."""
    times = [1.0] * files, [2.0] * files
    assert core["lower_bound"](*times) == bound
    for program in core["pipeline"], core["staffed"]:
        run = simulate(program, asyncio.Queue(1), range(files), *map(sleeps, times))
        assert run.seconds == pytest.approx(bound)


def test_a_second_model_is_as_fast_as_the_answer_says(core: dict[str, Any]):
    """The second half of that answer."""
    stages = sleeps([1.0] * 100), sleeps([2.0] * 100)
    run = simulate(core["staffed"], asyncio.Queue(1), range(100), *stages, 1, 2)
    assert run.seconds == pytest.approx(102)


def test_one_end_for_three_inferrers_is_too_few(core: dict[str, Any]):
    """The second answer of *Check yourself*: two of them wait for ever."""

    class OneEnd(asyncio.Queue[Any]):
        ended = False

        async def put(self, item: Any) -> None:
            if item is not core["END"]:
                await super().put(item)
            elif not self.ended:
                self.ended = True
                await super().put(item)

    stages = core["load"], core["infer"]
    run = simulate(core["staffed"], OneEnd(8), core["names"](9), *stages, 1, 3)
    assert "nothing can ever go on" in str(run.error)
    assert str(run.error).count("inferrer() waits for Queue.get") == 2


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_the_computed_times_are_those_of_the_program(core: dict[str, Any], size: int):
    """With every label, on days that the notebook does not show."""
    for day, speed in ("sunday", 0.64), ("may", 1.0), ("june", 0.5):
        files, times = core["names"](60, day), []

        async def infer(file, speed=speed, times=times):
            await core["infer"](file, speed)
            times.append(asyncio.get_running_loop().time())

        async def timed(files=files, infer=infer, times=times):
            start = asyncio.get_running_loop().time()
            await core["pipeline"](asyncio.Queue(size), files, core["load"], infer)
            return [time - start for time in times]

        assert simulate(timed).result == pytest.approx(core["label_times"](files, size, speed))


def test_the_sliders_do_what_the_answers_say(core: dict[str, Any]):
    """Of the explorer: what makes the run shorter, what does nothing, and where the end counts."""
    feed = partial(simulate, core["feed"])
    before = feed().seconds
    assert feed(loaders=2).seconds < 0.7 * before > feed(load_speed=2.0).seconds
    for idle in {"size": 32}, {"size": 1}, {"inferrers": 8}:
        assert feed(**idle).seconds == pytest.approx(before)
    last = core["infer_seconds"](core["names"](40)[-1])
    assert before - feed(infer_speed=4.0).seconds == pytest.approx(0.75 * last)
    crowd = {"files": 20, "loaders": 8, "inferrers": 6}
    bound = core["bound_of"](core["names"](20), 1, 1, 8, 6)
    assert feed(**crowd).seconds > 1.2 * bound
    assert feed(**crowd, size=32).seconds == pytest.approx(feed(**crowd).seconds)
