"""Asynchronous generators, comprehensions, context managers, context variables, and lifetimes."""

# ruff: noqa: T201
import asyncio
import contextvars
import gc
import weakref
from contextlib import AsyncExitStack, ExitStack, aclosing, asynccontextmanager, contextmanager

from corpus.registry import program


async def countdown(n, delay=0.0):
    try:
        while n:
            yield n
            await asyncio.sleep(delay)
            n -= 1
    finally:
        print("generator is closed")


@program
async def loop_to_the_end():
    async for n in countdown(3, 0.01):
        print(n)


@program
async def left_by_break():
    async for n in countdown(3):
        print(n)
        break
    print("after the loop")
    await asyncio.sleep(0.01)
    print("later")


@program
async def left_by_break_with_work_in_finally():
    async def rows():
        try:
            for n in range(5):
                yield n
        finally:
            await asyncio.sleep(0.01)
            print("closed", asyncio.current_task().get_coro().__class__.__name__)

    async for n in rows():
        if n == 2:
            break
    print("after the loop", n)
    await asyncio.sleep(0.05)


@program
async def left_by_break_but_it_refuses():
    async def stubborn():
        while True:
            try:
                yield 1
            except GeneratorExit:
                print("no")

    async for _ in stubborn():
        break
    await asyncio.sleep(0.01)
    print("went on")


@program
async def left_by_break_and_it_fails():
    async def fragile():
        try:
            yield 1
        finally:
            raise ValueError("while it goes")

    async for _ in fragile():
        break
    await asyncio.sleep(0.01)
    print("went on")


@program
async def left_by_break_and_kept():
    generator = countdown(3)
    async for n in generator:
        print(n)
        break
    print("still open", generator.ag_frame is not None)
    async for n in generator:
        print(n)


@program
async def left_by_return():
    async def first(generator):
        async for item in generator:
            return item

    print(await first(countdown(5)))
    await asyncio.sleep(0)


@program
async def left_by_an_error():
    try:
        async for n in countdown(3):
            raise ValueError(n)
    except ValueError as error:
        print("caught", error)
    await asyncio.sleep(0)


@program
async def closed_by_aclosing():
    async with aclosing(countdown(3, 0.01)) as numbers:
        async for n in numbers:
            print(n)
            break
    print("after the block")


@program
async def closed_by_aclose():
    generator = countdown(3)
    print(await anext(generator), await anext(generator))
    await generator.aclose()
    print(await anext(generator, "nothing"))


@program
async def left_open_at_the_end():
    generator = countdown(3)
    print(await anext(generator))
    return "main is over"


@program
async def kept_in_a_global_at_the_end():
    global kept
    kept = countdown(2)
    print(await kept.__anext__())


@program
async def sent_and_thrown():
    async def echo():
        got = None
        while True:
            try:
                got = yield got
            except ValueError as error:
                got = f"caught {error}"

    generator = echo()
    print(await generator.asend(None), await generator.asend(1))
    print(await generator.athrow(ValueError("thrown")))
    await generator.aclose()


@program
async def a_generator_that_refuses_to_close():
    async def stubborn():
        try:
            yield 1
        except GeneratorExit:
            yield 2

    generator = stubborn()
    print(await anext(generator))
    try:
        await generator.aclose()
    except RuntimeError as error:
        print(error)


@program
async def a_generator_asked_twice_at_once():
    generator = countdown(3, 0.01)
    await anext(generator)
    task = asyncio.create_task(next_of(generator))
    await asyncio.sleep(0)
    try:
        await anext(generator)
    except RuntimeError as error:
        print(error)
    print(await task)


async def next_of(generator):
    return await anext(generator)


@program
async def a_pipeline_of_generators():
    async def squares(numbers):
        async for n in numbers:
            yield n * n

    async def even(numbers):
        async for n in numbers:
            if n % 2 == 0:
                yield n

    print([n async for n in even(squares(countdown(6)))])


@program
async def comprehensions():
    print([n async for n in countdown(3)], {n async for n in countdown(2)})
    print([await asyncio.sleep(0, n) for n in range(3)])
    print({n: await asyncio.sleep(0, n * n) async for n in countdown(2)})
    print([x async for x in (n + 1 async for n in countdown(2))])


@program
async def an_iterator_class():
    class Ticker:
        def __init__(self, n):
            self.n = n

        def __aiter__(self):
            return self

        async def __anext__(self):
            if not self.n:
                raise StopAsyncIteration
            self.n -= 1
            await asyncio.sleep(0.01)
            return self.n

    async for tick in Ticker(3):
        print(tick)


@program
async def generators_in_tasks():
    async def consume(name):
        async for n in countdown(2, 0.01):
            print(name, n)
            await asyncio.sleep(0.02)

    await asyncio.gather(consume("a"))
    task = asyncio.create_task(consume("b"))
    await asyncio.sleep(0.005)
    task.cancel()
    print(await asyncio.gather(task, return_exceptions=True))


@program
async def a_context_manager_class():
    class Session:
        async def __aenter__(self):
            await asyncio.sleep(0.01)
            print("open")
            return self

        async def __aexit__(self, kind, error, tb):
            print("close", kind and kind.__name__)
            await asyncio.sleep(0.01)
            return kind is KeyError

    async with Session() as session:
        print(type(session).__name__)
    async with Session():
        raise KeyError("suppressed")
    async with Session():
        raise ValueError("not suppressed")


@program
async def a_context_manager_by_decorator():
    @asynccontextmanager
    async def transaction(name):
        print("begin", name)
        try:
            yield name.upper()
        except ValueError as error:
            print("rollback", error)
        else:
            print("commit")
        finally:
            await asyncio.sleep(0)

    async with transaction("one") as name:
        print(name)
    async with transaction("two"):
        raise ValueError("oh")


@program
async def exit_stacks():
    @asynccontextmanager
    async def resource(name):
        print("open", name)
        yield name
        await asyncio.sleep(0.01)
        print("close", name)

    @contextmanager
    def plain(name):
        yield name
        print("close", name)

    async with AsyncExitStack() as stack:
        names = [await stack.enter_async_context(resource(name)) for name in "ab"]
        stack.enter_context(plain("c"))
        stack.push_async_callback(asyncio.sleep, 0)
        stack.callback(print, "callback", names)
    with ExitStack() as stack:
        print(stack.enter_context(plain("d")))


@program
async def context_variables():
    user = contextvars.ContextVar("user", default="nobody")

    async def request(name):
        user.set(name)
        await asyncio.sleep(0.01)
        print(name, user.get())

    await asyncio.gather(request("ann"), request("bob"))
    print(user.get())
    await request("direct")
    print(user.get())


@program
async def contexts_by_hand():
    user = contextvars.ContextVar("user")
    context = contextvars.copy_context()
    context.run(user.set, "ann")

    async def show():
        print(user.get())
        user.set("changed")

    await asyncio.create_task(show(), context=context)
    print(context[user], user.get("unset here"))
    asyncio.get_running_loop().call_soon(lambda: print(user.get("none")), context=context)
    await asyncio.sleep(0)


@program
async def the_context_holds_what_was_set():
    """Nobody else's variables are in a program's context."""
    print(len(contextvars.copy_context()))
    mine = contextvars.ContextVar("mine")
    mine.set(1)

    async def child():
        return len(contextvars.copy_context())

    print(await child(), await asyncio.create_task(child()))


class Shard:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        print("free", self.name)


@program
async def locals_are_freed_when_a_call_ends():
    async def load(name):
        shard = Shard(name)
        await asyncio.sleep(0)
        print("loaded", shard.name)

    await load("a")
    print("between")
    await load("b")
    print("after")


@program
async def locals_are_freed_when_a_task_ends():
    async def load(name):
        shard = Shard(name)
        await asyncio.sleep(0.01)
        return shard.name

    task = asyncio.create_task(load("a"))
    await task
    print("still held", task.result())
    results = await asyncio.gather(load("b"), load("c"))
    print(results)


@program
async def an_object_fails_while_it_goes():
    class Fragile:
        def __del__(self):
            raise ValueError("while it goes")

    async def use():
        fragile = Fragile()
        await asyncio.sleep(0)
        return type(fragile).__name__

    print(await use())
    print(await asyncio.create_task(use()))


@program
async def results_are_freed_when_they_are_dropped():
    async def load(name):
        await asyncio.sleep(0)
        return Shard(name)

    shard = await load("a")
    print("have", shard.name)
    shard = await load("b")
    print("have", shard.name)
    del shard
    print("dropped")
    await asyncio.create_task(load("c"))
    print("end")


@program
async def arguments_are_freed():
    async def use(shard):
        await asyncio.sleep(0)
        print("used", shard.name)
        del shard
        print("let go")
        await asyncio.sleep(0)

    await use(Shard("a"))
    await asyncio.create_task(use(Shard("b")))
    print("end")


@program
async def weak_references_are_told():
    class Node:
        pass

    async def use():
        node = Node()
        weakref.finalize(node, print, "node is gone")
        await asyncio.sleep(0)
        return weakref.ref(node)

    seen = await use()
    print(seen() is None)
    task = asyncio.create_task(use())
    gone = weakref.ref(task)
    await task
    del task
    await asyncio.sleep(0)
    print(gone() is None)


@program
async def locals_of_main_are_freed_at_its_end():
    shard = Shard("main")
    await asyncio.sleep(0.01)
    print("end of main", shard.name)


@program
async def errors_are_freed():
    async def broken():
        shard = Shard("in the frame")
        await asyncio.sleep(0)
        raise ValueError(shard.name)

    try:
        await broken()
    except ValueError:
        print("caught")
    print("out of the block")
    gc.collect()
    print("end")


@program
async def a_property_called_name_is_not_asked():
    class Loader:
        asked = 0

        @property
        def name(self):
            Loader.asked += 1
            return "loader"

        def __repr__(self):
            Loader.asked += 1
            return "Loader()"

        async def load(self):
            await asyncio.sleep(0.01)

    loader = Loader()
    await loader.load()
    await asyncio.gather(loader.load(), loader.load())
    print("asked", Loader.asked, "times")


@program
async def arguments_are_not_asked_either():
    class Proxy:
        def __getattr__(self, name):
            print("asked for", name)
            raise AttributeError(name)

        def __len__(self):
            print("asked for its length")
            return 3

        def __eq__(self, other):
            print("compared")
            return True

        __hash__ = None

    async def use(proxy, *rest):
        await asyncio.sleep(0.01)

    await use(Proxy())
    await asyncio.create_task(use(Proxy(), Proxy()))
    print("nobody asked")
