"""A kernel of Jupyter to run cells in, one after the other."""

import queue
import tempfile
import time
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager

FOLDER = Path(__file__).parent.parent
PATIENT = 60  # real seconds after which a cell counts as one that never ends


class Kernel:
    """A kernel of Jupyter, reached by files."""

    def __init__(self, *cells: str) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="kernel-", ignore_cleanup_errors=True)
        self.manager = KernelManager(transport="ipc", ip=f"{self.folder.name}/kernel")
        self.manager.start_kernel()
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENT)
        for code in cells:
            reply = self.run(code)
            assert reply["status"] == "ok", reply

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.folder.cleanup()

    def run(self, code: str, *, interrupt: bool = False, **asked: Any) -> dict[str, Any]:
        """Run a cell; return its reply, with what it showed and wrote, and how long it took."""
        start = time.monotonic()
        mine = self.client.execute(code, allow_stdin=False, **asked)
        shown: dict[str, Any] = {"stdout": "", "stderr": "", "data": {}}
        idle = False
        while not idle:
            if time.monotonic() > start + PATIENT:
                raise AssertionError(f"no answer to {code!r}")
            if not self.manager.is_alive():
                raise AssertionError(f"the kernel died of {code!r}: {shown['stderr'][-2000:]}")
            if interrupt and time.monotonic() > start + 0.4:
                self.manager.interrupt_kernel()
                interrupt = False
            try:
                message = self.client.get_iopub_msg(timeout=0.1)
            except queue.Empty:
                continue
            kind, content = message["msg_type"], message["content"]
            if message["parent_header"].get("msg_id") != mine:
                continue  # of a cell before
            if kind == "stream":
                shown[content["name"]] += content["text"]
            elif kind in ("execute_result", "display_data"):
                shown["data"] |= content["data"]
            elif kind == "status":
                idle = content["execution_state"] == "idle"
        while (reply := self.client.get_shell_msg(timeout=PATIENT))["parent_header"][
            "msg_id"
        ] != mine:
            pass
        return reply["content"] | shown | {"took": time.monotonic() - start}
