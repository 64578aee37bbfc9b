"""The guard: what strict nbval lets pass by, and must not.

nbval compares what cells put out. It does not see an ExceptionGroup (IPython prints it on stderr
and reports no error), a coroutine that was never awaited, a task that failed with nobody looking,
a task that outlives its notebook, or a cell that was never run, whose outputs it compares to none.
"""

from collections.abc import Generator
from typing import Any

import pytest
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell

TAG = "shows-stderr"  # on a cell that is meant to write on stderr
HEARD = pytest.StashKey[list[str]]()

# Makes Python report at once what it reports when an object is collected.
COLLECT = "__import__('gc').collect();"

# Says on stderr what the notebook leaves behind. Dropping its names makes Python report
# the errors of tasks that were kept but never looked at.
LEAVE = """
def _leave():
    import asyncio, gc, os, sys
    import ipykernel
    kernel = os.path.dirname(ipykernel.__file__)
    for task in asyncio.all_tasks():
        code = getattr(task.get_coro(), "cr_code", None)
        if code is None or not code.co_filename.startswith(kernel):
            print("Task is still pending:", task.get_name(), task.get_coro(), file=sys.stderr)
    get_ipython().reset(new_session=False)
    gc.collect()
_leave()
"""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """After each cell of a notebook, and once more after the last one, listen to stderr."""
    if not isinstance(item, IPyNbCell):
        return (yield)
    if item.cell.execution_count is None:
        item.raise_cell_error("The file holds no run of this cell: make notebooks")
    kernel = item.parent.kernel
    if HEARD not in item.parent.stash:
        item.parent.stash[HEARD] = listen(kernel)
    heard = item.parent.stash[HEARD]
    heard.clear()
    result = yield
    run(kernel, COLLECT)
    if heard and TAG not in item.cell.metadata.get("tags", []):
        item.raise_cell_error(f"Cell wrote on stderr and has no tag {TAG}", "".join(heard))
    heard.clear()
    if item is [other for other in item.session.items if other.parent is item.parent][-1]:
        run(kernel, LEAVE)
        if heard:
            item.raise_cell_error("The notebook leaves something behind", "".join(heard))
    return result


def listen(kernel: RunningKernel) -> list[str]:
    """Return a list that will hold all that comes on stderr, from whichever cell."""
    heard: list[str] = []
    get_message = kernel.get_message

    def hear(stream: str, timeout: float | None = None) -> dict[str, Any]:
        message: dict[str, Any] = get_message(stream, timeout=timeout)
        if message["msg_type"] == "stream" and message["content"]["name"] == "stderr":
            heard.append(message["content"]["text"])
        return message

    kernel.get_message = hear
    return heard


def run(kernel: RunningKernel, code: str) -> None:
    """Run code in the kernel, past the notebook."""
    message = kernel.execute_cell_input(code, allow_stdin=False)
    kernel.await_reply(message, timeout=60)
    kernel.await_idle(message, timeout=60)
