"""TaskGroups, and waiting for several: `wait`, `as_completed`, `wait_for`, `timeout`, `shield`."""

# ruff: noqa: T201
import asyncio
import sys
import traceback

from corpus.registry import program


async def fetch(name, delay=0.0):
    await asyncio.sleep(delay)
    print("fetched", name)
    return name


async def broken(delay=0.0):
    await asyncio.sleep(delay)
    raise ValueError("broken")


@program
async def a_task_group():
    async with asyncio.TaskGroup() as group:
        first = group.create_task(fetch("a", 0.03))
        second = group.create_task(fetch("b"))
        print(len(asyncio.all_tasks()))
    return first.result(), second.result()


@program
async def a_task_group_that_fails():
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(broken())
            slow = group.create_task(fetch("slow", 5))
    except* ValueError as errors:
        print(errors.exceptions, slow.cancelled())


@program
async def two_failures_in_a_group():
    async with asyncio.TaskGroup() as group:
        group.create_task(broken(), name="one")
        group.create_task(broken(), name="two")


@program
async def a_group_prints_its_traceback():
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(broken())
    except ExceptionGroup:
        traceback.print_exc(file=sys.stdout)


@program
async def the_body_of_a_group_fails():
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(fetch("a", 5))
            await asyncio.sleep(0)
            raise KeyError("body")
    except* KeyError as errors:
        print(errors.exceptions, task.cancelled())


@program
async def groups_in_groups():
    try:
        async with asyncio.TaskGroup() as outer:
            outer.create_task(fetch("a", 5))
            async with asyncio.TaskGroup() as inner:
                inner.create_task(broken())
    except* ValueError as errors:
        print(repr(errors))


@program
async def a_finished_group_takes_no_tasks():
    async with asyncio.TaskGroup() as group:
        print(group)
    coro = fetch("late")
    try:
        group.create_task(coro)
    except RuntimeError as error:
        print(str(error).partition("[")[0])
    coro.close()


@program
async def a_group_is_cancelled_from_outside():
    async def many():
        async with asyncio.TaskGroup() as group:
            group.create_task(fetch("a", 5))
            group.create_task(fetch("b", 5))

    task = asyncio.create_task(many())
    await asyncio.sleep(0.01)
    task.cancel("stop")
    try:
        await task
    except asyncio.CancelledError as error:
        print("cancelled", error.args, len(asyncio.all_tasks()))


@program
async def ending_a_group_by_an_error():
    class Stop(Exception):
        pass

    async def stopper():
        await asyncio.sleep(0.01)
        raise Stop

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fetch("a", 5))
            group.create_task(stopper())
    except* Stop:
        print("stopped")


@program
async def wait_for_all():
    tasks = {asyncio.create_task(fetch(n, 0.03 * i), name=n) for i, n in enumerate("abc")}
    done, pending = await asyncio.wait(tasks)
    print(sorted(task.get_name() for task in done), pending)


@program
async def wait_for_the_first():
    tasks = [asyncio.create_task(fetch(n, d), name=n) for n, d in [("a", 5), ("b", 0.01)]]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    print([task.get_name() for task in done], [task.get_name() for task in pending])
    for task in pending:
        task.cancel()


@program
async def wait_for_the_first_failure():
    tasks = [asyncio.create_task(c) for c in (fetch("a", 5), broken(0.01))]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    print(len(done), len(pending), done.pop().exception())
    pending.pop().cancel()


@program
async def wait_with_a_timeout():
    tasks = [asyncio.create_task(fetch("a", 5)), asyncio.create_task(fetch("b", 0.01))]
    done, pending = await asyncio.wait(tasks, timeout=0.06)
    print(len(done), len(pending))


@program
async def wait_takes_no_coroutines():
    coro = fetch("a")
    try:
        await asyncio.wait([coro])
    except TypeError as error:
        print(error)
    coro.close()


@program
async def as_they_complete():
    coros = [fetch("slow", 0.08), fetch("fast", 0.01), fetch("middle", 0.04)]
    for next_one in asyncio.as_completed(coros):
        print("got", await next_one)


@program(since=(3, 13))
async def as_they_complete_asynchronously():
    tasks = [asyncio.create_task(fetch(n, d), name=n) for n, d in [("a", 0.06), ("b", 0.01)]]
    async for task in asyncio.as_completed(tasks):
        print(task in tasks, task.get_name(), await task)


@program
async def as_completed_with_a_timeout():
    try:
        for next_one in asyncio.as_completed([fetch("a", 0.01), fetch("b", 5)], timeout=0.1):
            print("got", await next_one)
    except TimeoutError as error:
        print(type(error).__name__, error.args)


@program
async def wait_for_in_time():
    print(await asyncio.wait_for(fetch("a", 0.01), timeout=1))


@program
async def wait_for_too_long():
    try:
        await asyncio.wait_for(fetch("a", 5), timeout=0.01)
    except TimeoutError as error:
        print("timeout", error.args, type(error.__cause__).__name__)


@program
async def wait_for_no_time_at_all():
    try:
        await asyncio.wait_for(fetch("a"), timeout=0)
    except TimeoutError:
        print("no time")
    print(await asyncio.wait_for(fetch("b"), timeout=None))


@program
async def a_timeout():
    try:
        async with asyncio.timeout(0.02):
            await fetch("a", 5)
    except TimeoutError:
        print("timeout", asyncio.current_task().cancelling())


@program
async def a_timeout_that_does_not_strike():
    async with asyncio.timeout(5) as limit:
        await fetch("a", 0.01)
    print(limit.expired(), limit)


@program
async def a_timeout_that_is_put_off():
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as limit:
        print(limit.when())
        limit.reschedule(loop.time() + 0.02)
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            print("about to strike", limit)
            limit_was = limit.when() <= loop.time() + 0.01
            print(limit_was)
        return "swallowed"


@program
async def timeouts_in_timeouts():
    try:
        async with asyncio.timeout(5) as outer:
            try:
                async with asyncio.timeout(0.02) as inner:
                    await fetch("a", 9)
            except TimeoutError:
                print("inner", inner.expired(), outer.expired())
            async with asyncio.timeout_at(0):
                await fetch("b", 9)
    except TimeoutError:
        print("outer level", outer.expired())


@program
async def a_timeout_is_swallowed():
    async def deaf():
        while True:
            try:
                await asyncio.sleep(0.5)
            except asyncio.CancelledError:
                print("ignored")
                return "late"

    try:
        async with asyncio.timeout(0.02):
            print(await deaf())
    except TimeoutError:
        print("timeout all the same")


@program
async def a_shield():
    task = asyncio.create_task(fetch("precious", 0.03))
    try:
        await asyncio.wait_for(asyncio.shield(task), 0.01)
    except TimeoutError:
        print("timeout", task.done())
    print(await task)


@program
async def a_shielded_task_that_fails():
    async def shielded():
        await asyncio.shield(broken(0.02))

    task = asyncio.create_task(shielded())
    await asyncio.sleep(0.005)
    task.cancel()
    print(await asyncio.gather(task, return_exceptions=True))
    await asyncio.sleep(0.06)


@program
async def a_race():
    async def first_of(*coros):
        tasks = [asyncio.create_task(coro) for coro in coros]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    print(await first_of(fetch("tortoise", 5), fetch("hare", 0.01)), len(asyncio.all_tasks()))


@program
async def retries_by_hand():
    attempts = 0

    async def flaky():
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise ConnectionError(f"attempt {attempts}")
        return "at last"

    for delay in (0.01, 0.02, 0.04):
        try:
            print(await flaky())
            break
        except ConnectionError as error:
            print(error)
            await asyncio.sleep(delay)
