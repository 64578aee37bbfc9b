"""Answers of devious and of well-read students: each wrong one is told, each right one passes.

The kinds: inputs that the answer empties; errors of which it catches some; falsy items and results
that it drops; items that come twice; tasks that it leaves when it is cancelled; and every idiom.
"""

import asyncio
import contextlib
import functools
import heapq
import itertools
from collections import deque
from typing import Any

import pytest

from helpers import checks, load_data

RIGHT: list[Any] = []
WRONG: list[Any] = []


def right(exercise: str) -> Any:
    return lambda answer: RIGHT.append(pytest.param(exercise, answer, id=named(answer))) or answer


def wrong(exercise: str, hint: str = "") -> Any:
    return lambda answer: (
        WRONG.append(pytest.param(exercise, answer, hint, id=named(answer))) or (answer)
    )


def named(answer: Any) -> str:
    return getattr(answer, "__name__", type(answer).__name__)


# --- drive -----------------------------------------------------------------------------------


@right("drive")
def drive_by_recursion(coroutine, pauses=0):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return pauses, stop.value
    return drive_by_recursion(coroutine, pauses + 1)


@right("drive")
def drive_by_delegation(coroutine):
    """Through a generator that counts."""

    def steps():
        return (yield from coroutine.__await__())

    generator, pauses = steps(), 0
    while True:
        try:
            next(generator)
        except StopIteration as stop:
            return pauses, stop.value
        pauses += 1


@right("drive")
def drive_with_a_flag(coroutine):
    count, value, running = 0, None, True
    while running:
        try:
            coroutine.send(None)
            count += 1
        except StopIteration as end:
            value, running = end.value, False
    return (count, value)


@right("drive")
def drive_by_sum(coroutine):
    box = []

    def pauses():
        box.append((yield from coroutine.__await__()))

    return sum(1 for _ in pauses()), box[0]


RIGHT.append(pytest.param("drive", functools.partial(drive_by_recursion, pauses=0), id="partial"))
RIGHT.append(pytest.param("drive", lambda c: drive_with_a_flag(c), id="lambda"))


def driver(
    catch: Any = StopIteration, end: Any = None, most: int = 10**9, value: Any = None
) -> Any:
    """A driver with one thing wrong."""

    def drive(coroutine):
        for pauses in range(most):
            try:
                got = coroutine.send(None)
            except catch as stop:
                return pauses, (value or (lambda s: s.value))(stop)
            if end is not None and end(got):
                return pauses, None
        return None

    return drive


for name, answer, hint in (
    ("stops_at_a_value", driver(end=lambda got: got is not None), "of a coroutine that pauses"),
    ("stops_at_falsy", driver(end=lambda got: got in (0, "")), "of a coroutine that pauses"),
    ("or_none", driver(value=lambda stop: stop.value or None), "wanted"),
    ("or_empty", driver(value=lambda stop: stop.value or ""), "wanted"),
    ("args", driver(value=lambda stop: stop.args[0]), "IndexError"),
    ("a_hundred", driver(most=100), "of a coroutine that pauses 300 times"),
    ("eats_some", driver((StopIteration, RuntimeError), value=lambda s: 0), "saw (0, 0), wanted"),
    ("eats_values", driver((StopIteration, ValueError, KeyError, TimeoutError),
                           value=lambda s: getattr(s, "value", None)), "the error was eaten"),
    ("eats_all", driver(BaseException, value=lambda s: getattr(s, "value", None)), "eaten"),
):  # fmt: skip
    WRONG.append(pytest.param("drive", answer, hint, id=f"drive_{name}"))


@wrong("drive", "that is a list; a pair is a tuple; try: round brackets")
def drive_a_list(coroutine):
    return list(drive_with_a_flag(coroutine))


@wrong("drive", "where a result was asked")
def drive_yields(coroutine):
    yield drive_with_a_flag(coroutine)


@wrong("drive", "ValueError: as a value")
def drive_raises_what_was_returned(coroutine):
    pauses, value = drive_with_a_flag(coroutine)
    if isinstance(value, Exception):
        raise value
    return pauses, value


@wrong("drive", "came out")
def drive_wraps_errors(coroutine):
    try:
        return drive_with_a_flag(coroutine)
    except Exception as error:
        raise RuntimeError("it failed") from error


@wrong("drive", "of a coroutine that pauses 0 times")
def drive_closes(coroutine):
    coroutine.close()
    return 0, None


# --- labels ----------------------------------------------------------------------------------


@right("labels")
async def labels_with_a_queue_of_files(load, infer, files):
    todo = deque(files)
    while todo:
        yield await infer("model", await load(todo.popleft()))


@right("labels")
async def labels_that_empty_the_list(load, infer, files):
    files.reverse()
    while len(files) > 0:
        yield await infer("model", await load(files.pop()))


@right("labels")
async def labels_by_a_task_each(load, infer, files):
    async def one(file):
        return await infer("model", await load(file))

    for file in files:
        task = asyncio.create_task(one(file))
        try:
            yield await task
        finally:
            task.cancel()


@right("labels")
async def labels_with_finally(load, infer, files):
    seen = []
    try:
        for at in range(len(files)):
            seen.append(await load(files[at]))
            yield await infer("model", seen[-1])
    finally:
        seen.clear()


RIGHT.append(pytest.param("labels", lambda *args: labels_with_finally(*args), id="labels_lambda"))


@wrong("labels", "wanted")
async def labels_of_a_set(load, infer, files):
    for file in dict.fromkeys(files):
        yield await infer("model", await load(file))


@wrong("labels", "also an empty one")
async def labels_if_any(load, infer, files):
    for file in files:
        label = await infer("model", await load(file))
        if label:
            yield label


@wrong("labels", "wanted")
async def labels_if_data(load, infer, files):
    for file in files:
        data = await load(file)
        if data:
            yield await infer("model", data)


@wrong("labels", "wanted")
async def labels_stop_at_an_empty_name(load, infer, files):
    todo = iter(files)
    while file := next(todo, None):
        yield await infer("model", await load(file))


@wrong("labels", "wanted")
async def labels_not_none(load, infer, files):
    for file in files:
        label = await infer("model", await load(file))
        if label is not None:
            yield label


@wrong("labels", "the error was eaten")
async def labels_eat_errors_of_infer(load, infer, files):
    for file in files:
        data = await load(file)
        with contextlib.suppress(Exception):
            yield await infer("model", data)


@wrong("labels", "the error was eaten")
async def labels_eat_some(load, infer, files):
    for file in files:
        with contextlib.suppress(KeyError, RuntimeError):
            yield await infer("model", await load(file))


@wrong("labels", "catch the error right where you await it")
async def labels_in_a_group(load, infer, files):
    for file in files:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(load(file))
        yield await infer("model", task.result())


@wrong("labels", "instead of stopping")
async def labels_swallow_the_cancel(load, infer, files):
    with contextlib.suppress(asyncio.CancelledError):
        for file in files:
            yield await infer("model", await load(file))


@wrong("labels", "left 1 of its tasks running")
async def labels_leave_a_task(load, infer, files):
    for file in files:
        yield await infer("model", await asyncio.shield(load(file)))


# --- run_all of notebook 02 ------------------------------------------------------------------


def a_loop(*coroutines, clock, wait, catch=Exception, keep=lambda x: x, zero=True, keyed=False,
           prime=False, negative=False) -> Any:  # fmt: skip
    """A loop with one thing wrong."""
    ready, timers, numbers, results = deque(coroutines), [], itertools.count(), {}
    if prime:
        for coroutine in coroutines:
            heapq.heappush(timers, (clock() + coroutine.send(None), next(numbers), coroutine))
        ready.clear()
    while ready or timers:
        if not ready:
            seconds = timers[0][0] - clock()
            wait(seconds if negative else max(0, seconds))
        while timers and timers[0][0] <= clock():
            ready.append(heapq.heappop(timers)[2])
        if ready:
            coroutine = ready.popleft()
            try:
                seconds = coroutine.send(None)
                if seconds or zero:
                    heapq.heappush(timers, (clock() + seconds, next(numbers), coroutine))
            except StopIteration as stop:
                results[stop.value if keyed else coroutine] = keep(stop.value)
            except catch as error:
                results[coroutine] = error
    return list(results.values()) if keyed else [results.get(c) for c in coroutines]


@right("loop")
def loop_plain(*coroutines, clock, wait):
    return a_loop(*coroutines, clock=clock, wait=wait)


@right("loop")
def loop_a_tuple(*coroutines, **knobs):
    return tuple(a_loop(*coroutines, **knobs))


RIGHT.append(pytest.param("loop", functools.partial(a_loop), id="loop_partial"))


@right("loop")
def loop_without_a_heap(*coroutines, clock, wait):
    results, due = {}, {coroutine: clock() for coroutine in coroutines}
    order = {coroutine: number for number, coroutine in enumerate(coroutines)}
    count = itertools.count(len(coroutines))
    while due:
        coroutine = min(due, key=lambda c: (due[c], order[c]))
        if due[coroutine] > clock():
            wait(due[coroutine] - clock())
        try:
            due[coroutine] = clock() + coroutine.send(None)
            order[coroutine] = next(count)
        except StopIteration as stop:
            results[coroutine] = stop.value
            del due[coroutine]
        except Exception as error:
            results[coroutine] = error
            del due[coroutine]
    return [results[coroutine] for coroutine in coroutines]


class Looper:
    """A right one as an object."""

    def __call__(self, *coroutines, clock, wait):
        return a_loop(*coroutines, clock=clock, wait=wait)


RIGHT.append(pytest.param("loop", Looper(), id="loop_object"))

for name, wrongs, hint in (
    ("some_errors", {"catch": (OSError, ValueError)}, "that is the error to keep"),
    ("os_errors", {"catch": OSError}, "that is the error to keep"),
    ("all", {"catch": BaseException}, "raises KeyboardInterrupt: run_all went on"),
    ("falsy_to_none", {"keep": lambda value: value or None}, "result 1 is None; wanted ''"),
    ("drops_zero", {"zero": False}, "wanted"),
    ("keyed", {"keyed": True}, "results stand in the order"),
    ("primed", {"prime": True}, "raised"),
    ("negative", {"negative": True}, "non-negative"),
):
    answer = functools.partial(a_loop, **wrongs)
    WRONG.append(pytest.param("loop", answer, hint, id=f"loop_{name}"))


@wrong("loop", "raises _Exit: run_all went on")
def loop_lets_only_the_button_out(*coroutines, clock, wait):
    class Kept(BaseException):
        pass

    def guarded(coroutine):
        try:
            return (yield from coroutine.__await__())
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            return error

    return a_loop(*map(guarded, coroutines), clock=clock, wait=wait)


# --- polite ----------------------------------------------------------------------------------


@right("polite")
async def polite_before(work, chunks):
    results = []
    for chunk in chunks:
        await asyncio.sleep(0)
        results.append(work(chunk))
    return results


@right("polite")
async def polite_emptying(work, chunks):
    results = []
    while len(chunks):
        results.append(work(chunks.pop(0)))
        await asyncio.sleep(0)
    return results


@right("polite")
async def polite_a_tuple(work, chunks):
    return tuple(await polite_before(work, chunks))


@right("polite")
async def polite_by_a_generator(work, chunks):
    async def slices():
        for chunk in chunks:
            yield work(chunk)
            await asyncio.sleep(0)

    return [result async for result in slices()]


@right("polite")
async def polite_by_futures(work, chunks):
    results = []
    for chunk in chunks:
        turn = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(turn.set_result, None)
        results.append(work(chunk))
        with contextlib.suppress(asyncio.InvalidStateError):
            await turn
    return results


@wrong("polite", "wanted")
async def polite_stops_at_falsy_chunks(work, chunks):
    results = []
    while chunks and (chunk := chunks.pop(0)):
        results.append(work(chunk))
        await asyncio.sleep(0)
    return results


@wrong("polite", "wanted")
async def polite_drops_falsy_results(work, chunks):
    return [result for result in await polite_before(work, chunks) if result]


@wrong("polite", "wanted")
async def polite_drops_none(work, chunks):
    return [result for result in await polite_before(work, chunks) if result is not None]


@wrong("polite", "worked on")
async def polite_by_key(work, chunks):
    results = {}
    for chunk in chunks:
        if repr(chunk) not in results:
            results[repr(chunk)] = work(chunk)
        await asyncio.sleep(0)
    return [results[repr(chunk)] for chunk in chunks]


@wrong("polite", "worked on []; wanted")
async def polite_emptied_and_nothing(work, chunks):
    chunks.clear()


@wrong("polite", "worked on []; wanted")
async def polite_emptied(work, chunks):
    chunks.clear()
    return []


@wrong("polite", "did not come out")
async def polite_eats_odd_errors(work, chunks):
    results = []
    for chunk in chunks:
        try:
            results.append(work(chunk))
        except (ValueError, OSError):
            raise
        except Exception as error:
            results.append(error)
        await asyncio.sleep(0)
    return results


@wrong("polite", "swallows the CancelledError")
async def polite_swallows(work, chunks):
    results = []
    for chunk in chunks:
        results.append(work(chunk))
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
    return results


@wrong("polite", "did not come out")
async def polite_in_a_group(work, chunks):
    async def one(chunk):
        return work(chunk)

    results = []
    for chunk in chunks:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one(chunk))
        results.append(task.result())
    return results


# --- first_result ----------------------------------------------------------------------------


def start(files: Any) -> list[asyncio.Task[str]]:
    return [asyncio.create_task(load_data(file)) for file in files]


@right("first_result")
async def first_by_wait(files):
    tasks = start(files)
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@right("first_result")
async def first_emptying(files):
    tasks = []
    while files:
        tasks.append(asyncio.create_task(load_data(files.pop())))
    try:
        return await next(asyncio.as_completed(tasks))
    finally:
        for task in tasks:
            task.cancel()


@right("first_result")
async def first_by_a_queue(files):
    line = asyncio.Queue()

    async def one(file):
        await line.put(await load_data(file))

    tasks = [asyncio.create_task(one(file)) for file in files]
    try:
        return await line.get()
    finally:
        for task in tasks:
            task.cancel()


@right("first_result")
async def first_by_an_event(files):
    found, there = [], asyncio.Event()

    async def one(file):
        found.append(await load_data(file))
        there.set()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(file)) for file in files]
        await there.wait()
        for task in tasks:
            task.cancel()
    return found[0]


@right("first_result")
async def first_by_a_future(files):
    first = asyncio.get_running_loop().create_future()
    tasks = start(files)
    for task in tasks:
        task.add_done_callback(
            lambda t: first.done() or t.cancelled() or first.set_result(t.result())
        )
    try:
        return await first
    finally:
        for task in tasks:
            task.cancel()


@wrong("first_result", "cancel your tasks when you are cancelled yourself")
async def first_holds_on(files):
    done, pending = await asyncio.wait(start(files), return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    return done.pop().result()


@wrong("first_result", "cancel your tasks when you are cancelled yourself")
async def first_as_completed_holds_on(files):
    tasks = start(files)
    result = await next(asyncio.as_completed(tasks))
    for task in tasks:
        task.cancel()
    return result


@wrong("first_result", "is right")
async def first_in_a_list(files):
    return [await first_by_wait(files)]


@wrong("first_result", "is right")
async def first_by_name(files):
    await first_by_wait(files)
    return files[0]


@wrong("first_result", "is right")
async def first_as_a_pair(files):
    result = await first_by_wait(files)
    return result.replace(" images", ".csv"), result


@wrong("first_result", "1 in flight at most")
async def first_half(files):
    return await first_by_wait(files[: len(files) // 2 or 1])


@wrong("first_result", "left")
async def first_shielded(files):
    tasks = [asyncio.shield(load_data(file)) for file in files]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    return done.pop().result()


@wrong("first_result", "1 in flight at most, of 2 files")
async def first_emptied(files):
    file = files.pop()
    files.clear()
    return await load_data(file)


# --- load_and_tell ---------------------------------------------------------------------------


@right("load_and_tell")
async def tell_by_a_group(files, tell):
    async def one(file):
        data = await load_data(file)
        tell(file)
        return data

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(file)) for file in files]
    return [task.result() for task in tasks]


@right("load_and_tell")
async def tell_as_completed(files, tell):
    results = [None] * len(files)

    async def one(at):
        results[at] = await load_data(files[at])
        return at

    tasks = [asyncio.create_task(one(at)) for at in range(len(files))]
    try:
        for earliest in asyncio.as_completed(tasks):
            tell(files[await earliest])
    finally:
        for task in tasks:
            task.cancel()
    return results


@right("load_and_tell")
async def tell_by_callbacks(files, tell):
    tasks = start(files)
    for file, task in zip(files, tasks, strict=True):
        task.add_done_callback(lambda task, file=file: task.cancelled() or tell(file))
    return await asyncio.gather(*tasks)


@right("load_and_tell")
async def tell_by_wait(files, tell):
    tasks = dict(zip(start(files), files, strict=True))
    pending = set(tasks)
    try:
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                tell(tasks[task])
    finally:
        for task in pending:
            task.cancel()
    return [task.result() for task in tasks]


@right("load_and_tell")
async def tell_emptying(files, tell):
    jobs = []
    while files:
        jobs.append(tell_by_a_group([files.pop(0)], tell))
    return [data for (data,) in await asyncio.gather(*jobs)]


@wrong("load_and_tell", "they work for nobody")
async def tell_as_completed_holds_on(files, tell):
    async def one(at):
        return at, await load_data(files[at])

    results = {}
    for earliest in asyncio.as_completed([one(at) for at in range(len(files))]):
        at, data = await earliest
        tell(files[at])
        results[at] = data
    return [results[at] for at in range(len(files))]


@wrong("load_and_tell", "twice")
async def tell_by_name(files, tell):
    found = dict.fromkeys(files)

    async def one(file):
        found[file] = await load_data(file)
        tell(file)

    await asyncio.gather(*map(one, found))
    return [found[file] for file in files]


@wrong("load_and_tell", "saw {")
async def tell_a_dict(files, tell):
    return dict(zip(files, await tell_by_a_group(files, tell), strict=True))


@wrong("load_and_tell", "is no coroutine; try: a plain function is called without await")
async def tell_awaited(files, tell):
    async def one(file):
        data = await load_data(file)
        await tell(file)
        return data

    return await asyncio.gather(*map(one, files))


@wrong("load_and_tell", "not a list")
async def tell_a_generator(files, tell):
    results = await tell_by_a_group(files, tell)
    return (result for result in results)


@wrong("load_and_tell", "was told late")
async def tell_then_wait(files, tell):
    async def one(file):
        data = await load_data(file)
        await asyncio.sleep(0.01)
        tell(file)
        return data

    return await asyncio.gather(*map(one, files))


@wrong("load_and_tell", "was told 0 times")
async def tell_and_empty(files, tell):
    files.clear()
    return []


@wrong("load_and_tell", "saw 0 results")
async def tell_and_lose(files, tell):
    await tell_by_a_group(list(files), tell)
    files.clear()
    return files


# --- through_all -----------------------------------------------------------------------------


@right("through_all")
async def through_by_recursion(files, stages):
    async def one(value, at=0):
        return value if at == len(stages) else await one(await stages[at](value), at + 1)

    return await asyncio.gather(*map(one, files))


@right("through_all")
async def through_by_a_group(files, stages):
    async def one(value):
        for at in range(len(stages)):
            value = await stages[at](value)
        return value

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(file)) for file in files]
    return tuple(task.result() for task in tasks)


@right("through_all")
async def through_by_place(files, stages):
    values = dict(enumerate(files))

    async def one(at):
        for stage in stages:
            values[at] = await stage(values[at])

    await asyncio.gather(*map(one, values))
    return list(values.values())


@right("through_all")
async def through_by_tasks(files, stages):
    async def after(before, stage):
        return await stage(await before)

    async def itself(value):
        return value

    jobs = []
    for file in files:
        job = itself(file)
        for stage in stages:
            job = after(job, stage)
        jobs.append(job)
    return await asyncio.gather(*jobs)


@right("through_all")
async def through_emptying(files, stages):
    async def one(value, line):
        while line:
            value = await line.pop(0)(value)
        return value

    return await asyncio.gather(*(one(files.pop(0), list(stages)) for _ in range(len(files))))


def through(each: Any) -> Any:
    async def through_all(files, stages):
        return await asyncio.gather(*(each(file, stages) for file in files))

    return through_all


async def stops_at_falsy(value, stages):
    for stage in stages:
        value = await stage(value)
        if not value:
            break
    return value


async def keeps_the_last_good(value, stages):
    for stage in stages:
        value = await stage(value) or value
    return value


async def each_once(value, stages):
    for stage in {stage.__name__: stage for stage in stages}.values():
        value = await stage(value)
    return value


async def one_at_least(value, stages):
    value = await stages[0](value)
    for stage in stages[1:]:
        value = await stage(value)
    return value


async def skips_empty_files(value, stages):
    if not value:
        return value
    for stage in stages:
        value = await stage(value)
    return value


async def shared_line(value, stages):
    while stages:
        value = await stages.pop(0)(value)
    return value


async def shielded(value, stages):
    for stage in stages:
        value = await asyncio.shield(stage(value))
    return value


async def swallows_the_cancel(value, stages):
    for stage in stages:
        with contextlib.suppress(asyncio.CancelledError):
            value = await stage(value)
    return value


for each, hint in {
    stops_at_falsy: "calls of 'save' for 6 files",
    keeps_the_last_good: "wanted",
    each_once: "is there twice",
    one_at_least: "IndexError",
    skips_empty_files: "calls of 'load' for 6 files",
    shared_line: "calls of",
    shielded: "they work for nobody",
    swallows_the_cancel: "swallows the CancelledError",
}.items():
    WRONG.append(pytest.param("through_all", through(each), hint, id=f"through_{each.__name__}"))


@wrong("through_all", "they work for nobody")
async def through_tasks_in_a_list(files, stages):
    async def one(value):
        for stage in stages:
            value = await stage(value)
        return value

    tasks = [asyncio.create_task(one(file)) for file in files]
    return [await task for task in tasks]


@wrong("through_all", "calls of 'load'")
async def through_a_set(files, stages):
    files = list(dict.fromkeys(files))
    return await through_by_recursion(files, stages)


# --- load_or_default -------------------------------------------------------------------------


PASSING = (ConnectionError, TimeoutError)


@right("load_or_default")
async def default_by_wait_for(load, file, seconds, default):
    try:
        return await asyncio.wait_for(load(file), seconds)
    except PASSING:
        return default


@right("load_or_default")
async def default_by_wait(load, file, seconds, default):
    task = asyncio.create_task(load(file))
    try:
        await asyncio.wait([task], timeout=seconds)
        lost = not task.done() or isinstance(task.exception(), PASSING)
        return default if lost else task.result()
    finally:
        task.cancel()


@right("load_or_default")
async def default_by_a_group(load, file, seconds, default):
    found = default

    async def one():
        nonlocal found
        with contextlib.suppress(*PASSING):
            async with asyncio.timeout(seconds):
                found = await load(file)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(one())
    except* Exception as box:
        error = box.exceptions[0]
    else:
        return found
    raise error


@right("load_or_default")
async def default_by_timeout_at(load, file, seconds, default):
    result = default
    with contextlib.suppress(*PASSING):
        async with asyncio.timeout_at(asyncio.get_running_loop().time() + seconds):
            result = await load(file)
    return result


@right("load_or_default")
async def default_by_gather(load, file, seconds, default):
    try:
        async with asyncio.timeout(seconds):
            (found,) = await asyncio.gather(load(file), return_exceptions=True)
    except TimeoutError:
        return default
    if isinstance(found, PASSING):
        return default
    if isinstance(found, Exception):
        raise found
    return found


def catching(*kinds: type[BaseException], empty: Any = lambda data: False) -> Any:
    async def load_or_default(load, file, seconds, default):
        try:
            async with asyncio.timeout(seconds):
                data = await load(file)
        except kinds:
            return default
        return default if empty(data) else data

    return load_or_default


for name, answer, hint in (
    ("only_time", catching(TimeoutError), "ConnectionError: gone came out"),
    ("lost_only", catching(ConnectionError), "TimeoutError came out"),
    ("values_too", catching(*PASSING, ValueError), "not a number: saw 'default'"),
    ("runtime_too", catching(*PASSING, RuntimeError), "no memory: saw 'default'"),
    ("os_errors", catching(OSError), "no such file: saw 'default'"),
    ("none_is_nothing", catching(*PASSING, empty=lambda data: data is None), "gives None: saw"),
    ("zero_is_nothing", catching(*PASSING, empty=lambda d: d == 0), "gives 0: saw 'default'"),
    ("falsy", catching(*PASSING, empty=lambda data: not data), "gives '': saw 'default'"),
    ("all", catching(BaseException), "not a number: saw 'default'"),
    ("cancel_too", catching(*PASSING, asyncio.CancelledError), "swallows the CancelledError"),
):
    WRONG.append(pytest.param("load_or_default", answer, hint, id=f"default_{name}"))


@wrong("load_or_default", "the default is ''")
async def default_or_none(load, file, seconds, default):
    return await default_by_wait_for(load, file, seconds, default or None)


@wrong("load_or_default", "left 1 of its tasks running")
async def default_shielded(load, file, seconds, default):
    try:
        return await asyncio.wait_for(asyncio.shield(load(file)), seconds)
    except PASSING:
        return default


@wrong("load_or_default", "they work for nobody")
async def default_holds_on(load, file, seconds, default):
    task = asyncio.create_task(load(file))
    await asyncio.wait([task], timeout=seconds)
    if not task.done():
        task.cancel()
        return default
    return default if isinstance(task.exception(), PASSING) else task.result()


# --- try_again -------------------------------------------------------------------------------


def again(*kinds: Any, never: Any = (), limit: Any = asyncio.timeout, empty: Any = None) -> Any:
    async def try_again(load, file, attempts, seconds, wait):
        for attempt in range(attempts):
            try:
                async with limit(seconds):
                    data = await load(file)
                if empty is None or not empty(data):
                    return data
            except never:
                raise
            except kinds:
                if attempt == attempts - 1:
                    raise
            await asyncio.sleep(wait * 2**attempt)

    return try_again


for name, answer in {
    "plain": again(*PASSING),
    "no_missing_files": again(OSError, never=(FileNotFoundError, PermissionError)),
    "lost_in_all_ways": again(*PASSING, InterruptedError),
}.items():
    RIGHT.append(pytest.param("try_again", answer, id=f"again_{name}"))


@right("try_again")
async def again_by_wait_for(load, file, attempts, seconds, wait):
    last = None
    for number in range(attempts):
        if number:
            await asyncio.sleep(wait)
            wait *= 2
        try:
            return await asyncio.wait_for(load(file), seconds)
        except PASSING as error:
            last = error
    raise last


@right("try_again")
async def again_by_a_group(load, file, attempts, seconds, wait):
    """It takes the error out of its group."""

    async def one():
        async with asyncio.timeout(seconds):
            return await load(file)

    while True:
        try:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(one())
            return task.result()
        except BaseExceptionGroup as errors:
            error, attempts = errors.exceptions[0], attempts - 1
            if not isinstance(error, PASSING) or attempts == 0:
                raise error from None
        await asyncio.sleep(wait)
        wait *= 2


@right("try_again")
async def again_by_wait(load, file, attempts, seconds, wait):
    for attempt in itertools.count(1):
        task = asyncio.create_task(load(file))
        try:
            await asyncio.wait([task], timeout=seconds)
            error = task.exception() if task.done() else TimeoutError()
            if error is None:
                return task.result()
            if attempt == attempts or not isinstance(error, PASSING):
                raise error
        finally:
            task.cancel()
        await asyncio.sleep(wait * 2 ** (attempt - 1))


for name, answer, hint in (
    ("only_lost", again(ConnectionError), "one that hangs, then data"),
    ("os_errors", again(OSError), "a failure, then FileNotFoundError: no such file"),
    ("not_busy", again(ConnectionResetError, TimeoutError), "two failures, then data"),
    ("runtime_too", again(*PASSING, RuntimeError), "a failure, then RuntimeError: no memory"),
    ("key_too", again(*PASSING, LookupError), "a failure, then KeyError: 'label'"),
    ("but_values", again(Exception, never=ValueError), "a failure, then BrokenFile"),
    ("falsy", again(*PASSING, empty=lambda data: not data), "'' for data"),
    ("none", again(*PASSING, empty=lambda data: data is None), "None for data"),
    ("all", again(BaseException, never=Exception), "two failures"),
    ("cancel_too", again(*PASSING, asyncio.CancelledError), "swallows the CancelledError"),
):
    WRONG.append(pytest.param("try_again", answer, hint, id=f"again_{name}"))


@wrong("try_again", "saw ExceptionGroup of ConnectionError: first; in a TaskGroup")
async def again_in_a_group(load, file, attempts, seconds, wait):
    for attempt in range(attempts):
        try:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(load(file))
            return task.result()
        except PASSING:
            if attempt == attempts - 1:
                raise
        await asyncio.sleep(wait * 2**attempt)


@wrong("try_again", "left 1 of its tasks running")
async def again_shielded(load, file, attempts, seconds, wait):
    for attempt in range(attempts):
        try:
            return await asyncio.wait_for(asyncio.shield(load(file)), seconds)
        except PASSING:
            if attempt == attempts - 1:
                raise
        await asyncio.sleep(wait * 2**attempt)


@wrong("try_again", "went on until")
async def again_sleeps_on(load, file, attempts, seconds, wait):
    for attempt in range(attempts):
        try:
            return await asyncio.wait_for(load(file), seconds)
        except PASSING:
            if attempt == attempts - 1:
                raise
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(wait * 2**attempt)


# --- load_per_server -------------------------------------------------------------------------


def server_of(file: str) -> str:
    return file.split("/")[0]


def per_server(keep: Any) -> Any:
    """Gates as they should be, and one way to keep results."""

    async def load_per_server(limit, files, load):
        gates = {server_of(file): asyncio.Semaphore(limit) for file in files}

        async def one(file):
            async with gates[server_of(file)]:
                return await load(file)

        return await keep(one, files)

    return load_per_server


async def gathered(one, files):
    return await asyncio.gather(*map(one, files), return_exceptions=True)


async def a_tuple(one, files):
    return tuple(await gathered(one, files))


async def emptying(one, files):
    jobs = []
    while files:
        jobs.append(one(files.pop(0)))
    return await asyncio.gather(*jobs, return_exceptions=True)


async def in_a_group(one, files):
    results = [None] * len(files)

    async def keep(at, file):
        try:
            results[at] = await one(file)
        except Exception as error:
            results[at] = error

    async with asyncio.TaskGroup() as group:
        for at, file in enumerate(files):
            group.create_task(keep(at, file))
    return results


async def waited(one, files):
    tasks = [asyncio.create_task(one(file)) for file in files]
    try:
        if tasks:
            await asyncio.wait(tasks)
    finally:
        for task in tasks:
            task.cancel()
    return [task.exception() or task.result() for task in tasks]


RIGHT.extend(
    pytest.param("load_per_server", per_server(keep), id=f"load_{keep.__name__}")
    for keep in (gathered, a_tuple, emptying, in_a_group, waited)
)


@right("load_per_server")
async def load_by_queues(limit, files, load):
    results = [None] * len(files)
    lines = {server_of(file): asyncio.Queue() for file in files}
    for at, file in enumerate(files):
        lines[server_of(file)].put_nowait((at, file))

    async def worker(line):
        while not line.empty():
            at, file = line.get_nowait()
            (results[at],) = await asyncio.gather(load(file), return_exceptions=True)

    await asyncio.gather(*(worker(line) for line in lines.values() for _ in range(limit)))
    return results


async def by_name(one, files):
    found = dict(zip(files, await gathered(one, files), strict=True))
    return list(found.values())


async def asked_once(one, files):
    names = list(dict.fromkeys(files))
    found = dict(zip(names, await gathered(one, names), strict=True))
    return [found[file] for file in files]


async def some_kept(one, files):
    async def keep(file):
        try:
            return await one(file)
        except (OSError, ValueError) as error:
            return error

    return await asyncio.gather(*map(keep, files))


async def truthy(one, files):
    return [result for result in await gathered(one, files) if result]


async def or_none(one, files):
    return [result or None for result in await gathered(one, files)]


async def emptied(one, files):
    files.clear()
    return []


async def held_on(one, files):
    tasks = [asyncio.create_task(one(file)) for file in files]
    if tasks:
        await asyncio.wait(tasks)
    return [task.exception() or task.result() for task in tasks]


async def swallowed(one, files):
    async def keep(file):
        try:
            return await one(file)
        except (Exception, asyncio.CancelledError) as error:
            return error

    return await asyncio.gather(*map(keep, files))


for keep, hint in {
    by_name: "saw 6 results for 8 items",
    asked_once: "the job was called 1 time for",
    some_kept: "one failure ended all",
    truthy: "results for 10 items",
    or_none: "wanted",
    emptied: "saw 0 results for 18 items",
    held_on: "they work for nobody",
    swallowed: "took the CancelledError for a result",
}.items():
    answer = per_server(keep)
    WRONG.append(pytest.param("load_per_server", answer, hint, id=f"load_{keep.__name__}"))


# --- label_all -------------------------------------------------------------------------------


def labeller(missing: Any = lambda model: model is None, gather: Any = None) -> Any:
    async def label_all(files, load_model, infer):
        model, lock = None, asyncio.Lock()

        async def one(file):
            nonlocal model
            async with lock:
                if missing(model):
                    model = await load_model()
            return await infer(model, file)

        return await (gather or in_order)(one, files)

    return label_all


async def in_order(one, files):
    return await asyncio.gather(*map(one, files))


async def grouped(one, files):
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(file)) for file in files]
    return tuple(task.result() for task in tasks)


for name, answer in {
    "by_lock": labeller(),
    "in_a_group": labeller(gather=grouped),
    "emptying": labeller(gather=emptying),
}.items():
    RIGHT.append(pytest.param("label_all", answer, id=f"label_{name}"))


@right("label_all")
async def label_by_a_future(files, load_model, infer):
    model = asyncio.get_running_loop().create_future()

    async def load():
        model.set_result(await load_model())

    async def one(file):
        return await infer(await model, file)

    jobs = map(one, files)
    return (await asyncio.gather(load(), *jobs))[1:] if files else []


@right("label_all")
async def label_checked_twice(files, load_model, infer):
    model, lock = [], asyncio.Lock()

    async def one(file):
        if not model:
            async with lock:
                if not model:
                    model.append(await load_model())
        return await infer(model[0], file)

    return await asyncio.gather(*map(one, files))


for name, answer, hint in (
    ("falsy_model", labeller(lambda model: not model), "the model was loaded 7 times"),
    ("truthy", labeller(gather=truthy), "results for 7 items"),
    ("by_name", labeller(gather=by_name), "saw 3 results for 5 items"),
    ("once", labeller(gather=asked_once), "the job was called 1 time for 'file0'"),
    ("emptied", labeller(gather=emptied), "never loaded"),
    ("held_on", labeller(gather=held_on), "they work for nobody"),
):
    WRONG.append(pytest.param("label_all", answer, hint, id=f"label_{name}"))


@wrong("label_all", "they work for nobody")
async def label_shielded(files, load_model, infer):
    loading = None

    async def one(file):
        nonlocal loading
        if loading is None:
            loading = asyncio.create_task(load_model())
        return await infer(await asyncio.shield(loading), file)

    return await asyncio.gather(*map(one, files))


# --- All -------------------------------------------------------------------------------------

CHECKS = {
    "drive": checks.check_drive,
    "labels": checks.check_labels,
    "loop": checks.check_loop,
    "polite": checks.check_polite,
    "first_result": checks.check_first_result,
    "load_and_tell": checks.check_load_and_tell,
    "through_all": checks.check_through_all,
    "load_or_default": checks.check_load_or_default,
    "try_again": checks.check_try_again,
    "load_per_server": checks.check_load_per_server,
    "label_all": checks.check_label_all,
}


@pytest.mark.parametrize(("exercise", "answer"), RIGHT)
def test_right_answers_pass(exercise: str, answer: Any):
    """Whatever idiom they are written in."""
    assert repr(CHECKS[exercise](answer)) == "✔ ok"


@pytest.mark.parametrize(("exercise", "answer", "hint"), WRONG)
def test_wrong_answers_are_told(exercise: str, answer: Any, hint: str):
    """Each fails by its own fault, not by another one."""
    verdict = repr(CHECKS[exercise](answer))
    assert verdict.startswith("✘ not yet: ")
    assert hint in verdict
    assert len(verdict) < 1_000 and max(map(len, verdict.split())) < 70


def test_every_check_is_tried():
    """With several right answers and several wrong ones; the later ones in files of their own."""
    own = {"answer_each", "in_batches", "io_bound", "load_infer_save", "load_politely"}
    assert {*CHECKS} == {name.removeprefix("check_") for name in checks.__all__} - own
    for exercise in CHECKS:
        assert sum(param.values[0] == exercise for param in RIGHT) >= 4, exercise
        assert sum(param.values[0] == exercise for param in WRONG) >= 6, exercise
