"""Programs that leave by `SystemExit` and its kind: from main, from a task, from a callback."""

# ruff: noqa: T201, RUF006
import asyncio
import os
import sys
from contextlib import suppress

from corpus.registry import program


async def leave(exit):
    await asyncio.sleep(0.01)
    raise exit


@program
async def sys_exit_in_main():
    print("before")
    sys.exit(3)


@program
async def sys_exit_in_main_later():
    try:
        await leave(SystemExit("a message"))
    finally:
        print("finally")


@program
async def sys_exit_in_a_task():
    try:
        await asyncio.create_task(leave(SystemExit(4)))
    finally:
        print("finally")


@program
async def sys_exit_in_a_task_beside_main():
    asyncio.create_task(leave(SystemExit(5)), name="leaver")
    try:
        await asyncio.sleep(5)
    finally:
        print("finally")


@program
async def sys_exit_in_a_group():
    async with asyncio.TaskGroup() as group:
        group.create_task(leave(SystemExit(6)))
        group.create_task(asyncio.sleep(5))


@program
async def sys_exit_in_a_callback():
    asyncio.get_running_loop().call_later(0.01, sys.exit, 7)
    try:
        await asyncio.sleep(5)
    finally:
        print("finally")


@program
async def sys_exit_that_is_caught():
    with suppress(SystemExit):
        await leave(SystemExit(8))
    try:
        exit_code = 0
        sys.exit(9)
    except SystemExit as error:
        exit_code = error.code
    print("went on", exit_code)


@program
async def keyboard_interrupt_in_main():
    raise KeyboardInterrupt


@program
async def keyboard_interrupt_in_main_later():
    try:
        await leave(KeyboardInterrupt("pressed"))
    finally:
        print("finally")


@program
async def keyboard_interrupt_in_a_task():
    try:
        await asyncio.gather(leave(KeyboardInterrupt()), asyncio.sleep(5))
    finally:
        print("finally")


@program
async def keyboard_interrupt_in_a_callback():
    def press():
        raise KeyboardInterrupt

    asyncio.get_running_loop().call_soon(press)
    await asyncio.sleep(5)


@program
async def keyboard_interrupt_that_is_caught():
    try:
        await leave(KeyboardInterrupt())
    except KeyboardInterrupt:
        print("caught")


@program
async def generator_exit_in_main():
    raise GeneratorExit


@program
async def generator_exit_in_a_call():
    await leave(GeneratorExit("left"))


@program
async def generator_exit_in_a_task():
    try:
        await asyncio.create_task(leave(GeneratorExit()))
    except GeneratorExit:
        print("caught")


@program
async def cancelled_error_by_hand():
    raise asyncio.CancelledError("by hand")


@program
async def cancelled_error_in_a_task():
    task = asyncio.create_task(leave(asyncio.CancelledError("child")))
    await asyncio.wait([task])
    print(task.cancelled())
    await task


@program
async def main_cancels_itself():
    asyncio.current_task().cancel("enough")
    try:
        await asyncio.sleep(0)
    finally:
        print("finally")


@program
async def main_cancels_itself_and_returns():
    asyncio.current_task().cancel()
    print("no await follows")
    return "result"


@program
async def main_is_cancelled_by_a_task():
    main = asyncio.current_task()

    async def killer():
        await asyncio.sleep(0.01)
        print(main.cancel("by the child"))

    task = asyncio.create_task(killer())
    try:
        await asyncio.sleep(5)
    finally:
        print("finally", task.done())


@program
async def main_survives_its_cancellation():
    me = asyncio.current_task()
    asyncio.get_running_loop().call_later(0.01, me.cancel)
    try:
        await asyncio.sleep(5)
    except asyncio.CancelledError:
        print("caught", me.cancelling(), me.uncancel())
    await asyncio.sleep(0.01)
    return "survived"


@program
async def cancel_everything():
    async def child():
        try:
            await asyncio.sleep(5)
        finally:
            print("child is over")

    asyncio.create_task(child())
    await asyncio.sleep(0)
    for task in asyncio.all_tasks():
        task.cancel()
    await asyncio.sleep(0)
    print("never printed")


@program
async def another_base_exception():
    class Abort(BaseException):
        pass

    try:
        await asyncio.create_task(leave(Abort("everything")))
    except Abort as error:
        print(repr(error))
    await leave(Abort("for good"))


@program
async def an_exit_with_tasks_left():
    async def child():
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            print("the child is cancelled")
            raise

    asyncio.create_task(child())
    await asyncio.sleep(0.01)
    sys.exit("bye")


@program
async def a_group_of_exits():
    await leave(BaseExceptionGroup("both", [SystemExit(1), ValueError("x")]))


@program
async def the_environment_is_as_it_was():
    print(os.getpid() > 0, sys.stdout is not None, sys.exc_info())
