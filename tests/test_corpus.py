"""The corpus: programs as others write them, run plainly, by `simulate` and by `record`.

The camera adds nothing: what a program prints, returns, fails with and leaves behind is the same
each time, and so is what Python reports of it. What cannot be fast-forwarded is refused by name.
Differences that stay are listed here, each with its reason; one that is not listed fails, and so
does a listed one that is there no more.
"""

import asyncio
import builtins
import contextvars
import datetime
import gc
import io
import logging
import re
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import psutil
import pytest
from corpus.registry import PROGRAMS, Main, Program

from helpers import Run, record, simulate
from helpers.camera import Deadlock, RealIO

FOLDER = Path(__file__).parent / "corpus"
for path in sorted(FOLDER.glob("*.py")):
    if not path.stem.startswith("test_"):
        import_module(f"corpus.{path.stem}")
HERE = [program for program in PROGRAMS if program.runs_here]
EXITS = (KeyboardInterrupt, SystemExit, GeneratorExit)
LIMIT = 10  # real seconds for one way of running one program


class Known(NamedTuple):
    """A difference that stays."""

    program: str
    way: str
    aspect: str
    reason: str


PRINTS = "what a program prints is told from what others print by a context variable"
KNOWN = [
    Known("generators.the_context_holds_what_was_set", "simulate", "output", PRINTS),
    Known("generators.the_context_holds_what_was_set", "record", "output", PRINTS),
]


Seen: TypeAlias = dict[str, Any]


@dataclass
class Told:
    """What is seen of a program from outside."""

    number: int
    """Of the last task before it: tasks are numbered on through a process."""
    out: io.StringIO = field(default_factory=io.StringIO)
    err: io.StringIO = field(default_factory=io.StringIO)
    reports: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)

    def plain(self, text: Any) -> str:
        """Text without what differs from run to run: addresses, numbers of tasks, durations."""
        text = re.sub(r"0x[0-9a-f]+", "0x…", str(text))
        text = re.sub(r"\bTask-(\d+)", lambda found: f"Task-{int(found[1]) - self.number}", text)
        if re.search("Object created at|SystemExit|KeyboardInterrupt", text):
            # It tells of those, too, who called the loop: they are not the program's.
            text = re.sub(rf'  File "(?!{re.escape(str(FOLDER))}).*\n(    .*\n)*', "", text)
        return re.sub(r"\b(took |when=)[\d.]+", r"\1…", text)

    def seen(self) -> Seen:
        return {
            "output": self.plain(self.out.getvalue()),
            "stderr": self.plain(self.err.getvalue()),
            "reports": [self.plain(report) for report in self.reports],
            "warnings": [self.plain(text) for text in self.warned],
        }


class Late(BaseException):
    """It did not end in time."""


@contextmanager
def watched() -> Iterator[Told]:
    """Hear all that a program says, and all that Python says of it."""
    told = Told(last_task())

    def unraisable(hooked: Any) -> None:
        told.reports.append(f"unraisable: {hooked.err_msg} {describe(hooked.exc_value)}")

    def in_thread(hooked: Any) -> None:
        told.reports.append(f"in a thread: {describe(hooked.exc_value)}")

    def late(*_: Any) -> None:
        raise Late

    handler = logging.Handler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    handler.emit = lambda log: told.reports.append(handler.format(log))  # type: ignore[method-assign]
    logger = logging.getLogger("asyncio")
    with (
        pytest.MonkeyPatch.context() as patch,
        warnings.catch_warnings(record=True) as caught,
        redirect_stdout(told.out),
        redirect_stderr(told.err),
    ):
        warnings.simplefilter("always")
        patch.setattr(sys, "unraisablehook", unraisable)
        patch.setattr(threading, "excepthook", in_thread)
        patch.setattr(logger, "propagate", False)
        logger.addHandler(handler)
        signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, LIMIT, 1)
        gc.disable()  # when it comes is chance
        try:
            yield told
            gc.collect()
        finally:
            gc.enable()
            signal.setitimer(signal.ITIMER_REAL, 0)
            logger.removeHandler(handler)
    told.warned += [f"{each.category.__name__}: {each.message}" for each in caught]


def last_task() -> int:
    """The number of a task that is made now."""
    loop = asyncio.new_event_loop()
    try:
        task = loop.create_task(asyncio.sleep(0))
        loop.run_until_complete(task)
    finally:
        loop.close()
    return int(task.get_name().removeprefix("Task-"))


def describe(error: BaseException | None) -> str:
    """An error by type, arguments and notes; its own methods are not to be trusted."""
    if error is None:
        return ""
    try:
        args = str(BaseException.__getattribute__(error, "args"))
    except RecursionError:
        args = "(deep)"
    return f"{type(error).__qualname__}{args[:500]}{getattr(error, '__notes__', '')}"


def frames(error: BaseException | None) -> list[Any]:
    """The program's own frames in the traceback of an error and of those that it comes from."""
    found: list[Any] = []
    todo, known = [error], set()
    while todo:
        if (error := todo.pop()) is None or id(error) in known:
            continue
        known.add(id(error))
        walked = traceback.walk_tb(error.__traceback__)
        own = [(f.f_code.co_name, n) for f, n in walked if FOLDER.name == parent(f.f_code)]
        found.append((describe(error)[:80], own))
        todo += [error.__cause__, error.__context__]
        if isinstance(error, BaseExceptionGroup):
            todo += error.exceptions
    return found


def alone(error: BaseException) -> bool:
    """Whether no other error is told before this one."""
    return error.__cause__ is None and (error.__context__ is None or error.__suppress_context__)


def parent(code: Any) -> str:
    return Path(code.co_filename).parent.name


@pytest.fixture(scope="module", autouse=True)
def frozen() -> Iterator[None]:
    """Let garbage collection pass by all that was there before: it is asked for at each run."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


# --- The three ways -------------------------------------------------------------------------


async def plainly(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return await coroutine


async def outer(way: Callable[..., Any], main: Main) -> Any:
    """A script's own coroutine, that awaits the program."""
    return await way(main())


def run(call: Callable[[], Any]) -> Seen:
    """Run a program by `call`; return all that was seen of it."""
    with watched() as told:
        seen = ended(call)
    for aspect in ("result", "error", "traceback"):
        seen[aspect] = told.plain(seen[aspect])
    return {**seen, **told.seen(), "raw": told.out.getvalue()}


def ended(call: Callable[[], Any]) -> Seen:
    """How a program ended; nothing of it is kept."""
    raised: BaseException | None = None
    result = None
    before, there = world(), set(threading.enumerate())
    try:
        result = contextvars.Context().run(call)
    except BaseException as error:
        raised = error
    for thread in set(threading.enumerate()) - there:  # it may be on its way out
        thread.join(1)
    after = world()
    film = result if isinstance(result, Run) else None
    error = raised if film is None else film.error
    seen: Seen = {
        "error": describe(error),
        "traceback": frames(error),
        "world": {key: after[key] for key in before if after[key] != before[key]},
        "told": str(error) if isinstance(error, (RealIO, Deadlock)) else "",
        "refused": isinstance(error, RealIO),
        "deadlock": isinstance(error, Deadlock),
        "kept": film is not None and isinstance(error, EXITS),
        "chained": isinstance(error, RealIO) and not alone(error),
        "repr": "" if film is None else repr(film),
        "lanes": 0 if film is None else len([film.root, *film.lanes]),
    }
    value = result if film is None else None if error is not None else film.result
    return {"result": repr(value), **seen}


def world() -> Seen:
    """What a program shares with all others, and must find and leave as it is."""
    clocks = ("time", "monotonic", "perf_counter", "sleep", "localtime", "gmtime", "strftime")
    names = ("sleep", "create_task", "gather", "wait_for", "Task", "Future", "run")
    return {
        "time": {n: getattr(time, n) for n in (*clocks, *(f"{n}_ns" for n in clocks[:3]))},
        "datetime": (datetime.datetime, datetime.date),
        "streams": (sys.stdin, sys.stdout, sys.stderr, builtins.print),
        "hooks": (sys.excepthook, sys.unraisablehook, threading.excepthook, sys.gettrace()),
        "generators": (sys.get_asyncgen_hooks(), sys.get_coroutine_origin_tracking_depth()),
        "loop": asyncio._get_running_loop(),
        "asyncio": {name: getattr(asyncio, name) for name in names},
        "tasks": {name: getattr(asyncio.tasks, name) for name in names[:4]},
        "signals": [signal.getsignal(which) for which in (signal.SIGINT, signal.SIGUSR1)],
        "threads": {thread.name for thread in threading.enumerate()},
        "ports": {c.laddr for c in psutil.Process().net_connections() if c.status == "LISTEN"},
    }


def in_a_script(program: Program) -> Seen:
    return run(lambda: asyncio.run(program.main()))


def awaited(program: Program) -> Seen:
    return run(lambda: asyncio.run(outer(plainly, program.main)))


def simulated(program: Program) -> Seen:
    return run(lambda: simulate(program.main))


def recorded(program: Program) -> Seen:
    return run(lambda: asyncio.run(outer(record, program.main)))


# --- What must hold -------------------------------------------------------------------------

COMPARED = ("output", "result", "error", "traceback", "reports", "warnings", "stderr")


def compare(plain: Callable[[Program], Seen], filmed: Seen, program: Program) -> Iterator[str]:
    """Yield each aspect in which a filmed run is unlike a plain one.

    In real time a busy machine may mix up two steps of a plain program, too: so it is compared
    with some more plain runs before it is said to differ.
    """
    seen = plain(program)
    assert not seen["world"], "the plain program itself does not tidy up"
    different = [aspect for aspect in COMPARED if seen[aspect] != filmed[aspect]]
    for _ in range(2 * bool(different)):
        again = plain(program)
        different = [aspect for aspect in different if again[aspect] != filmed[aspect]]
    for aspect in different:
        yield f"{aspect}: plain {seen[aspect]!r:.2000}, but filmed {filmed[aspect]!r:.2000}"


def check_film(filmed: Seen, program: Program) -> Iterator[str]:
    """Yield what is wrong with a run, whatever the program."""
    if filmed["world"]:
        yield f"world: not as before: {filmed['world']}"
    if filmed["kept"]:
        yield f"exit: {filmed['error']} did not leave by the caller"
    if len(filmed["repr"]) > 1_000 or "\n" in filmed["repr"]:
        yield f"repr: no short line: {filmed['repr']:.200}"


def check_simulated(program: Program) -> Iterator[str]:
    """Yield what is wrong with a program on the fast-forward clock."""
    filmed = simulated(program)
    yield from check_film(filmed, program)
    if program.refused or (program.told and filmed["refused"]):
        if not filmed["refused"] or not re.search(program.refused, filmed["told"]):
            yield f"refusal: of {program.refused}, but it ended in {filmed['error']}"
        if filmed["chained"]:
            yield "refusal: another error stands behind it"
        for aspect in ("reports", "warnings", "stderr"):
            if filmed[aspect]:
                yield f"{aspect}: {filmed[aspect]}"
    elif program.deadlock:
        if not filmed["deadlock"]:
            yield f"deadlock: it ended in {filmed['error']}"
        missing = [words for words in program.deadlock if words not in filmed["told"]]
        if missing:
            yield f"deadlock: {missing} is not in {filmed['told']!r}"
        if filmed["stderr"]:
            yield f"stderr: {filmed['stderr']}"
    else:
        yield from compare(in_a_script, filmed, program)
        missing = [words for words in program.took if words not in filmed["raw"]]
        if missing:
            yield f"clock: {missing} is not in {filmed['raw']!r}"


def check_recorded(program: Program) -> Iterator[str]:
    """Yield what is wrong with a program that is filmed in real time."""
    filmed = recorded(program)
    yield from check_film(filmed, program)
    yield from compare(awaited, filmed, program)


def check_known(way: str, program: Program, differences: list[str]) -> None:
    """Fail on a difference that is not listed, and on a listed one that is not there."""
    listed = {row.aspect for row in KNOWN if (row.program, row.way) == (program.name, way)}
    aspects = {difference.partition(":")[0] for difference in differences}
    new = [text for text in differences if text.partition(":")[0] not in listed]
    assert not new, "\n".join([f"{program.name} by {way} is not the plain program:", *new])
    assert listed <= aspects, f"{program.name} by {way}: no longer differs in {listed - aspects}"


@pytest.mark.parametrize("program", HERE, ids=lambda program: program.name)
def test_simulate(program: Program) -> None:
    """On the fast-forward clock it is the plain program, or is refused, or stands still."""
    check_known("simulate", program, list(check_simulated(program)))


@pytest.mark.parametrize(
    "program", [p for p in HERE if not p.deadlock], ids=lambda program: program.name
)
def test_record(program: Program) -> None:
    """Filmed in real time it is the plain program."""
    check_known("record", program, list(check_recorded(program)))


# --- That the above means something -----------------------------------------------------------


def test_the_corpus_is_large() -> None:
    """There are many programs, of each kind, and each has a name of its own."""
    names = [program.name for program in PROGRAMS]
    assert len(set(names)) == len(names) >= 200
    assert sum(bool(program.refused) for program in PROGRAMS) >= 30
    assert sum(bool(program.deadlock) for program in PROGRAMS) >= 15


def test_known_differences_are_of_the_corpus() -> None:
    """Each listed difference is of a program that is there, is listed once, and has a reason."""
    names = {program.name for program in PROGRAMS}
    assert {row.program for row in KNOWN} <= names
    assert len({row[:3] for row in KNOWN}) == len(KNOWN)
    assert all(row.way in ("simulate", "record") and row.reason for row in KNOWN)


def spoilt(*, quiet: bool = False, late: bool = False, task: bool = False) -> Main:
    """A program that behaves otherwise when it is run otherwise."""

    async def main() -> str:
        if task:
            asyncio.create_task(asyncio.sleep(0))  # noqa: RUF006
        print(len(asyncio.all_tasks()))  # noqa: T201
        if not quiet:
            warnings.warn("heard", stacklevel=1)
        if late:
            raise ValueError("late")
        return "result"

    return main


@pytest.mark.parametrize(
    ("way", "aspects"),
    [
        ({"quiet": True}, {"warnings"}),
        ({"late": True}, {"error", "result", "traceback"}),
        ({"task": True}, {"output"}),
    ],
)
def test_differences_are_seen(way: dict[str, bool], aspects: set[str]) -> None:
    """A run that says more, fails, or has a task more is not taken for the plain one."""
    plain, other = Program(spoilt()), Program(spoilt(**way))
    found = {text.partition(":")[0] for text in compare(in_a_script, in_a_script(other), plain)}
    assert found == aspects
    assert not list(compare(in_a_script, in_a_script(plain), plain))
    with pytest.raises(AssertionError, match="is not the plain program"):
        check_known("simulate", plain, [f"{aspect}: other" for aspect in found])


def test_a_difference_that_is_gone_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of the table that holds no more must be taken out."""
    program = HERE[0]
    monkeypatch.setattr("test_corpus.KNOWN", [Known(program.name, "record", "output", "because")])
    with pytest.raises(AssertionError, match="no longer differs in"):
        check_known("record", program, [])
