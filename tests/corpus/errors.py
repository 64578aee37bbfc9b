"""Errors: what programs fail with, and how that is told."""

# ruff: noqa: T201, RUF006, ASYNC251
import asyncio
import gc
import io
import sys
import traceback

from corpus.registry import program


async def fail(error):
    await asyncio.sleep(0)
    raise error


@program
async def main_fails():
    await asyncio.sleep(0.01)
    raise ValueError("no such file", 404)


@program
async def main_fails_at_once():
    raise LookupError("at once")


@program
async def a_call_fails():
    async def load(name):
        async with asyncio.timeout(1):
            await fail(FileNotFoundError(2, "No such file", name))

    await load("data.csv")


@program
async def a_traceback_is_printed():
    async def inner():
        await fail(ValueError("inside"))

    try:
        await inner()
    except ValueError:
        traceback.print_exc(file=sys.stdout)


@program
async def a_traceback_of_a_task():
    task = asyncio.create_task(fail(ValueError("in a task")))
    try:
        await task
    except ValueError as error:
        print("".join(traceback.format_exception(error)))


@program
async def a_traceback_of_a_gathering():
    try:
        await asyncio.gather(fail(ValueError("one")), fail(KeyError("two")))
    except ValueError as error:
        print([frame.name for frame in traceback.extract_tb(error.__traceback__)])


@program
async def a_traceback_on_stderr():
    try:
        await fail(OSError("disk full"))
    except OSError:
        traceback.print_exc()


@program
async def a_traceback_of_a_cancellation():
    async def inner():
        await asyncio.sleep(1)

    task = asyncio.create_task(inner())
    await asyncio.sleep(0)
    task.cancel("why not")
    try:
        await task
    except asyncio.CancelledError:
        traceback.print_exc(file=sys.stdout)


@program
async def a_traceback_of_a_timeout():
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(1)
    except TimeoutError:
        traceback.print_exc(file=sys.stdout)


@program
async def a_traceback_of_a_callback():
    def callback():
        try:
            raise ValueError("in a callback")
        except ValueError:
            print([frame.name for frame in traceback.extract_stack()][-4:])
            traceback.print_exc(file=sys.stdout)

    asyncio.get_running_loop().call_soon(callback)
    await asyncio.sleep(0)


@program
async def the_cause_is_kept():
    try:
        try:
            await fail(KeyError("deep"))
        except KeyError as error:
            raise RuntimeError("wrapped") from error
    except RuntimeError as error:
        print(repr(error.__cause__), error.__suppress_context__)
        text = io.StringIO()
        traceback.print_exception(error, file=text)
        print(text.getvalue())


@program
async def the_context_is_kept():
    try:
        await fail(KeyError("first"))
    except KeyError:
        await fail(ValueError("second"))


@program
async def notes_are_kept():
    error = ValueError("noted")
    error.add_note("look here")
    await asyncio.create_task(fail(error))


@program
async def the_same_error_object():
    error = ValueError("mine")
    try:
        await asyncio.create_task(fail(error))
    except ValueError as caught:
        print(caught is error)


@program
async def a_failed_first_step_that_nobody_holds():
    async def broken():
        raise ValueError("nobody looks")

    asyncio.create_task(broken(), name="lonely")
    await asyncio.sleep(0.01)
    print("went on")


@program
async def a_failed_second_step_that_nobody_holds():
    asyncio.create_task(fail(ValueError("nobody looks")), name="lonely")
    await asyncio.sleep(0.01)
    print("went on")


@program
async def a_failed_task_that_is_held():
    task = asyncio.create_task(fail(ValueError("held")), name="held")
    await asyncio.sleep(0.01)
    print(task.done())


@program
async def a_failed_future_that_nobody_looked_at():
    future = asyncio.get_running_loop().create_future()
    future.set_exception(ValueError("unseen"))
    del future
    await asyncio.sleep(0)
    print("went on")


@program
async def a_coroutine_that_nobody_awaited():
    fail(ValueError("never"))
    await asyncio.sleep(0)
    print("went on")


@program
async def a_task_that_is_dropped():
    async def wait_for_ever(future):
        await future

    loop = asyncio.get_running_loop()
    asyncio.create_task(wait_for_ever(loop.create_future()), name="dropped")
    await asyncio.sleep(0)
    gc.collect()
    await asyncio.sleep(0)
    print(len(asyncio.all_tasks()))


@program
async def a_callback_that_fails():
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: 1 / 0)
    loop.call_later(0.01, int, "no number")
    await asyncio.sleep(0.04)
    print("went on")


@program
async def a_done_callback_that_fails():
    def callback(task):
        raise ValueError("callback")

    task = asyncio.create_task(asyncio.sleep(0), name="fine")
    task.add_done_callback(callback)
    await task
    await asyncio.sleep(0)
    print("went on")


@program
async def an_exception_handler():
    def handler(loop, context):
        print("handler:", context["message"], repr(context.get("exception")), sorted(context))

    loop = asyncio.get_running_loop()
    print(loop.get_exception_handler())
    loop.set_exception_handler(handler)
    asyncio.create_task(fail(ValueError("nobody looks")))
    loop.call_soon(lambda: 1 / 0)
    await asyncio.sleep(0.01)
    print(loop.get_exception_handler() is handler)


@program
async def an_exception_handler_that_fails():
    def handler(loop, context):
        raise RuntimeError("broken handler")

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(handler)
    loop.call_soon(lambda: 1 / 0)
    await asyncio.sleep(0)
    print("went on")


@program
async def the_handler_is_called_by_hand():
    loop = asyncio.get_running_loop()
    loop.call_exception_handler({"message": "by hand", "note": 7})
    loop.default_exception_handler({"message": "by default"})
    print("went on")


@program
async def a_left_task_fails_when_it_is_cancelled():
    async def bad():
        try:
            await asyncio.sleep(10)
        finally:
            raise ValueError("while cancelled")

    asyncio.create_task(bad(), name="bad")
    await asyncio.sleep(0)
    print("main is over")


@program
async def exceptions_that_are_no_group():
    class Invalid(Exception):
        exceptions = ("a field", 7)

    await fail(Invalid("two fields"))


@program
async def exceptions_that_cannot_be_had():
    class Odd(Exception):
        @property
        def exceptions(self):
            print("asked")
            raise RuntimeError("ask not")

    try:
        await asyncio.create_task(fail(Odd("odd")))
    except Odd as error:
        print(repr(error))
    await fail(Odd("odd"))


@program
async def a_group_nested_3000_deep():
    error = ValueError("at the bottom")
    for _ in range(3_000):
        error = ExceptionGroup("level", [error])
    task = asyncio.create_task(fail(error))
    await asyncio.wait([task])
    print(task.exception() is error)


@program
async def an_error_without_text():
    class Mute(Exception):
        def __str__(self):
            return None

        def __repr__(self):
            return "Mute()"

    try:
        await asyncio.create_task(fail(Mute()))
    except Mute as error:
        print(repr(error))
    await fail(Mute())


@program
async def an_error_whose_text_fails():
    class Shy(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    print("fails")
    await fail(Shy("x"))


@program
async def stop_iteration_in_a_coroutine():
    try:
        await fail(StopIteration("enough"))
    except RuntimeError as error:
        print(error, repr(error.__cause__))


@program
async def a_group_of_errors():
    async def many():
        raise ExceptionGroup("several", [ValueError("a"), OSError("b")])

    try:
        await many()
    except* ValueError as group:
        print(group.exceptions)
    except* OSError as group:
        print(group.exceptions)


@program
async def a_swallowed_error_in_finally():
    async def quiet():
        try:
            await fail(ValueError("lost"))
        except ValueError:
            pass
        finally:
            print("finally")
        return "fine"

    print(await quiet(), sys.exc_info())


@program
async def errors_of_a_wrong_call():
    async def load(name):
        return name

    try:
        await load()
    except TypeError as error:
        print(error)


@program
async def asserting():
    value = await asyncio.sleep(0, 3)
    assert value == 4, "the value is wrong"


@program
async def slow_steps_in_debug_mode():
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.03

    async def slow():
        import time

        time.sleep(0.05)

    print(loop.get_debug())
    await asyncio.create_task(slow(), name="slow")
    loop.set_debug(False)


@program
async def debug_mode_names_origins():
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    asyncio.create_task(fail(ValueError("with its origin")), name="lonely")
    await asyncio.sleep(0.01)
    loop.set_debug(False)
    print("went on")


@program
async def a_warning():
    import warnings

    warnings.warn("this is old", DeprecationWarning, stacklevel=1)
    print("went on", file=sys.stderr)
