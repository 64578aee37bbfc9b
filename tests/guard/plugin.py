"""The guard: what strict nbval lets pass by, and must not.

nbval compares what cells put out. It does not see an ExceptionGroup (IPython prints it on stderr
and reports no error), a coroutine that was never awaited, a task that failed with nobody looking,
a cell that was never run, whose outputs it compares to none, or what a notebook leaves behind.
"""

import tempfile
from collections.abc import Generator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell

TAG = "shows-stderr"  # on a cell that is meant to write on stderr
ASKS = 'version("ipykernel")'  # in the cell that looks which kernel there is
HEARD = pytest.StashKey[list[str]]()

# In the kernel: start before the first cell, look after each, tell after the last. Dropping the
# notebook's names then makes Python report the errors of tasks that were kept but never looked at.
LEFTOVERS = Path(__file__).with_name("leftovers.py")
START = f"get_ipython().left = __import__('runpy').run_path({str(LEFTOVERS)!r})['Leftovers']()"
LOOK = "get_ipython().left.look({!r})"
TELL = """
get_ipython().left.tell({!r})
get_ipython().reset(new_session=False)
__import__("gc").collect();
"""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the cell that says of a kernel that it is not the course's, where it is not.

    The matrix tests all the others on such kernels.
    """
    if version("ipykernel").startswith("7."):
        asks = [i for i in items if isinstance(i, IPyNbCell) and ASKS in i.cell.source]
        items[:] = [item for item in items if item not in asks]
        config.hook.pytest_deselected(items=asks)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    """Start each kernel with a folder for temporary files, since others use the common one.

    It is reached by files in there. Of ports Jupyter only makes sure that they are free, and lets
    go of them until the kernel begins; on a busy machine another program takes one meanwhile, the
    kernel ends, and nbval waits for it for ever (jupyter_client#276).
    """
    if not isinstance(item, IPyNbCell) or item.parent.kernel is not None:
        return (yield)
    folder = tempfile.TemporaryDirectory(prefix="kernel-", ignore_cleanup_errors=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder.name)
        reached = partial(KernelManager, transport="ipc", ip=f"{folder.name}/kernel")
        patch.setattr("nbval.kernel.KernelManager", reached)
        result = yield
    item.parent.addfinalizer(folder.cleanup)
    return result


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
        run(kernel, START)
    heard = item.parent.stash[HEARD]
    heard.clear()
    result = yield
    run(kernel, LOOK.format(item.name))
    if heard and TAG not in item.cell.metadata.get("tags", []):
        item.raise_cell_error(f"Cell wrote on stderr and has no tag {TAG}", "".join(heard))
    heard.clear()
    if item is [other for other in item.session.items if other.parent is item.parent][-1]:
        run(kernel, TELL.format(item.name))
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
    """Run code in the kernel, past the notebook; it must not fail, or nothing would be guarded."""
    message = kernel.execute_cell_input(code, allow_stdin=False)
    while (reply := kernel.get_message("shell", timeout=60))["parent_header"]["msg_id"] != message:
        pass
    assert reply["content"]["status"] == "ok", reply["content"]
    kernel.await_idle(message, timeout=60)
