"""The corpus in cells of a notebook: `await main()` beside `await record(main())`.

There the loop, its tasks and its exception handler are the kernel's, and a program's exit must
leave the kernel alive. What a cell prints, returns and fails with is the same.
"""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
from worst.kernel import FOLDER, Kernel

from corpus import deadlocks, errors, exits, generators, groups, libraries, locks, refused, tasks
from corpus.registry import PROGRAMS, Program

MODULES = (deadlocks, errors, exits, generators, groups, libraries, locks, refused, tasks)
# These end a kernel, or hang it, without us as well: they leave the loop, cancel what is the
# kernel's, or fail with what IPython cannot show.
FATAL = {
    "cancel_everything",
    "cancel_all_the_others",
    "shut_down_like_a_server",
    "generator_exit_in_a_task",
    "keyboard_interrupt_in_a_callback",
    "keyboard_interrupt_in_a_task",
    "sys_exit_in_a_callback",
    "sys_exit_in_a_group",
    "sys_exit_in_a_task",
    "sys_exit_in_a_task_beside_main",
    "main_cancels_itself_and_returns",
    "an_error_without_text",
    "an_error_whose_text_fails",
}
# A difference that stays: a context variable tells the program's prints from those of others.
CONTEXT = {"generators.the_context_holds_what_was_set"}
BEGIN = f"""
import asyncio, gc, sys
sys.path[:0] = [{str(FOLDER.parent)!r}, {str(FOLDER)!r}]
from helpers import record
handler = asyncio.get_running_loop().get_exception_handler()
""" + "\n".join(f"import {module.__name__}" for module in MODULES)
AFTER = """
asyncio.get_running_loop().set_exception_handler(handler)
asyncio.get_running_loop().set_debug(False)
asyncio.get_running_loop().set_task_factory(None)
result = run = None
_ = gc.collect()
"""
HERE = [
    program
    for program in PROGRAMS
    if program.runs_here
    and not program.deadlock
    and program.main.__name__ not in FATAL
    and "len(asyncio.all_tasks" not in inspect.getsource(program.main)  # the kernel's come and go
    and program.main.__module__ in {module.__name__ for module in MODULES}
]


@pytest.fixture(scope="module")
def kernels() -> Iterator[list[Kernel]]:
    """The kernel that is at work, if there is one."""
    kernels: list[Kernel] = []
    yield kernels
    for kernel in kernels:
        kernel.close()


def seen(kernel: Kernel, code: str) -> dict[str, Any]:
    """What a cell, and the tidying up after it, tell."""
    reply, after = kernel.run(code), kernel.run(AFTER)
    assert after["status"] == "ok", after
    if "Group" in reply.get("ename", ""):  # IPython prints it, with who called the program
        own = re.findall(r'corpus/\w+\.py", line .*|^ *[+|] *\w+: .*', reply["stderr"], flags=re.M)
        reply["stderr"] = "\n".join(own)
    return {
        "error": (reply.get("ename", ""), plain(reply.get("evalue", ""))),
        "output": plain(reply["stdout"]),
        "stderr": plain(reply["stderr"] + after["stderr"]),
    }


def plain(text: str) -> str:
    """Text without addresses and durations, its tasks numbered from 1, its cells without names."""
    text = re.sub(r"0x[0-9a-f]+", "0x…", text)
    text = re.sub(r"\b(took |when=)[\d.]+", r"\1…", text)
    text = re.sub(
        r'/tmp/ipykernel_\d+/\d+\.py|"<ipython-input[^"]*"|line \d+, in <module>', "…", text
    )
    numbers = sorted({int(number) for number in re.findall(r"\bTask-(\d+)", text)})
    return re.sub(r"\bTask-(\d+)", lambda found: f"Task-{numbers.index(int(found[1])) + 1}", text)


@pytest.mark.parametrize("program", HERE, ids=lambda program: program.name)
def test_record_in_a_cell(program: Program, kernels: list[Kernel]) -> None:
    """Recorded in a cell it is the program that is awaited there."""
    if not kernels:
        kernels.append(Kernel(BEGIN))
    (kernel,) = kernels
    call = f"{program.main.__module__}.{program.main.__name__}()"
    try:
        awaited = seen(kernel, f"result = await {call}\nprint(repr(result))")
        filmed = seen(kernel, f"run = await record({call})\nprint(repr(run.result))")
        if awaited != filmed:  # a busy machine may have mixed up the steps
            awaited = seen(kernel, f"result = await {call}\nprint(repr(result))")
        if program.name in CONTEXT:
            assert filmed != awaited
        else:
            assert filmed == awaited
    except BaseException:
        kernels.remove(kernel)  # it may not be fit for the next one
        kernel.close()
        raise
