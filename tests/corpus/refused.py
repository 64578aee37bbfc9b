"""What cannot be fast-forwarded: refused by name there, and as always in real time."""

# ruff: noqa: T201, ASYNC221, ASYNC240
import asyncio
import contextvars
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import aiohttp
import aiosqlite
from aiohttp import web

from corpus.registry import program


@program(refused="thread")
async def to_thread():
    print(await asyncio.to_thread(sum, range(10)))


@program(refused="thread")
async def many_to_threads():
    def work(n):
        return n * n

    print(await asyncio.gather(*(asyncio.to_thread(work, n) for n in range(3))))


@program(refused="thread")
async def to_thread_keeps_the_context():
    user = contextvars.ContextVar("user")
    user.set("ann")
    print(await asyncio.to_thread(user.get))


@program(refused="thread|executor")
async def an_executor_of_ones_own():
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as pool:
        print(await loop.run_in_executor(pool, partial(pow, 2, 10)))


@program(refused="thread|executor")
async def the_default_executor():
    loop = asyncio.get_running_loop()
    print(await loop.run_in_executor(None, len, "abc"))


@program(refused="thread|future")
async def a_future_of_a_pool():
    with ThreadPoolExecutor(1) as pool:
        print(await asyncio.wrap_future(pool.submit(pow, 2, 8)))


@program(refused="thread|future")
async def a_future_set_by_a_thread():
    future = Future()
    timer = threading.Timer(0.02, future.set_result, ["from a thread"])
    timer.start()
    print(await asyncio.wrap_future(future))
    timer.join()


@program(refused="thread")
async def a_thread_wakes_the_loop():
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(event.set))
    thread.start()
    await event.wait()
    thread.join()
    print("woken")


@program(refused="thread")
async def a_slow_thread_and_a_timeout():
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    timer = threading.Timer(0.02, loop.call_soon_threadsafe, [event.set])
    timer.start()
    try:
        async with asyncio.timeout(5):
            await event.wait()
        print("in time")
    finally:
        timer.join()


@program(refused="thread")
async def a_thread_runs_a_coroutine():
    loop = asyncio.get_running_loop()
    heard = asyncio.Event()

    async def hear(text):
        print("heard", text)
        heard.set()
        return "ok"

    def speak():
        asyncio.run_coroutine_threadsafe(hear("hello"), loop)

    thread = threading.Thread(target=speak)
    thread.start()
    await heard.wait()
    thread.join()


@program(refused="signal")
async def a_signal_handler():
    loop, pressed = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, pressed.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await pressed.wait()
    print("signalled", loop.remove_signal_handler(signal.SIGUSR1))


@program(refused="process")
async def a_process():
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-S", "-c", "print('hello')", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    print(out, process.returncode)


@program(refused="process")
async def a_shell():
    process = await asyncio.create_subprocess_shell("exit 3")
    print(await process.wait())


@program(refused="socket|server|connection")
async def a_server_and_its_client():
    async def answer(reader, writer):
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello\n")
        print(await reader.read())
        writer.close()
        await writer.wait_closed()


@program(refused="socket|connection|address|host")
async def a_connection_that_is_refused():
    try:
        await asyncio.open_connection("127.0.0.1", 1)
    except OSError as error:
        print(type(error).__name__)


@program(refused="socket|connection|address|host|thread|name")
async def a_name_is_looked_up():
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
    print(found[0][4])


@program(refused="socket|pipe|file")
async def a_socket_by_hand():
    loop = asyncio.get_running_loop()
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        right.setblocking(False)
        task = asyncio.create_task(loop.sock_recv(right, 10))
        await asyncio.sleep(0)
        await loop.sock_sendall(left, b"ping")
        print(await task)


@program(refused="socket|pipe|file|reader")
async def a_reader_by_hand():
    loop, seen = asyncio.get_running_loop(), asyncio.Event()
    left, right = socket.socketpair()
    with left, right:
        loop.add_reader(right, seen.set)
        left.send(b"x")
        await seen.wait()
        print("readable", loop.remove_reader(right))


@program(refused="socket|pipe|datagram")
async def datagrams():
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
    )
    print("open", transport.is_closing())
    transport.close()
    await asyncio.sleep(0)


@program(refused="socket|server|connection")
async def an_aiohttp_server_and_client():
    async def hello(request):
        return web.json_response({"hello": request.query["name"]})

    app = web.Application()
    app.router.add_get("/", hello)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/?name=ann"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            print(response.status, await response.json())
    finally:
        await runner.cleanup()


@program(refused="socket|connection|address|host")
async def an_aiohttp_client():
    async with aiohttp.ClientSession() as session:
        try:
            async with session.get("http://127.0.0.1:1/") as response:
                print(response.status)
        except aiohttp.ClientError as error:
            print(type(error).__name__)


@program(refused="thread")
async def aiosqlite_in_memory():
    async with aiosqlite.connect(":memory:") as database:
        await database.execute("create table t (n integer)")
        await database.executemany("insert into t values (?)", [(n,) for n in range(3)])
        async with database.execute("select sum(n) from t") as cursor:
            print(await cursor.fetchone())


@program(refused="thread")
async def files_in_threads():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.txt")
        await asyncio.to_thread(path.write_text, "hello")
        print(await asyncio.to_thread(path.read_text))


@program(refused="thread")
async def a_refusal_that_is_wrapped():
    class APIError(Exception):
        pass

    async def get():
        try:
            return await asyncio.to_thread(len, "abc")
        except Exception as error:
            raise APIError("Connection error.") from error

    try:
        print(await get())
    except APIError as error:
        print("gave up:", error)


@program(refused="socket|connection")
async def a_refusal_that_is_returned():
    async def connect():
        _, writer = await asyncio.open_connection("127.0.0.1", 1)
        writer.close()

    results = await asyncio.gather(connect(), connect(), return_exceptions=True)
    print([type(result).__name__ for result in results])


@program(refused="thread")
async def a_refusal_that_is_swallowed():
    async def get():
        try:
            return await asyncio.to_thread(len, "abc")
        except Exception:
            return None

    print(await get())
    await asyncio.sleep(0.01)
    return "done"


@program(refused="thread")
async def a_refusal_that_is_suppressed_for_good():
    try:
        print(await asyncio.to_thread(len, "abc"))
    except BaseException:
        print("swallowed")
    return "done"


@program(refused="thread")
async def a_refusal_in_a_group():
    async with asyncio.TaskGroup() as group:
        task = group.create_task(asyncio.to_thread(len, "abc"))
        group.create_task(asyncio.sleep(0.01))
    print(task.result())


@program(refused="thread")
async def a_refusal_in_a_lonely_task():
    async def background():
        print(await asyncio.to_thread(len, "abc"))

    task = asyncio.create_task(background())
    await asyncio.sleep(0.1)
    print(task.done())


@program(refused="thread")
async def a_refusal_that_is_retried():
    for attempt in range(3):
        try:
            print(await asyncio.to_thread(len, "abc"))
            break
        except Exception:
            print("attempt", attempt, "failed")
            await asyncio.sleep(0.01)


@program(refused="socket|connection")
async def a_refusal_in_a_callback():
    loop = asyncio.get_running_loop()
    left, right = socket.socketpair()
    with left, right:
        loop.call_soon(loop.add_reader, right, print)
        await asyncio.sleep(0.01)
        print(loop.remove_reader(right))


@program(refused="process")
async def a_blocking_process():
    print(subprocess.run(["true"], check=True).returncode)


@program(refused="thread")
async def a_thread_that_leaves_the_loop_alone():
    seen = []
    thread = threading.Thread(target=seen.append, args=["from a thread"])
    thread.start()
    thread.join()
    await asyncio.sleep(0.01)
    print(seen)


@program
async def files_that_are_read_in_place():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.txt")
        path.write_text("hello")
        await asyncio.sleep(0.01)
        print(path.read_text())
