"""A kernel survives each of the worst functions: it answers, and finds all as it was.

Each is simulated, awaited with `record` where it would end or could be interrupted without us as
well, and put under a slider; after each cell the kernel answers within two seconds.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from worst.functions import WORST
from worst.kernel import FOLDER, Kernel

NAMES = sorted(WORST, key=lambda name: WORST[name].burns)
if int(os.environ.get("THOROUGH", "1")) < 2:
    NAMES = [name for at, name in enumerate(NAMES) if at % 9 < 5]  # all: make test-all
SIMULATE = """
began = time.perf_counter()
try:
    run = simulate({}, patience=0.5)
finally:
    took = time.perf_counter() - began
run
"""
ANSWER = 2  # real seconds for 1 + 1, whatever else is going on
EXITS = {"SystemExit", "KeyboardInterrupt", "GeneratorExit", "CancelledError"}
TIMES = ("time", "monotonic", "perf_counter", "sleep", "time_ns", "monotonic_ns", "perf_counter_ns")
BEGIN = f"""
import asyncio, builtins, signal, sys, time
sys.path[:0] = [{str(FOLDER.parent)!r}, {str(FOLDER)!r}]
from helpers import explore, record, simulate
from helpers.screen import experiment
from worst.functions import *

assert experiment._PATIENCE
experiment._PATIENCE = 0.5  # real seconds, as below

def world():
    return {{
        "stdout": (sys.stdout, sys.stderr, sys.stdout.closed, sys.stderr.closed),
        "time": [getattr(time, name) for name in {TIMES!r}],
        "signals": [signal.getsignal(which) for which in (signal.SIGINT, signal.SIGTERM)],
        "loop": (loop := asyncio.get_running_loop(), loop.is_running(), loop.get_task_factory()),
        "handler": (loop.get_exception_handler(), "call_soon" in vars(loop), loop.get_debug()),
        "others": (print, len, builtins.isinstance, asyncio.sleep, sys.getrecursionlimit()),
    }}

async def quick(n=1):
    await asyncio.sleep(n)

simulate(quick)
"""
SAME = "[key for key in before if world()[key] != before[key]]"


@pytest.fixture(scope="module")
def kernels() -> Iterator[list[Kernel]]:
    """The kernel that is at work, if there is one."""
    kernels: list[Kernel] = []
    yield kernels
    for kernel in kernels:
        kernel.close()


def check_answer(kernel: Kernel, after: str) -> None:
    """The kernel answers soon, and all that is everybody's is as before."""
    reply = kernel.run("1 + 1", user_expressions={"changed": SAME})
    assert reply["data"]["text/plain"] == "2", after
    assert reply["took"] < ANSWER, f"after {after} it took {reply['took']:.1f} s"
    changed = reply["user_expressions"]["changed"]
    assert changed["data"]["text/plain"] == "[]", f"{after} changed {changed}"


def check_cell(reply: dict[str, Any], code: str) -> None:
    """The cell has a picture and a line, or has left as the program did; it is no flood."""
    if reply["status"] == "error":
        assert reply["ename"] in EXITS, f"{code}: {reply['ename']}: {reply['evalue'][:2000]}"
    else:
        text = reply["data"]["text/plain"]
        assert len(text) < 3_000, code
        seen = "image/png" in reply["data"] or any(f": {kind}" in text for kind in EXITS)
        assert seen, f"{code}: {text}"
    for fault in ("Exception in thread", "RealIO"):
        assert fault not in reply["stderr"], f"{code}: {reply['stderr'][-3000:]}"


@pytest.mark.parametrize("name", NAMES)
def test_the_kernel_lives(name: str, kernels: list[Kernel]) -> None:
    """Whatever is run, there is an answer, and the kernel answers the next question."""
    awaited, burns = WORST[name]
    if not kernels:
        kernels.append(Kernel(BEGIN, "before = world()"))
    (kernel,) = kernels
    try:
        cells = [SIMULATE.format(name)]
        if awaited != "never":
            cells.append(f"await record({name}())")
        cells.append(f"explore({name}, n=(1, 3))")
        for code in cells:
            reply = kernel.run(code, interrupt="record" in code and awaited == "interrupt")
            check_cell(reply, code)
            if "simulate" in code:
                took = float(kernel.run("took")["data"]["text/plain"])  # without the picture
                assert burns or took < 6, f"{name} took {took:.1f} s"
                assert len(reply["stdout"]) < 50_000
            check_answer(kernel, code)
    except BaseException:
        burns = True  # nor is it fit for the next one
        raise
    finally:
        if burns:
            kernels.remove(kernel)
            kernel.close()


TALKERS = {
    "prints and flushes": "print('said', flush=True); sys.stdout.flush()",
    "writes on stderr": "print('said', file=sys.stderr, flush=True); sys.stderr.flush()",
    "logs": "import logging; logging.getLogger('talker').error('said')",
    "warns": "import warnings; warnings.warn('said', stacklevel=1)",
    "prints a traceback": "import traceback; traceback.print_stack(limit=1); print('said')",
    "displays": "from IPython.display import display; display('said')",
    "is reported": "asyncio.get_running_loop().call_exception_handler({'message': 'said'})",
    "fails while it lets go": "type('Said', (), {'__del__': lambda self: 1 / 0})()",
}


@pytest.mark.parametrize("what", TALKERS)
def test_talking_takes_no_time(what: str, kernels: list[Kernel]) -> None:
    """What a kernel does to show what is said is not the program's: nothing of it is refused."""
    if not kernels:
        kernels.append(Kernel(BEGIN, "before = world()"))
    (kernel,) = kernels
    defined = f"async def talk(n=1):\n    {TALKERS[what]}\n    await asyncio.sleep(0.01)"
    assert kernel.run(defined)["status"] == "ok"
    reply = kernel.run("simulate(talk)")
    assert reply["data"]["text/plain"].startswith("10 ms"), reply["data"]["text/plain"]
    assert "RealIO" not in reply["stderr"], reply["stderr"]
    assert "(real)" in kernel.run("await record(talk())")["data"]["text/plain"]
    check_answer(kernel, what)


def test_they_are_many() -> None:
    """There are at least forty, and most can be awaited in a cell."""
    assert len(NAMES) >= 40
    assert sum(each.awaited != "never" for each in WORST.values()) >= 30
