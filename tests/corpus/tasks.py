"""Tasks: how they are made, named, counted, awaited, cancelled and left."""

# ruff: noqa: T201, RUF006, ASYNC110
import asyncio
import inspect
import sys
import traceback
from contextlib import suppress

from corpus.registry import program


async def fetch(name, delay=0.0):
    print("start", name)
    await asyncio.sleep(delay)
    print("end", name)
    return name.upper()


@program
async def hello_world():
    print("Hello ...")
    await asyncio.sleep(0.01)
    print("... World!")
    return 42


@program
async def one_after_the_other():
    first = await fetch("a", 0.01)
    second = await fetch("b", 0.01)
    return first + second


@program
async def gather_keeps_the_order():
    return await asyncio.gather(fetch("a", 0.06), fetch("b", 0.03), fetch("c"))


@program
async def gather_of_nothing():
    print(await asyncio.gather())


@program
async def gather_of_the_same_coroutine_twice():
    coro = fetch("a")
    print(await asyncio.gather(coro, coro))


@program
async def gather_returns_exceptions():
    async def broken():
        raise ValueError("broken")

    print(await asyncio.gather(fetch("a"), broken(), return_exceptions=True))


@program
async def gather_leaves_the_others_running():
    async def broken():
        raise ValueError("broken")

    try:
        await asyncio.gather(broken(), fetch("slow", 0.02))
    except ValueError as error:
        print("caught", error)
    await asyncio.sleep(0.06)


@program
async def gather_cancelled_as_a_whole():
    both = asyncio.gather(fetch("a", 1), fetch("b", 1))
    await asyncio.sleep(0.01)
    print(both.cancel(), both.done())
    try:
        await both
    except asyncio.CancelledError as error:
        print("cancelled", error.args, both.cancelled())


@program
async def created_tasks_start_later():
    task = asyncio.create_task(fetch("a"))
    print("created", task.done())
    await asyncio.sleep(0)
    print("after one turn", task.done())
    print(await task, task.done(), task.result())


@program
async def names_of_tasks():
    named = asyncio.create_task(fetch("a"), name="loader")
    plain = asyncio.create_task(fetch("b"))
    plain.set_name("renamed")
    numbered = asyncio.create_task(fetch("c"), name=7)
    default = asyncio.create_task(fetch("d"))
    for task in (named, plain, numbered, default, asyncio.current_task()):
        print(repr(task.get_name()))
    await asyncio.gather(named, plain, numbered, default)


@program
async def who_is_there():
    tasks = [asyncio.create_task(fetch(str(n)), name=f"t{n}") for n in range(3)]
    print(len(asyncio.all_tasks()))
    print(sorted(task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}))
    await asyncio.gather(*tasks)
    print(len(asyncio.all_tasks()), asyncio.current_task() in asyncio.all_tasks())


@program
async def cancel_all_the_others():
    for n in range(3):
        asyncio.create_task(fetch(f"t{n}", 10))
    await asyncio.sleep(0)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    results = await asyncio.gather(*others, return_exceptions=True)
    print(len(results), {type(result).__name__ for result in results})
    return len(asyncio.all_tasks())


@program
async def shut_down_like_a_server():
    async def worker(n):
        try:
            while True:
                await asyncio.sleep(0.01)
        finally:
            stopped.append(n)

    stopped = []
    workers = [asyncio.create_task(worker(n)) for n in range(2)]
    await asyncio.sleep(0.03)
    for task in asyncio.all_tasks():
        if task is not asyncio.current_task():
            task.cancel()
    print(await asyncio.gather(*workers, return_exceptions=True), sorted(stopped))


@program
async def coroutines_of_tasks():
    task = asyncio.create_task(fetch("a"))
    coro = task.get_coro()
    print(inspect.iscoroutine(coro), type(coro).__name__, coro.__qualname__)
    print(inspect.getcoroutinestate(coro))
    await asyncio.sleep(0)
    print(inspect.getcoroutinestate(coro), coro.cr_frame.f_lineno, coro.cr_await is not None)
    await task
    print(inspect.getcoroutinestate(coro), coro.cr_frame)


@program
async def locals_of_a_suspended_coroutine():
    task = asyncio.create_task(fetch("a", 0.01))
    await asyncio.sleep(0)
    print(inspect.getcoroutinelocals(task.get_coro()))
    await task


@program
async def the_coroutine_of_the_current_task():
    coro = asyncio.current_task().get_coro()
    print(coro.__qualname__, inspect.iscoroutine(coro), coro.cr_running)


@program
async def reprs_of_tasks():
    task = asyncio.create_task(fetch("a"), name="loader")
    print(task)
    await asyncio.sleep(0)
    print(task)
    task.cancel()
    print(task)
    with suppress(asyncio.CancelledError):
        await task
    print(task)


@program
async def repr_of_oneself():
    print(repr(asyncio.current_task()))


@program
async def repr_of_a_failed_task():
    async def broken():
        raise KeyError("lost")

    task = asyncio.create_task(broken(), name="broken")
    await asyncio.wait([task])
    print(task)
    print(repr(task.exception()))


@program
async def repr_of_the_loop():
    loop = asyncio.get_running_loop()
    print(loop.is_running(), loop.is_closed(), loop.get_debug())
    print(loop is asyncio.get_event_loop())


@program
async def repr_of_a_gathering():
    both = asyncio.gather(fetch("a"), fetch("b"))
    print(type(both).__name__, repr(both))
    await both
    print(repr(both))


@program
async def a_cancel_with_a_message():
    task = asyncio.create_task(fetch("a", 1))
    await asyncio.sleep(0)
    task.cancel("too late")
    try:
        await task
    except asyncio.CancelledError as error:
        print(error.args, task.cancelled())


@program
async def cancelling_and_uncancel():
    async def stubborn():
        me = asyncio.current_task()
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            print(me.cancelling(), me.uncancel(), me.cancelling())
        return "went on"

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    print(task.cancel(), task.cancelling())
    print(await task, task.cancelled())


@program
async def cancelled_before_its_first_step():
    task = asyncio.create_task(fetch("never"))
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("never started", task.cancelled())


@program
async def cancel_runs_finally():
    async def careful():
        try:
            await asyncio.sleep(1)
        finally:
            await asyncio.sleep(0.01)
            print("cleaned up")

    task = asyncio.create_task(careful())
    await asyncio.sleep(0)
    task.cancel()
    print(await asyncio.gather(task, return_exceptions=True))


@program
async def a_done_task_cannot_be_cancelled():
    task = asyncio.create_task(fetch("a"))
    await task
    print(task.cancel(), task.cancelled(), await task)


@program
async def asking_too_early():
    task = asyncio.create_task(fetch("a", 1))
    for ask in (task.result, task.exception):
        try:
            ask()
        except asyncio.InvalidStateError as error:
            print(type(error).__name__, error)
    task.cancel()


@program
async def callbacks_of_tasks():
    def ended(task):
        print("callback", task.get_name(), task.result())

    task = asyncio.create_task(fetch("a"), name="loader")
    task.add_done_callback(ended)
    task.add_done_callback(print)
    print(task.remove_done_callback(print))
    await task
    print("before or after?")
    await asyncio.sleep(0)


@program
async def background_tasks_are_held():
    background = set()
    for n in range(3):
        task = asyncio.create_task(fetch(str(n), 0.01 + 0.03 * n))
        background.add(task)
        task.add_done_callback(background.discard)
    print(len(background))
    await asyncio.sleep(0.15)
    print(len(background))


@program
async def fire_and_forget():
    asyncio.create_task(fetch("a"))
    asyncio.create_task(fetch("too slow", 5))
    await asyncio.sleep(0.01)
    print("main is over")


@program
async def stacks_of_tasks():
    async def inner():
        await asyncio.sleep(0.01)

    async def outer():
        await inner()

    task = asyncio.create_task(outer(), name="watched")
    await asyncio.sleep(0)
    for frame in task.get_stack():
        print(frame.f_code.co_name, frame.f_lineno)
    task.print_stack(file=sys.stdout)
    await task
    task.print_stack(file=sys.stdout)


@program
async def stack_of_a_failed_task():
    async def deeper():
        raise ValueError("deep down")

    async def broken():
        await deeper()

    task = asyncio.create_task(broken(), name="broken")
    await asyncio.wait([task])
    print([frame.f_code.co_name for frame in task.get_stack()])
    task.print_stack(file=sys.stdout)
    task.exception()


@program
async def where_am_i():
    async def inner():
        stack = traceback.extract_stack()
        print([frame.name for frame in stack if frame.filename == __file__])

    await inner()
    await asyncio.create_task(inner())


@program
async def the_frame_of_a_step():
    """A task is stepped by the loop's own handle, so that is what calls it."""

    async def child():
        caller = sys._getframe(1)
        print(caller.f_code.co_name, caller.f_code.co_filename.rpartition("/")[2])

    await asyncio.create_task(child())


@program
async def a_task_may_not_await_itself():
    try:
        await asyncio.current_task()
    except RuntimeError as error:
        print(str(error).partition("<")[0])


@program
async def awaiting_what_cannot_be_awaited():
    try:
        await 5
    except TypeError as error:
        print(error)


@program
async def awaiting_a_coroutine_twice():
    coro = fetch("a")
    await coro
    try:
        await coro
    except RuntimeError as error:
        print(error)


@program
async def a_coroutine_of_another_task():
    coro = fetch("a", 0.02)
    task = asyncio.create_task(coro)
    await asyncio.sleep(0)
    try:
        await coro
    except RuntimeError as error:
        print(error)
    await task


@program
async def an_awaitable_class():
    class Twice:
        def __await__(self):
            yield from asyncio.sleep(0).__await__()
            yield from asyncio.sleep(0.01).__await__()
            return "twice"

    print(await Twice(), await asyncio.ensure_future(Twice()))


@program
async def a_bare_yield():
    class Turn:
        def __await__(self):
            yield

    await Turn()
    print("one turn later")


@program
async def a_wrong_yield():
    class Wrong:
        def __await__(self):
            yield "a string"

    try:
        await Wrong()
    except RuntimeError as error:
        print(error)


@program
async def turns_are_taken_fairly():
    async def count(name):
        for n in range(3):
            print(name, n)
            await asyncio.sleep(0)

    await asyncio.gather(count("a"), count("b"))


@program
async def several_wait_for_one_future():
    future = asyncio.get_running_loop().create_future()

    async def waiter(name):
        print(name, await future)

    async with asyncio.TaskGroup() as group:
        for name in "cab":
            group.create_task(waiter(name))
        await asyncio.sleep(0.01)
        future.set_result("go")
        print("set")


@program
async def several_wait_for_one_task():
    task = asyncio.create_task(fetch("data", 0.02))

    async def reader(name):
        print(name, await task)

    await asyncio.gather(*map(reader, "zyx"))


@program
async def futures_by_hand():
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    print(future, future.done())
    loop.call_later(0.01, future.set_result, "ready")
    print(await future, future)
    failed = loop.create_future()
    failed.set_exception(ValueError("no"))
    try:
        await failed
    except ValueError as error:
        print(error)


@program
async def a_future_set_twice():
    future = asyncio.Future()
    future.set_result(1)
    try:
        future.set_result(2)
    except asyncio.InvalidStateError as error:
        print(type(error).__name__, error)
    return await future


@program
async def many_tasks():
    async def one(n):
        await asyncio.sleep(0)
        return n

    print(sum(await asyncio.gather(*(one(n) for n in range(2_000)))))


@program
async def tasks_that_make_tasks():
    async def tree(depth):
        if depth == 0:
            return 1
        left = asyncio.create_task(tree(depth - 1))
        right = asyncio.create_task(tree(depth - 1))
        return await left + await right

    print(await tree(6))


@program(since=(3, 12))
async def eager_tasks():
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)

    async def cached():
        print("runs at once")
        return 1

    task = asyncio.create_task(cached())
    print("created", task.done(), await task)
    task = asyncio.create_task(fetch("a", 0.01), name="slow")
    print("created", task.done(), task.get_name())
    print(await task, len(asyncio.all_tasks()))


@program(since=(3, 12))
async def an_eager_task_that_fails_at_once():
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)

    async def broken():
        print("current", asyncio.current_task().get_coro().__name__)
        raise ValueError("at once")

    task = asyncio.create_task(broken())
    print("back in", asyncio.current_task().get_name(), task.done())
    print(repr(task.exception()))


@program
async def a_task_factory():
    def factory(loop, coro, **kwargs):
        print("making", coro.__name__)
        return asyncio.Task(coro, loop=loop, **kwargs)

    loop = asyncio.get_running_loop()
    print(loop.get_task_factory())
    loop.set_task_factory(factory)
    print(loop.get_task_factory() is factory)
    print(await asyncio.gather(fetch("a"), fetch("b")))


@program
async def a_task_of_another_class():
    class Traced(asyncio.Task):
        def cancel(self, msg=None):
            print("cancel is called")
            return super().cancel(msg)

    task = Traced(fetch("a", 1), loop=asyncio.get_running_loop(), name="traced")
    await asyncio.sleep(0)
    task.cancel()
    print(await asyncio.gather(task, return_exceptions=True), type(task).__name__)


@program
async def a_task_from_a_generator():
    import types

    @types.coroutine
    def old_style():
        yield from asyncio.sleep(0.01).__await__()
        return "old"

    print(await old_style())
    print(await asyncio.create_task(old_style()))


@program
async def ensure_future_and_wrap():
    task = asyncio.ensure_future(fetch("a"))
    print(asyncio.ensure_future(task) is task, asyncio.isfuture(task), asyncio.iscoroutine(task))
    print(await task)


@program
async def run_inside_run():
    coro = fetch("never")
    try:
        asyncio.run(coro)
    except RuntimeError as error:
        print(error)
    try:
        asyncio.get_running_loop().run_until_complete(coro)
    except RuntimeError as error:
        print(error)
    coro.close()


@program
async def recursion_too_deep():
    async def down(n):
        return await down(n + 1)

    try:
        await down(0)
    except RecursionError as error:
        print(type(error).__name__)


@program
async def a_deep_chain_of_awaits():
    async def down(n):
        if n == 0:
            await asyncio.sleep(0.01)
            return 0
        return 1 + await down(n - 1)

    print(await down(150))
