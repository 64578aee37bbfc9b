"""What a notebook leaves behind: the kernel after each cell, beside the kernel before the first.

It runs inside the kernel; the plugin beside it sends it there.
"""

import asyncio
import builtins
import gc
import os
import signal
import socket
import stat
import sys
import tempfile
import threading
import time
import tracemalloc
import warnings
from collections.abc import Iterator
from concurrent.futures.thread import _WorkItem
from contextlib import suppress
from itertools import chain
from reprlib import repr as short
from time import monotonic, sleep
from types import FrameType
from typing import Any

import ipykernel
import psutil

Found = Iterator[tuple[object, str]]

KERNEL = os.path.dirname(ipykernel.__file__)
# What may come into the notebook's folder: the data of the course, and what tools put there.
KEPT = {"data", "__pycache__", ".ipynb_checkpoints"}
# What libraries set for themselves when they are loaded (scikit-learn and numpy do).
OF_LIBRARIES = ("os.environ", "warnings.filters")
SHARED = "/dev/shm"  # where Linux has memory that processes share
ABSENT, PRESENT = "absent", "present"


class Leftovers:
    """What came since it was made, and what changed."""

    def __init__(self) -> None:
        self.stderr = sys.stderr  # a notebook may put another in its place
        self.mark = tempfile.gettempdir()  # no other kernel has this one
        self.folders = {self.mark: set[str](), os.getcwd(): KEPT}
        self.others = set(psutil.pids())
        self.shared = set[str]()
        self.modules = set(sys.modules)
        self.before = self.last = settings()
        self.there = dict(self.things())
        self.found: dict[object, str] = {}
        self.first_seen: dict[object, str] = {}

    def look(self, cell: str) -> None:
        """Note what there is to find, and for what is new the cell that has just run."""
        gc.collect()  # has Python report at once what it reports when an object is collected
        now = settings()
        if sys.modules.keys() - self.modules:
            theirs = [name for name in differing(self.last, now) if name.startswith(OF_LIBRARIES)]
            self.before = self.before | {name: now.get(name, ABSENT) for name in theirs}
            self.modules |= sys.modules.keys()
        self.last = now
        self.found = {key: text for key, text in self.things() if key not in self.there}
        for name in differing(self.before, now):
            was, new = self.before.get(name, ABSENT), now.get(name, ABSENT)
            self.found[name] = f"{name} is {short(new)}, was {short(was)}"
        self.first_seen = {key: self.first_seen.get(key, cell) for key in self.found}

    def tell(self, cell: str, patience: float = 1) -> None:
        """Say on stderr what is left; a thread or a process that is about to end may do so."""
        self.look(cell)
        end = monotonic() + patience
        while self.found and monotonic() < end:
            sleep(0.2)
            self.look(cell)
        for key, text in self.found.items():
            print(f"{text} (first seen after {self.first_seen[key]})", file=self.stderr)
        sys.stderr = self.stderr  # so that what Python has yet to report is heard
        asyncio.get_running_loop().set_exception_handler(None)

    def things(self) -> Found:
        """Yield all that can be left over, as what to know it by and what to say of it."""
        ours = processes(self.mark, self.others)
        told = (about(process) for process in ours)
        memory = shared_memory(self.shared, {process.pid for process in ours})
        return chain(tasks(), threads(), *told, sockets(), files(self.folders), memory)


def tasks() -> Found:
    """Yield the tasks of the kernel's loop, but for the kernel's own.

    From Python 3.14 on each of asyncio's two classes of tasks knows those of its own only, and
    nest_asyncio puts the one in the place of the other.
    """
    others = getattr(asyncio.tasks, "_py_all_tasks", asyncio.all_tasks)
    for task in asyncio.all_tasks() | others():
        code = getattr(task.get_coro(), "cr_code", None)
        if code is None or not code.co_filename.startswith(KERNEL):
            yield ("task", id(task)), f"Task is still pending: {task.get_name()} {task.get_coro()}"


def threads() -> Found:
    """Yield the threads of Python, but for three kinds that last as long as the kernel by design.

    What asyncio.to_thread starts waits for more to do when it is done: it belongs to the loop.
    pyzmq starts one with the kernel's first large output. Dask keeps one to write messages in, and
    a second cluster needs it again.
    """
    pool = getattr(asyncio.get_running_loop(), "_default_executor", None)
    frames = sys._current_frames()
    for thread in threading.enumerate():
        idle = pool and thread in pool._threads and not _at_work(frames.get(thread.ident or 0))
        of_zmq = type(thread).__module__.startswith("zmq.")
        if not idle and not of_zmq and not thread.name.startswith("Dask-Offload"):
            yield ("thread", thread.ident), f"Thread still runs: {thread.name}"


def _at_work(frame: FrameType | None) -> bool:
    """Whether a thread of a pool does what it was given."""
    while frame is not None and frame.f_code is not _WorkItem.run.__code__:
        frame = frame.f_back
    return frame is not None


def processes(mark: str, others: set[int]) -> list[psutil.Process]:
    """Return the processes that the kernel started, and those that they did.

    Who was let go, as servers do, is no child any more, but was given the kernel's folder for
    temporary files. `others` are known to be none of ours, and get more.
    """
    found: list[psutil.Process] = psutil.Process().children(recursive=True)
    for pid in {*psutil.pids()} - others - {process.pid for process in found}:
        with suppress(psutil.NoSuchProcess):
            process, given = psutil.Process(pid), [""]
            with suppress(psutil.AccessDenied):
                given = [process.environ().get("TMPDIR", ""), *process.cmdline()]
            if any(mark in text for text in given):
                found += [process, *process.children(recursive=True)]
            else:
                others.add(pid)
    return found


def about(process: psutil.Process) -> Found:
    """Yield a process, with the ports of which it is the server."""
    with suppress(psutil.NoSuchProcess):
        told = process.as_dict(["cmdline", "name", "status", "net_connections"])
        connections = told.pop("net_connections") or []
        ports = sorted({at.laddr.port for at in connections if at.status == psutil.CONN_LISTEN})
        serves = f"serves at {ports}" if ports else "serves at no port"
        yield ("process", process.pid), f"Process is still there: {process.pid} {serves} {told}"


def shared_memory(used: set[str], ours: set[int]) -> Found:
    """Yield the shared memory that the kernel or one of its processes has, or had at a look before.

    All programs have theirs in one folder, so what is new there need not be the notebook's.
    """
    names = set(os.listdir(SHARED)) if os.path.isdir(SHARED) else set()
    there = "".join(map(maps, (*ours, os.getpid()))) if names else ""
    used |= {name for name in names if os.path.join(SHARED, name) in there}
    for name in sorted(names & used):
        yield (SHARED, name), f"Shared memory is left: {os.path.join(SHARED, name)}"


def maps(pid: int) -> str:
    """Return what a process has in its memory, as Linux tells it."""
    with suppress(OSError), open(f"/proc/{pid}/maps", errors="replace") as file:
        return file.read()
    return ""


def sockets() -> Found:
    """Yield the open sockets, each known by its own address if it has one.

    For a connection to a server that is the server's: so one that somebody makes later to the
    kernel is none of the notebook's.
    """
    for fd in map(int, os.listdir("/dev/fd")):
        with suppress(OSError):  # the one that listed them is closed by now
            status = os.fstat(fd)
            if not stat.S_ISSOCK(status.st_mode):
                continue
            with socket.socket(fileno=os.dup(fd)) as copy:
                address = copy.getsockname()
                told = f"{copy.family.name} {address or '(two in each open event loop)'}"
            if address or sys.platform == "linux":  # elsewhere pyzmq makes some, for its signals
                yield ("socket", address or status.st_ino), f"Socket is still open: {told}"


def files(folders: dict[str, set[str]]) -> Found:
    """Yield what lies in the folders, but for what may."""
    for folder, kept in folders.items():
        for name in sorted(set(os.listdir(folder)) - kept):
            yield (folder, name), f"File is left: {os.path.join(folder, name)}"


def policy() -> object:
    """Return the event-loop policy, which is deprecated from Python 3.14 on."""
    with warnings.catch_warnings(action="ignore"):
        return asyncio.get_event_loop_policy()


def settings() -> dict[str, Any]:
    """Return all that must be as it was, by name."""
    loop = asyncio.get_running_loop()
    backend = getattr(sys.modules.get("matplotlib"), "get_backend", None)
    found = {
        "the running loop": loop,
        "the loop's task factory": loop.get_task_factory(),
        "the loop's exception handler": loop.get_exception_handler(),
        "the loop's debug mode": loop.get_debug(),
        "the event-loop policy": policy(),
        "matplotlib's backend": backend() if backend else os.environ.get("MPLBACKEND"),
        "tracemalloc.is_tracing()": tracemalloc.is_tracing(),
        "os.getcwd()": os.getcwd(),
        "sys.stdout": sys.stdout,
        "sys.stderr": sys.stderr,
    }
    for name in vars(loop).keys() & dir(type(loop)):  # a method put in the place of the class's
        found[f"loop.{name}"] = vars(loop)[name]
    patched: Any
    for patched in asyncio, asyncio.tasks, builtins, threading, time, *type(loop).__mro__[:-1]:
        found |= {f"{patched.__name__}.{name}": value for name, value in vars(patched).items()}
    for number in signal.valid_signals():
        found[f"the handler of signal {number}"] = signal.getsignal(number)
    found |= {f"os.environ[{name!r}]": value for name, value in os.environ.items()}
    found |= {f"warnings.filters {entry}": PRESENT for entry in warnings.filters}
    return found | {f"sys.path {entry!r}": PRESENT for entry in sys.path}


def differing(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return the names that do not have the same value in both."""
    names = sorted(before.keys() | now.keys())
    return [name for name in names if before.get(name, ABSENT) != now.get(name, ABSENT)]
