"""What each kernel that runs apart begins with.

A kernel that it starts is reached by files, not by ports, which another program may take while it
starts (jupyter_client#276).

One that is restarted finds requests that wait for it, and would lose those that come before it has
made the lock that they take (ipykernel#1567): it has one from the beginning.

And those that the course shuts out are mended: ipykernel 7.0 to 7.3 can miss a request that comes
while they send a reply, and then hang until another connection is made (ipykernel#1554). So that
all else can be tested on them, they get what 7.4.0 does.
"""

import asyncio
import functools
import os
import tempfile

import ipykernel
from jupyter_client import manager

if os.name != "nt":
    manager.AsyncKernelManager = functools.partial(
        manager.AsyncKernelManager,
        transport="ipc",
        ip=os.path.join(tempfile.gettempdir(), f"second-{os.getpid()}"),
    )

get_ipython().kernel._control_lock = asyncio.Lock()  # noqa: F821

if (7, 0) <= ipykernel.version_info[:2] < (7, 4):
    from ipykernel.subshell_manager import SubshellManager

    def send(manager, message):
        get_ipython().kernel.shell_stream.send_multipart(message)  # noqa: F821

    SubshellManager._send_on_shell_channel = send
    del SubshellManager, send

del asyncio, functools, ipykernel, manager, os, tempfile
