"""The checks of notebook 03: right answers pass, each plausible wrong one gets a hint."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from helpers import load_data
from helpers.checks.gather import check_first_result, check_load_and_tell, check_through_all
from helpers.world.load import load_seconds

CHECKS = [check_first_result, check_load_and_tell, check_through_all]


def start(files: list[str]) -> list[asyncio.Task[str]]:
    return [asyncio.create_task(load_data(file)) for file in files]


class First:
    """Answers to ``first_result(files)``."""

    @staticmethod
    async def solution(files):
        tasks = start(files)
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        return done.pop().result()

    @staticmethod
    async def other(files):
        class Enough(Exception):
            pass

        found: list[str] = []

        async def load(file: str) -> None:
            found.append(await load_data(file))
            raise Enough

        try:
            async with asyncio.TaskGroup() as group:
                for file in files:
                    group.create_task(load(file))
        except* Enough:
            pass
        return found[0]

    @staticmethod
    async def by_as_completed(files):
        tasks = start(files)
        try:
            for earliest in asyncio.as_completed(tasks):
                return await earliest
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    @staticmethod
    async def forgets_to_let_go(files):
        done, pending = await asyncio.wait(start(files), return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        return done.pop().result()

    @staticmethod
    async def stub(files):
        return await load_data(files[0])

    @staticmethod
    async def awaits_each_cancelled(files):
        done, pending = await asyncio.wait(start(files), return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
            await task
        return done.pop().result()

    @staticmethod
    async def raises_and_leaves(files):
        done, _ = await asyncio.wait(start(files), return_when=asyncio.FIRST_COMPLETED)
        raise LookupError(f"{len(done)} done")

    @staticmethod
    async def waits_for_all(files):
        tasks = start(files)
        return await next(iter(asyncio.as_completed(tasks))), await asyncio.gather(*tasks)

    @staticmethod
    async def cancels_nobody(files):
        done, _ = await asyncio.wait(start(files), return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()

    @staticmethod
    async def hands_back_the_task(files):
        done, pending = await asyncio.wait(start(files), return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return done.pop()

    @staticmethod
    async def waits_for_the_cancelled(files):
        done, pending = await asyncio.wait(start(files), return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.wait(pending)
        return done.pop().result()

    @staticmethod
    async def loads_twice(files):
        return await First.solution([*files, *files])

    @staticmethod
    async def first_of_the_list(files):
        return (await asyncio.gather(*start(files)))[0]

    @staticmethod
    async def knows_the_winner(files):
        return await load_data(min(files, key=load_seconds))

    @staticmethod
    async def passes_coroutines_to_wait(files):
        coroutines = [load_data(file) for file in files]
        try:
            await asyncio.wait(coroutines)
        finally:
            for coroutine in coroutines:
                coroutine.close()


class Tell:
    """Answers to ``load_and_tell(files, tell)``."""

    @staticmethod
    async def solution(files, tell):
        async def one(file):
            data = await load_data(file)
            tell(file)
            return data

        return await asyncio.gather(*(one(file) for file in files))

    @staticmethod
    async def other(files, tell):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(load_data(file)) for file in files]
            for file, task in zip(files, tasks, strict=True):
                task.add_done_callback(lambda task, file=file: task.cancelled() or tell(file))
        return tuple(task.result() for task in tasks)

    @staticmethod
    async def by_as_completed(files, tell):
        async def one(number):
            return number, await load_data(files[number])

        results = [None] * len(files)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(number)) for number in range(len(files))]
            for earliest in asyncio.as_completed(tasks):
                number, results[number] = await earliest
                tell(files[number])
        return results

    @staticmethod
    async def stub(files, tell):
        data = await asyncio.gather(*(load_data(file) for file in files))
        for file in files:
            tell(file)
        return data

    @staticmethod
    async def one_by_one(files, tell):
        data = []
        for file in files:
            data.append(await load_data(file))
            tell(file)
        return data

    @staticmethod
    async def in_order_of_finishing(files, tell):
        data = []
        for earliest in asyncio.as_completed(start(files)):
            data.append(await earliest)
            tell(data[-1].replace(" images", ".csv"))
        return data

    @staticmethod
    async def tells_the_data(files, tell):
        async def one(file):
            data = await load_data(file)
            tell(data)
            return data

        return await asyncio.gather(*(one(file) for file in files))

    @staticmethod
    async def tells_in_the_order_of_tasks(files, tell):
        data = []
        for file, task in zip(files, start(files), strict=True):
            data.append(await task)
            tell(file)
        return data

    @staticmethod
    async def tells_too_early(files, tell):
        for file in files:
            tell(file)
        return await asyncio.gather(*(load_data(file) for file in files))

    @staticmethod
    async def loads_twice(files, tell):
        data = asyncio.gather(*(load_data(file) for file in files))
        await Tell.solution(files, tell)
        return await data

    @staticmethod
    async def tells_twice(files, tell):
        for file in files:
            tell(file)
        return await Tell.solution(files, tell)

    @staticmethod
    async def hands_back_nothing(files, tell):
        await Tell.solution(files, tell)

    @staticmethod
    async def forgets_to_return(files, tell):
        async def one(file):
            await load_data(file)
            tell(file)

        return await asyncio.gather(*(one(file) for file in files))

    @staticmethod
    async def hands_back_the_tasks(files, tell):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(load_data(file)) for file in files]
            for file, task in zip(files, tasks, strict=True):
                task.add_done_callback(lambda task, file=file: tell(file))
        return tasks

    @staticmethod
    async def tells_the_last_of_the_loop(files, tell):
        tasks = []
        for file in files:
            tasks.append(asyncio.create_task(load_data(file)))
            tasks[-1].add_done_callback(lambda task: tell(file))  # noqa: B023 - that is the bug
        return await asyncio.gather(*tasks)

    @staticmethod
    async def tells_in_a_finally(files, tell):
        async def one(file):
            try:
                return await load_data(file)
            finally:
                tell(file)

        return await asyncio.gather(*(one(file) for file in files))

    @staticmethod
    async def tells_of_the_cancelled(files, tell):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(load_data(file)) for file in files]
            for file, task in zip(files, tasks, strict=True):
                task.add_done_callback(lambda task, file=file: tell(file))
        return [task.result() for task in tasks]

    @staticmethod
    async def loads_nothing(files, tell):
        async def one(file):
            await asyncio.sleep(load_seconds(file))
            tell(file)
            return file.replace(".csv", " images")

        return await asyncio.gather(*(one(file) for file in files))

    @staticmethod
    async def forgets_the_star(files, tell):
        return await asyncio.gather([load_data(file) for file in files])

    @staticmethod
    async def forgets_the_star_of_a_generator(files, tell):
        return await asyncio.gather(load_data(file) for file in files)

    @staticmethod
    async def waits_for_no_file(files, tell):
        async with asyncio.TaskGroup() as group:
            tasks = {group.create_task(load_data(file)): file for file in files}
            pending = set(tasks)
            while True:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    tell(tasks[task])
                if not pending:
                    return [task.result() for task in tasks]

    @staticmethod
    async def tells_nobody(files, tell):
        return await asyncio.gather(*start(files))

    @staticmethod
    async def hands_back_too_few(files, tell):
        return (await Tell.solution(files, tell))[1:]


class Through:
    """Answers to ``through_all(files, stages)``."""

    @staticmethod
    async def solution(files, stages):
        async def one(value):
            for stage in stages:
                value = await stage(value)
            return value

        return await asyncio.gather(*(one(file) for file in files))

    @staticmethod
    async def other(files, stages):
        async def after(n, file):
            return await stages[n - 1](await after(n - 1, file)) if n else file

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(after(len(stages), file)) for file in files]
        return [task.result() for task in tasks]

    @staticmethod
    async def stub(files, stages):
        values = files
        for stage in stages:
            values = await asyncio.gather(*(stage(value) for value in values))
        return values

    @staticmethod
    async def one_by_one(files, stages):
        results = []
        for value in files:
            for stage in stages:
                value = await stage(value)
            results.append(value)
        return results

    @staticmethod
    async def all_stages_at_once(files, stages):
        return await asyncio.gather(*(stage(file) for stage in stages for file in files))

    @staticmethod
    async def stages_backwards(files, stages):
        return await Through.solution(files, stages[::-1])

    @staticmethod
    async def three_stages_only(files, stages):
        async def one(file):
            return await stages[2](await stages[1](await stages[0](file)))

        return await asyncio.gather(*(one(file) for file in files))

    @staticmethod
    async def in_order_of_finishing(files, stages):
        async def one(value):
            for stage in stages:
                value = await stage(value)
            return value

        return [await first for first in asyncio.as_completed([one(file) for file in files])]

    @staticmethod
    async def forgets_to_return(files, stages):
        async def one(value):
            for stage in stages:
                value = await stage(value)

        return await asyncio.gather(*(one(file) for file in files))

    @staticmethod
    async def forgets_the_last(files, stages):
        return (await Through.solution(files, stages))[:-1]

    @staticmethod
    async def forgets_to_await(files, stages):
        return [stage for stage in stages for file in files]


BOOKS = dict(zip(CHECKS, (First, Tell, Through), strict=True))
RIGHT = {"solution", "other", "by_as_completed"}


def answers(right: bool) -> list[Any]:
    return [
        pytest.param(check, answer.__func__, id=f"{book.__name__}-{name}")
        for check, book in BOOKS.items()
        for name, answer in vars(book).items()
        if isinstance(answer, staticmethod) and (name in RIGHT) == right
    ]


@pytest.mark.parametrize("check, answer", answers(right=True))
def test_passes_what_is_right(check: Callable[[Any], object], answer: Any):
    assert repr(check(answer)) == "✔ ok"


@pytest.mark.parametrize("check, answer", answers(right=False))
def test_hints_at_what_is_wrong(check: Callable[[Any], object], answer: Any):
    hint = repr(check(answer))
    assert hint.startswith("✘ not yet: ")
    assert 30 < len(hint) < 400, hint


def test_holds_enough_wrong_answers():
    """At least three beside the stub for each check."""
    assert all(
        len(vars(book).keys() & {"stub", "solution", "other"}) == 3 for book in BOOKS.values()
    )
    assert len(answers(right=False)) >= 3 * len(CHECKS) + len(CHECKS)


HINTS = {
    First.stub: "all must be on their way",
    First.waits_for_all: "it went on after the first had finished",
    First.cancels_nobody: "cancels_nobody left 1 of its tasks running: load_data",
    First.forgets_to_let_go: "left 4 of its tasks running: load_data, load_data, load_data, "
    "…; they work for nobody; try: cancel your tasks",
    First.hands_back_the_task: "result() of the task",
    First.waits_for_the_cancelled: "nobody is pending, and asyncio.wait refuses an empty",
    First.loads_twice: "4 loads of 2 files; each is loaded once",
    First.first_of_the_list: "it went on after the first had finished",
    First.knows_the_winner: "1 in flight at most, of 2 files",
    First.passes_coroutines_to_wait: "asyncio.wait takes only tasks; try: make a task of each",
    First.awaits_each_cancelled: "raised CancelledError; awaiting a cancelled task raises it",
    First.raises_and_leaves: "raises_and_leaves raised LookupError: 1 done",
    Tell.stub: "it was told late, or began late",
    Tell.one_by_one: "it was told late, or began late",
    Tell.in_order_of_finishing: "result 1 is 'monday2 images'; wanted 'monday1 images': ",
    Tell.tells_the_data: "that is no file",
    Tell.tells_in_the_order_of_tasks: "it was told late",
    Tell.tells_too_early: "before it was there",
    Tell.loads_twice: "6 loads of 3 files; each is loaded once",
    Tell.tells_twice: "told 2 times",
    Tell.hands_back_nothing: "saw None, not a list of 3 results; try: return the list of results",
    Tell.forgets_to_return: "without a return gives None; try: return data, in the coroutine",
    Tell.hands_back_the_tasks: "result 1 is a task; wanted 'monday1 images'; try: task.result()",
    Tell.tells_the_last_of_the_loop: "told 0 times, and monday3.csv 3 times; a function",
    Tell.tells_in_a_finally: "'monday1.csv' was told, though it was cancelled before it was loaded",
    Tell.tells_of_the_cancelled: "in a done callback, if not task.cancelled()",
    Tell.loads_nothing: "0 loads of 3 files; load_data loads a file; try: data = await load_data",
    Tell.forgets_the_star: "asyncio.gather takes no list; try: a star",
    Tell.forgets_the_star_of_a_generator: "something else stands where a coroutine should",
    Tell.waits_for_no_file: "there is no file, or nobody is pending, and asyncio.wait refuses an",
    Tell.tells_nobody: "monday1.csv was told 0 times; each file is told once; try: tell(file)",
    Tell.hands_back_too_few: "saw 2 results for 3 items",
    Through.stub: "a file waited for another one",
    Through.one_by_one: "a file waited for another one",
    Through.all_stages_at_once: "saw 12 results for 4 items",
    Through.stages_backwards: "wanted 'monday1.csv load infer save'; try: value =",
    Through.three_stages_only: "0 calls of 'save' for 9 files",
    Through.in_order_of_finishing: "results stand in the order of what was given",
    Through.forgets_to_return: "a coroutine without a return gives None; try: value",
    Through.forgets_the_last: "saw 3 results for 4 items",
    Through.forgets_to_await: "0 calls of 'load'",
}


def test_expects_a_hint_for_each_wrong_answer():
    wrong = {param.values[1] for param in answers(right=False)}
    assert wrong == HINTS.keys()


@pytest.mark.parametrize("answer", HINTS, ids=lambda answer: answer.__qualname__)
def test_names_the_fault(answer: Any):
    check = next(
        check for check, book in BOOKS.items() if answer in map(unwrapped, vars(book).values())
    )
    assert HINTS[answer] in repr(check(answer))


def unwrapped(thing: Any) -> Any:
    return getattr(thing, "__func__", thing)


async def deadlocks(*args):
    await asyncio.Event().wait()


async def never_returns(*args):
    while True:  # noqa: ASYNC110 - that is the point
        await asyncio.sleep(0)


async def eats_errors(files, *args):
    while True:
        try:
            await asyncio.gather(*(load_data(file) for file in files))
            await asyncio.Event().wait()
        except BaseException:
            return


async def raises(*args):
    raise OSError("no such mirror")


async def leaves_tasks(files, *args):
    start(files)


async def generates(*args):
    yield


async def no_arguments():
    pass


async def too_many(files, tell, more, still_more):
    pass


async def uses_threads(files, *args):
    return await asyncio.to_thread(list, files)


def plain(files, *args):
    return files


ODD = [deadlocks, never_returns, eats_errors, raises, leaves_tasks, generates]
ODD += [no_arguments, too_many, uses_threads, plain, None, 3, "first_result"]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("odd", ODD, ids=lambda odd: getattr(odd, "__name__", repr(odd)))
def test_stays_calm_whatever_it_is_given(check: Callable[[Any], object], odd: Any):
    hint = repr(check(odd))
    assert hint.startswith("✘ not yet: ")
    assert len(hint) > 30, hint


@pytest.mark.parametrize("value", [None, 7, [], ["x"] * 99, "text", Ellipsis])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_minds_whatever_is_handed_back(check: Callable[[Any], object], value: Any):
    async def answer(*args):
        return value

    assert repr(check(answer)).startswith("✘ not yet: ")
