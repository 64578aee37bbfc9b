"""The verdicts of notebook 05: on right answers, plausible wrong ones and broken ones."""

import asyncio
import doctest
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import helpers.checks.semaphores
from helpers.checks.semaphores import check_label_all, check_load_per_server

Check = Callable[..., Any]


def server_of(file: str) -> str:
    return file.split("/")[0]


async def settled(jobs: Iterator[Any]) -> list[Any]:
    return await asyncio.gather(*jobs, return_exceptions=True)


# --- 1: a limit for each server --------------------------------------------------------------


async def load_stub(limit, files, load):
    return await asyncio.gather(*(load(file) for file in files), return_exceptions=True)


async def load_solution(limit, files, load):
    gates = {server_of(file): asyncio.Semaphore(limit) for file in files}

    async def one(file):
        async with gates[server_of(file)]:
            return await load(file)

    return await settled(one(file) for file in files)


async def load_workers(limit, files, load):
    results = [None] * len(files)

    async def worker(todo):
        for at, file in todo:
            try:
                results[at] = await load(file)
            except Exception as error:
                results[at] = error

    async with asyncio.TaskGroup() as group:
        for server in {server_of(file) for file in files}:
            todo = iter([(at, f) for at, f in enumerate(files) if server_of(f) == server])
            for _ in range(limit):
                group.create_task(worker(todo))
    return results


async def load_one_gate(limit, files, load):
    gate = asyncio.Semaphore(limit)

    async def one(file):
        async with gate:
            return await load(file)

    return await settled(one(file) for file in files)


async def load_own_gate(limit, files, load):
    async def one(file):
        async with asyncio.Semaphore(limit):
            return await load(file)

    return await settled(one(file) for file in files)


async def load_gate_around(limit, files, load):
    async with asyncio.Semaphore(limit):
        return await settled(load(file) for file in files)


async def load_server_after_server(limit, files, load):
    results = [None] * len(files)
    for server in {server_of(file): 0 for file in files}:
        at = [number for number, file in enumerate(files) if server_of(file) == server]
        found = await load_solution(limit, [files[number] for number in at], load)
        for number, result in zip(at, found, strict=True):
            results[number] = result
    return results


async def load_grouped(limit, files, load):
    servers = dict.fromkeys(server_of(file) for file in files)
    groups = [[file for file in files if server_of(file) == server] for server in servers]
    parts = await asyncio.gather(*(load_one_gate(limit, group, load) for group in groups))
    return [result for part in parts for result in part]


async def load_by_first_letter(limit, files, load):
    gates = {file[0]: asyncio.Semaphore(limit) for file in files}

    async def one(file):
        async with gates[file[0]]:
            return await load(file)

    return await settled(map(one, files))


async def load_left_running(limit, files, load):
    gates = {server_of(file): asyncio.Semaphore(limit) for file in files}

    async def one(file):
        async with gates[server_of(file)]:
            return await load(file)

    tasks, results = [asyncio.create_task(one(file)) for file in files], []
    for task in tasks:
        try:
            results.append(await task)
        except Exception as error:
            results.append(error)
    return results


async def load_unawaited(limit, files, load):
    return [load(file) for file in files]


OUTSIDE = {server: asyncio.Semaphore(2) for server in ("red", "rose", "blue", "green")}


async def load_gates_outside(limit, files, load):
    async def one(file):
        async with OUTSIDE[server_of(file)]:
            return await load(file)

    return await settled(map(one, files))


async def load_one_by_one(limit, files, load):
    return [await load(file) for file in files]


async def load_forgetful(limit, files, load):
    gates = {server_of(file): asyncio.Semaphore(limit) for file in files}

    async def one(file):
        await gates[server_of(file)].acquire()
        result = await load(file)
        gates[server_of(file)].release()
        return result

    return await settled(one(file) for file in files)


async def load_turning(limit, files, load):
    inside = dict.fromkeys(map(server_of, files), 0)

    async def one(file):
        while inside[server_of(file)] >= limit:  # noqa: ASYNC110 - asks without pause, by intent
            await asyncio.sleep(0)
        inside[server_of(file)] += 1
        try:
            return await load(file)
        finally:
            inside[server_of(file)] -= 1

    return await settled(one(file) for file in files)


async def load_in_a_group(limit, files, load):
    gates = {server_of(file): asyncio.Semaphore(limit) for file in files}

    async def one(file):
        async with gates[server_of(file)]:
            return await load(file)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(file)) for file in files]
    return [task.result() for task in tasks]


async def load_uncancelled(limit, files, load):
    gates = {server_of(file): asyncio.Semaphore(limit) for file in files}

    async def one(file):
        async with gates[server_of(file)]:
            try:
                return await load(file)
            except BaseException as error:
                return error

    return await asyncio.gather(*(one(file) for file in files))


async def load_catching(limit, files, load):
    gates = {server_of(file): asyncio.Semaphore(limit) for file in files}

    async def one(file):
        async with gates[server_of(file)]:
            try:
                return await load(file)
            except Exception as error:
                return error

    return await asyncio.gather(*(one(file) for file in files))


async def load_raising(limit, files, load):
    gates = {server_of(file): asyncio.Semaphore(limit) for file in files}

    async def one(file):
        async with gates[server_of(file)]:
            return await load(file)

    return await asyncio.gather(*(one(file) for file in files))


async def load_eating(limit, files, load):
    results = await load_solution(limit, files, load)
    return [None if isinstance(result, Exception) else result for result in results]


async def load_telling(limit, files, load):
    results = await load_solution(limit, files, load)
    return [str(result) if isinstance(result, Exception) else result for result in results]


async def load_short(limit, files, load):
    results = await load_solution(limit, files, load)
    return [result for result in results if not isinstance(result, Exception)]


async def load_dict(limit, files, load):
    return dict(zip(files, await load_solution(limit, files, load), strict=True))


async def load_twice(limit, files, load):
    await load_solution(limit, files[:1], load)
    return await load_solution(limit, files, load)


async def load_in_chunks(limit, files, load):
    results = {}

    async def chunks(numbers):
        while numbers:
            now, numbers = numbers[:limit], numbers[limit:]
            results.update(zip(now, await settled(load(files[n]) for n in now), strict=True))

    of = {server_of(file): [] for file in files}
    for number, file in enumerate(files):
        of[server_of(file)].append(number)
    await asyncio.gather(*map(chunks, of.values()))
    return [results[number] for number in range(len(files))]


async def load_gate_around_gates(limit, files, load):
    gates = {server_of(file): asyncio.Semaphore(limit) for file in files}
    outer = asyncio.Semaphore(3 * limit)

    async def one(file):
        async with outer, gates[server_of(file)]:
            return await load(file)

    return await settled(one(file) for file in files)


async def load_named_servers(limit, files, load):
    gates = {server: asyncio.Semaphore(limit) for server in ("red", "blue", "green")}

    async def one(file):
        async with gates[server_of(file)]:
            return await load(file)

    return await settled(one(file) for file in files)


async def load_impatient(limit, files, load):
    gates = {server_of(file): asyncio.Semaphore(limit) for file in files}

    async def one(file):
        async with gates[server_of(file)], asyncio.timeout(1):
            return await load(file)

    return await settled(one(file) for file in files)


async def load_with_a_condition(limit, files, load):
    inside, changed = dict.fromkeys(map(server_of, files), 0), asyncio.Condition()

    async def one(file):
        async with changed:
            await changed.wait_for(lambda: inside[server_of(file)] < limit)
            inside[server_of(file)] += 1
        try:
            return await load(file)
        finally:
            inside[server_of(file)] -= 1
            async with changed:
                changed.notify_all()

    return await settled(one(file) for file in files)


async def load_last_first(limit, files, load):
    return (await load_workers(limit, files[::-1], load))[::-1]


WRONG_LOADS = {
    load_in_chunks: "no load waits while there is room; try: start a load as soon as another one",
    load_gate_around_gates: "no load waits while there is room; try: start a load as soon as",
    load_named_servers: "result 2 is KeyError: 'rose'; wanted 'result of rose/0.csv'; try: look in",
    load_impatient: "TimeoutError; wanted 'result of rose/0.csv'; try: look in your own code",
    load_stub: "saw 6 at once from red, the limit is 2",
    load_one_gate: "no load waits while there is room",
    load_own_gate: "saw 6 at once",
    load_gate_around: "saw 6 at once",
    load_server_after_server: "no load waits while there is room",
    load_by_first_letter: "no load waits while there is room",
    load_left_running: "left 5 of its tasks running",
    load_unawaited: "result 1 is a coroutine; wanted 'result of red/0.csv'; try: await it",
    load_gates_outside: "try: make the semaphore or lock inside the function",
    load_grouped: "result 2 is 'result of red/1.csv'; wanted 'result of rose/0.csv': results stand",
    load_one_by_one: "took ",
    load_forgetful: "try: `async with`, which gives back on every way out",
    load_turning: "something goes round without pause, so the fast-forward clock cannot go on",
    load_in_a_group: "raised ExceptionGroup of ConnectionError: gone; in a TaskGroup one",
    load_uncancelled: "a task of it took the CancelledError for a result; it swallows",
    load_raising: "raised ConnectionError: gone; one failure ended all; try: put each result, or",
    load_eating: "result 1 is None; wanted ConnectionError: gone; try: keep the error itself",
    load_telling: "keep the error itself",
    load_short: "saw 23 results for 30 items",
    load_dict: "not a list of 18 results",
    load_twice: "the job was called 2 times for 'red/0.csv'; wanted 1; try: ask once for each",
}


# --- 2: one model for all --------------------------------------------------------------------


async def label_stub(files, load_model, infer):
    model = None

    async def one(file):
        nonlocal model
        if model is None:
            model = await load_model()
        return await infer(model, file)

    return await asyncio.gather(*(one(file) for file in files))


async def label_solution(files, load_model, infer):
    model, lock = None, asyncio.Lock()

    async def one(file):
        nonlocal model
        async with lock:
            if model is None:
                model = await load_model()
        return await infer(model, file)

    return await asyncio.gather(*(one(file) for file in files))


async def label_task(files, load_model, infer):
    loading = asyncio.create_task(load_model())

    async def one(file):
        return await infer(await loading, file)

    return await asyncio.gather(*(one(file) for file in files))


async def label_first(files, load_model, infer):
    model = await load_model()
    return await asyncio.gather(*(infer(model, file) for file in files))


async def label_task_if_any(files, load_model, infer):
    return await label_task(files, load_model, infer) if files else []


async def label_first_if_any(files, load_model, infer):
    return await label_first(files, load_model, infer) if files else []


async def label_kept_task(files, load_model, infer):
    loading = None

    async def one(file):
        nonlocal loading
        if loading is None:
            loading = asyncio.create_task(load_model())
        return await infer(await loading, file)

    return await asyncio.gather(*(one(file) for file in files))


async def label_event(files, load_model, infer):
    model, loading, loaded = None, False, asyncio.Event()

    async def one(file):
        nonlocal model, loading
        if not loading:
            loading = True
            model = await load_model()
            loaded.set()
        await loaded.wait()
        return await infer(model, file)

    return await asyncio.gather(*(one(file) for file in files))


async def label_turning(files, load_model, infer):
    model, loading = None, False

    async def one(file):
        nonlocal model, loading
        if not loading:
            loading = True
            model = await load_model()
        while model is None:  # noqa: ASYNC110 - asks without pause, by intent
            await asyncio.sleep(0)
        return await infer(model, file)

    return await asyncio.gather(*(one(file) for file in files))


async def label_dozing(files, load_model, infer):
    model, loading = None, False

    async def one(file):
        nonlocal model, loading
        if not loading:
            loading = True
            model = await load_model()
        while model is None:  # noqa: ASYNC110 - asks now and then, by intent
            await asyncio.sleep(0.7)
        return await infer(model, file)

    return await asyncio.gather(*(one(file) for file in files))


async def label_forgetful(files, load_model, infer):
    model, lock = None, asyncio.Lock()

    async def one(file):
        nonlocal model
        await lock.acquire()
        if model is None:
            model = await load_model()
        return await infer(model, file)

    return await asyncio.gather(*(one(file) for file in files))


async def label_nothing(files, load_model, infer):
    return [f"result of {file}" for file in files]


async def label_unloaded(files, load_model, infer):
    model = load_model()
    return await asyncio.gather(*(infer(model, file) for file in files))


OUTER_LOCK = asyncio.Lock()


async def label_lock_outside(files, load_model, infer):
    model = None

    async def one(file):
        nonlocal model
        async with OUTER_LOCK:
            model = model or await load_model()
        return await infer(model, file)

    return await asyncio.gather(*(one(file) for file in files))


async def label_in_the_lock(files, load_model, infer):
    model, lock = None, asyncio.Lock()

    async def one(file):
        nonlocal model
        async with lock:
            if model is None:
                model = await load_model()
            return await infer(model, file)

    return await asyncio.gather(*(one(file) for file in files))


async def label_own_lock(files, load_model, infer):
    model = None

    async def one(file):
        nonlocal model
        async with asyncio.Lock():
            if model is None:
                model = await load_model()
        return await infer(model, file)

    return await asyncio.gather(*(one(file) for file in files))


async def label_question_outside(files, load_model, infer):
    model, lock = None, asyncio.Lock()

    async def one(file):
        nonlocal model
        if model is None:
            async with lock:
                model = await load_model()
        return await infer(model, file)

    return await asyncio.gather(*(one(file) for file in files))


async def label_flag(files, load_model, infer):
    model, loading = None, False

    async def one(file):
        nonlocal model, loading
        if not loading:
            loading = True
            model = await load_model()
        return await infer(model, file)

    return await asyncio.gather(*(one(file) for file in files))


async def label_one_by_one(files, load_model, infer):
    model = await load_model()
    return [await infer(model, file) for file in files]


async def label_no_model(files, load_model, infer):
    return await asyncio.gather(*(infer("model", file) for file in files))


async def label_short(files, load_model, infer):
    return (await label_solution(files, load_model, infer))[1:]


async def label_if_not_model(files, load_model, infer):
    model, lock = None, asyncio.Lock()

    async def one(file):
        nonlocal model
        async with lock:
            model = model or await load_model()
        return await infer(model, file)

    return await asyncio.gather(*(one(file) for file in files))


KEPT = []


async def label_kept_outside(files, load_model, infer):
    lock = asyncio.Lock()

    async def one(file):
        async with lock:
            if not KEPT:
                KEPT.append(await load_model())
        return await infer(KEPT[0], file)

    return await asyncio.gather(*(one(file) for file in files))


WRONG_LABELS = {
    label_if_not_model: "7 times; this model counts as false; try: ask `if model is None`",
    label_kept_outside: "try: make the model's variable inside the function, anew in each call",
    label_stub: "the model was loaded 5 times",
    label_in_the_lock: "wait for each other; try: do not hold anything while you infer",
    label_task: "the model was loaded, though there is no file",
    label_first: "the model was loaded, though there is no file",
    label_turning: "something goes round without pause, so the fast-forward clock cannot go on",
    label_dozing: "are enough; try: infer as soon as the model is there",
    label_forgetful: "try: `async with`, which gives back on every way out",
    label_nothing: "the model was never loaded; try: await load_model() before you infer",
    label_unloaded: "infer was given a coroutine, not the model that was loaded; try: await",
    label_lock_outside: "try: make the semaphore or lock inside the function",
    label_own_lock: "the model was loaded 5 times",
    label_question_outside: "the model was loaded 5 times",
    label_flag: "infer was given None, not the model that was loaded; try: infer when the load",
    label_one_by_one: "the inferences wait for each other",
    label_no_model: "infer was given 'model'",
    label_short: "saw 4 results for 5 items",
}


# --- All -------------------------------------------------------------------------------------

RIGHT = [
    (check_load_per_server, load_solution),
    (check_load_per_server, load_workers),
    (check_load_per_server, load_catching),
    (check_load_per_server, load_with_a_condition),
    (check_load_per_server, load_last_first),
    (check_label_all, label_solution),
    (check_label_all, label_task_if_any),
    (check_label_all, label_first_if_any),
    (check_label_all, label_kept_task),
    (check_label_all, label_event),
]
WRONG = [
    (check, answer, hint)
    for check, answers in (
        (check_load_per_server, WRONG_LOADS),
        (check_label_all, WRONG_LABELS),
    )
    for answer, hint in answers.items()
]


def plain(*args):
    return []


async def generates(*args):
    yield []


async def turns_for_ever(*args):
    while True:  # noqa: ASYNC110 - never ends, by intent
        await asyncio.sleep(0)


async def sleeps_for_ever(*args):
    while True:  # noqa: ASYNC110 - never ends, by intent
        await asyncio.sleep(1)


async def deadlocks(*args):
    await asyncio.Event().wait()


async def eats_its_own(*args):
    try:
        await args[1]("item0")
    except BaseException:
        return None


async def returns_nothing(*args): ...


async def returns_a_number(*args):
    return 7


async def returns_too_many(*args):
    return [None] * 1_000


async def takes_nothing():
    return []


async def raises(*args):
    raise RuntimeError("no idea")


async def raises_a_group(*args):
    raise ExceptionGroup("several", [ValueError("one"), OSError("two")])


async def leaves_tasks(*args):
    leaves_tasks.kept = asyncio.create_task(asyncio.sleep(9))
    return []


class Odd:
    def __eq__(self, other):
        raise ZeroDivisionError

    __hash__ = None

    def __repr__(self):
        raise ZeroDivisionError


async def returns_odd_things(*args):
    return [Odd() for _ in range(5)]


BROKEN = [
    plain,
    generates,
    None,
    7,
    turns_for_ever,
    sleeps_for_ever,
    deadlocks,
    eats_its_own,
    returns_nothing,
    returns_a_number,
    returns_too_many,
    returns_odd_things,
    takes_nothing,
    raises,
    raises_a_group,
    leaves_tasks,
]


def name_of(value: object) -> str:
    return getattr(value, "__name__", repr(value))


@pytest.mark.parametrize(("check", "answer"), RIGHT, ids=name_of)
def test_right_answers_are_ok(check: Check, answer: Any):
    """The solution, and others that do the same in another way."""
    assert repr(check(answer)) == "✔ ok"


@pytest.mark.parametrize(("check", "answer", "hint"), WRONG, ids=name_of)
def test_wrong_answers_get_a_hint(check: Check, answer: Any, hint: str):
    """Each plausible mistake is told what was seen or what to try."""
    verdict = check(answer)
    assert not verdict
    assert hint in repr(verdict)


@pytest.mark.parametrize("check", [check_load_per_server, check_label_all])
@pytest.mark.parametrize("answer", BROKEN, ids=name_of)
def test_broken_answers_get_a_hint_and_never_an_exception(check: Check, answer: Any):
    """Nothing of what a learner may hand in comes out of the checker as an error, or hangs it."""
    verdict = check(answer)
    assert repr(verdict).startswith("✘ not yet: ")
    assert len(verdict.hint) > 10


def test_examples_in_the_docstrings():
    """What the docstrings show is what happens."""
    result = doctest.testmod(helpers.checks.semaphores)
    assert result.attempted and not result.failed
