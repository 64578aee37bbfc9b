"""Locks, events, conditions, semaphores, barriers and queues."""

# ruff: noqa: T201
import asyncio
import random
from itertools import count

from corpus.registry import program


@program
async def a_lock():
    lock = asyncio.Lock()

    async def worker(name):
        async with lock:
            print(name, "has it", lock.locked())
            await asyncio.sleep(0.01)
        print(name, "gave it back")

    await asyncio.gather(*map(worker, "abc"))
    print(lock)


@program
async def a_lock_is_fair():
    lock, order = asyncio.Lock(), []

    async def worker(name):
        for _ in range(2):
            async with lock:
                order.append(name)
                await asyncio.sleep(0)

    await asyncio.gather(*map(worker, "abc"))
    print("".join(order))


@program
async def a_lock_released_too_often():
    try:
        asyncio.Lock().release()
    except RuntimeError as error:
        print(error)
    try:
        asyncio.BoundedSemaphore(1).release()
    except ValueError as error:
        print(error)


@program
async def waiting_for_a_lock_is_cancelled():
    lock = asyncio.Lock()
    await lock.acquire()
    waiter = asyncio.create_task(lock.acquire())
    await asyncio.sleep(0)
    print(lock)
    waiter.cancel()
    await asyncio.wait([waiter])
    lock.release()
    print(waiter.cancelled(), lock.locked())


@program
async def a_lost_update():
    balance = 0

    async def deposit():
        nonlocal balance
        before = balance
        await asyncio.sleep(0)
        balance = before + 1

    await asyncio.gather(*(deposit() for _ in range(10)))
    print(balance)


@program
async def an_event():
    event = asyncio.Event()

    async def waiter(name):
        print(name, "waits")
        await event.wait()
        print(name, "goes on")

    tasks = [asyncio.create_task(waiter(name)) for name in "ab"]
    await asyncio.sleep(0.01)
    print(event)
    event.set()
    await asyncio.gather(*tasks)
    print(event.is_set(), await event.wait())
    event.clear()
    print(event.is_set())


@program
async def a_condition():
    condition, items = asyncio.Condition(), []

    async def consumer(name):
        async with condition:
            await condition.wait_for(lambda: items)
            print(name, "takes", items.pop(0))

    consumers = [asyncio.create_task(consumer(name)) for name in "ab"]
    for item in (1, 2):
        await asyncio.sleep(0.01)
        async with condition:
            items.append(item)
            condition.notify()
    await asyncio.gather(*consumers)
    print(condition)


@program
async def a_condition_notifies_all():
    condition = asyncio.Condition()

    async def waiter(n):
        async with condition:
            await condition.wait()
            print("notified", n)

    async with asyncio.TaskGroup() as group:
        for n in range(3):
            group.create_task(waiter(n))
        await asyncio.sleep(0.01)
        async with condition:
            condition.notify_all()


@program
async def a_semaphore():
    limit, inside, most = asyncio.Semaphore(2), 0, 0

    async def worker(n):
        nonlocal inside, most
        async with limit:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1
            return n

    print(await asyncio.gather(*(worker(n) for n in range(6))), most)
    print(limit)


@program
async def a_bounded_semaphore():
    limit = asyncio.BoundedSemaphore(2)
    async with limit:
        print(limit.locked(), limit)
        async with limit:
            print(limit.locked())
    print(limit)


@program
async def a_semaphore_and_a_timeout():
    limit = asyncio.Semaphore(1)
    async with limit:
        try:
            async with asyncio.timeout(0.01):
                await limit.acquire()
        except TimeoutError:
            print("no place in time")
    print(limit.locked())


@program
async def a_barrier():
    barrier = asyncio.Barrier(3)

    async def runner(name, delay):
        await asyncio.sleep(delay)
        print(name, "is there")
        place = await barrier.wait()
        return name, place

    print(
        sorted(
            await asyncio.gather(*(runner(n, d) for n, d in [("a", 0), ("b", 0.02), ("c", 0.05)]))
        )
    )
    print(barrier)


@program
async def a_broken_barrier():
    barrier = asyncio.Barrier(2)
    task = asyncio.create_task(barrier.wait())
    await asyncio.sleep(0)
    await barrier.abort()
    try:
        await task
    except asyncio.BrokenBarrierError as error:
        print(type(error).__name__, error, barrier.broken)


@program
async def a_queue():
    queue = asyncio.Queue()

    async def producer():
        for n in range(3):
            await asyncio.sleep(0.01)
            await queue.put(n)
        await queue.put(None)

    task = asyncio.create_task(producer())
    while (item := await queue.get()) is not None:
        print("got", item)
    await task
    print(queue)


@program
async def workers_on_a_queue():
    queue = asyncio.Queue()

    async def worker(name):
        while True:
            n = await queue.get()
            await asyncio.sleep(0.01 * n)
            print(name, "did", n)
            queue.task_done()

    for n in (1, 4, 7):
        queue.put_nowait(n)
    workers = [asyncio.create_task(worker(f"worker-{i}"), name=f"worker-{i}") for i in range(3)]
    await queue.join()
    for task in workers:
        task.cancel()
    print(await asyncio.gather(*workers, return_exceptions=True))


@program
async def a_full_queue():
    queue = asyncio.Queue(maxsize=1)

    async def producer():
        for n in range(3):
            await queue.put(n)
            print("put", n)

    task = asyncio.create_task(producer())
    await asyncio.sleep(0.01)
    print(queue.full(), queue.qsize())
    print([await queue.get() for _ in range(3)], queue.empty())
    await task
    try:
        queue.get_nowait()
    except asyncio.QueueEmpty as error:
        print(repr(error))


@program
async def other_queues():
    urgent, stack = asyncio.PriorityQueue(), asyncio.LifoQueue()
    for n in (3, 1, 2):
        await urgent.put((n, "job"))
        await stack.put(n)
    print([await urgent.get() for _ in range(3)])
    print([await stack.get() for _ in range(3)])


@program(since=(3, 13))
async def a_queue_is_shut_down():
    queue = asyncio.Queue()

    async def consumer():
        try:
            while True:
                print("got", await queue.get())
        except asyncio.QueueShutDown as error:
            print(repr(error))

    task = asyncio.create_task(consumer())
    queue.put_nowait(1)
    await asyncio.sleep(0.01)
    queue.shutdown()
    await task
    try:
        await queue.put(2)
    except asyncio.QueueShutDown:
        print("closed")


@program
async def a_pipeline():
    numbers, squares = asyncio.Queue(2), asyncio.Queue(2)

    async def source():
        for n in range(4):
            await numbers.put(n)
        await numbers.put(None)

    async def square():
        while (n := await numbers.get()) is not None:
            await asyncio.sleep(0)
            await squares.put(n * n)
        await squares.put(None)

    async def sink():
        return [item async for item in drain()]

    async def drain():
        while (item := await squares.get()) is not None:
            yield item

    async with asyncio.TaskGroup() as group:
        group.create_task(source())
        group.create_task(square())
        total = group.create_task(sink())
    print(total.result())


@program
async def dining_philosophers():
    forks = [asyncio.Lock() for _ in range(3)]

    async def dine(n):
        first, second = sorted((n, (n + 1) % 3))
        async with forks[first], forks[second]:
            print("philosopher", n, "eats")
            await asyncio.sleep(0.01)

    await asyncio.gather(*(dine(n) for n in range(3)))


@program
async def makerandom():
    """As in a well-known walk-through of asyncio."""

    async def make(idx, threshold):
        numbers, tries = random.Random(idx), 0
        while (i := numbers.randint(0, 10)) <= threshold:
            tries += 1
            await asyncio.sleep(0)
        print(f"task {idx} made {i} after {tries}")
        return i

    print(await asyncio.gather(*(make(i, 9 - i) for i in range(2))))


@program
async def a_bounded_gather():
    async def bounded(limit, jobs):
        iterator = iter(jobs)
        results = {}

        async def worker():
            for n, job in iterator:
                results[n] = await job

        async with asyncio.TaskGroup() as group:
            for _ in range(limit):
                group.create_task(worker())
        return [results[n] for n in sorted(results)]

    print(await bounded(2, enumerate(asyncio.sleep(0.01, n * n) for n in range(5))))


@program
async def a_pool_of_connections():
    names = count(1)

    class Pool:
        def __init__(self, size):
            self.free = asyncio.LifoQueue()
            for _ in range(size):
                self.free.put_nowait(f"connection {next(names)}")

        async def __aenter__(self):
            self.connection = await self.free.get()
            return self.connection

        async def __aexit__(self, *error):
            self.free.put_nowait(self.connection)

    async def query(pool, n):
        async with pool as connection:
            await asyncio.sleep(0.01)
            return n, connection.partition(" ")[0]

    pool = Pool(2)
    print(await asyncio.gather(*(query(pool, n) for n in range(4))))
