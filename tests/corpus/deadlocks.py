"""Programs that can never go on: simulated only, since in real time they would never end."""

# ruff: noqa: T201
import asyncio

from corpus.registry import program


@program(deadlock=("two_tasks_that_await_each_other", "first waits", "second waits"))
async def two_tasks_that_await_each_other():
    tasks = []

    async def wait_for(n):
        await asyncio.sleep(0.01)
        await tasks[n]

    tasks.append(asyncio.create_task(wait_for(1), name="first"))
    tasks.append(asyncio.create_task(wait_for(0), name="second"))
    await tasks[0]


@program(deadlock=("one waits", "two waits", "three waits"))
async def a_ring_of_three():
    ring = {}

    async def wait_for(name):
        await asyncio.sleep(0)
        await ring[name]

    for name, other in [("one", "two"), ("two", "three"), ("three", "one")]:
        ring[name] = asyncio.create_task(wait_for(other), name=name)
    await asyncio.gather(*ring.values())


@program(deadlock=("a_child_that_awaits_its_parent", "child waits"))
async def a_child_that_awaits_its_parent():
    parent = asyncio.current_task()

    async def child():
        await parent

    await asyncio.create_task(child(), name="child")


@program(deadlock=("a_child_in_a_group_that_awaits_its_parent", "child waits"))
async def a_child_in_a_group_that_awaits_its_parent():
    parent = asyncio.current_task()

    async def child():
        await parent

    async with asyncio.TaskGroup() as group:
        group.create_task(child(), name="child")


@program(deadlock=("a_child_in_a_gathering_that_awaits_its_parent", "await_it"))
async def a_child_in_a_gathering_that_awaits_its_parent():
    async def await_it(task):
        return await task

    await asyncio.gather(await_it(asyncio.current_task()), asyncio.sleep(0.01))


@program(deadlock=("sibling-a waits", "sibling-b waits"))
async def a_ring_in_a_group():
    tasks = {}

    async def wait_for(name):
        print("waits for", name)
        await asyncio.sleep(0)
        await asyncio.shield(tasks[name])

    async with asyncio.TaskGroup() as group:
        tasks["a"] = group.create_task(wait_for("b"), name="sibling-a")
        tasks["b"] = group.create_task(wait_for("a"), name="sibling-b")


@program(deadlock=("Queue.get",))
async def nobody_puts():
    queue = asyncio.Queue()
    print("got", await queue.get())


@program(deadlock=("Queue.put",))
async def nobody_gets():
    queue = asyncio.Queue(1)
    for n in range(3):
        await queue.put(n)
        print("put", n)


@program(deadlock=("Queue.join",))
async def a_worker_forgets_task_done():
    queue = asyncio.Queue()

    async def worker():
        while True:
            print("did", await queue.get())

    queue.put_nowait(1)
    task = asyncio.create_task(worker())
    await queue.join()
    task.cancel()


@program(deadlock=("Queue.put",))
async def workers_that_put_into_their_own_queue():
    queue = asyncio.Queue(1)

    async def worker():
        while True:
            n = await queue.get()
            await queue.put(n)
            await queue.put(n)

    await queue.put(1)
    await asyncio.gather(worker(), worker())


@program(deadlock=("Lock.acquire",))
async def a_lock_taken_twice():
    lock = asyncio.Lock()
    async with lock:
        print("once")
        async with lock:
            print("twice")


@program(deadlock=("left waits for Lock.acquire", "right waits for Lock.acquire"))
async def two_locks_in_two_orders():
    a, b = asyncio.Lock(), asyncio.Lock()

    async def take(first, second):
        async with first:
            await asyncio.sleep(0.01)
            async with second:
                print("both")

    async with asyncio.TaskGroup() as group:
        group.create_task(take(a, b), name="left")
        group.create_task(take(b, a), name="right")


@program(deadlock=("Semaphore.acquire",))
async def a_semaphore_is_not_given_back():
    limit = asyncio.Semaphore(2)

    async def leaky():
        await limit.acquire()

    await asyncio.gather(*(leaky() for _ in range(3)))


@program(deadlock=("Event.wait",))
async def nobody_sets_the_event():
    event = asyncio.Event()
    await event.wait()


@program(deadlock=("Condition.wait",))
async def nobody_notifies():
    condition = asyncio.Condition()
    async with condition:
        await condition.wait()


@program(deadlock=("Barrier.wait",))
async def one_too_few_at_the_barrier():
    barrier = asyncio.Barrier(3)
    await asyncio.gather(barrier.wait(), barrier.wait())


@program(deadlock=("a_future_that_nobody_sets",))
async def a_future_that_nobody_sets():
    await asyncio.get_running_loop().create_future()


@program(deadlock=("stubborn waits",))
async def a_deadlock_that_refuses_cancellation():
    async def stubborn():
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                print("no")

    await asyncio.create_task(stubborn(), name="stubborn")
