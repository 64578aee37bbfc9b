"""Open JupyterLab on the learner's first notebook; arguments are JupyterLab's own.

Usage: python tools/lab.py [argument ...]        (such as --no-browser or --port 9999)
"""

import argparse
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import check
import learner

PATIENCE = 5.0  # seconds without a word
ROOT = Path(__file__).resolve().parent.parent
# What the course asks of Jupyter: to name the address and what goes wrong, and no more; no news
# over a notebook; none of Voilà, which tests install, and which takes seconds.
SETTINGS = Path(__file__).with_name("jupyter")
# Whatever folder and page the user's own configuration of Jupyter asks for.
COURSE = [
    f"--ServerApp.root_dir={ROOT}",
    f"--ServerApp.preferred_dir={ROOT}",
    f"--FileContentsManager.root_dir={ROOT}",
    "--FileContentsManager.preferred_dir=",
    "--ServerApp.file_to_run=",
    f"--LabApp.default_url=/lab/tree/learn/{learner.FIRST}",
    f"--LabApp.extra_labextensions_path={SETTINGS / 'labextensions'}",
]
# Jupyter's own business, which only its makers can mend.
QUIET = ["-W", "ignore:ServerApp.token config is deprecated:DeprecationWarning"]


def taken(host: str, port: int) -> bool:
    """Tell whether somebody already listens there."""
    for family, *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        try:
            socket.create_server(address[:2], family=family).close()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
    return False


def command(arguments: list[str]) -> list[str]:
    """Return the command to run; exit with a sentence if the port that was asked for is taken."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--port", "--ServerApp.port", type=int)
    parser.add_argument("--ip", "--ServerApp.ip", default="localhost")
    asked, _ = parser.parse_known_args(arguments)
    if asked.port and taken(asked.ip, asked.port):
        sys.exit(
            f"Port {asked.port} is taken: ask for another, as in make lab "
            f'ARGS="--port {asked.port + 1}", or for none, and a free one is found.'
        )
    run = [sys.executable, *QUIET, "-m", "jupyterlab", *COURSE]
    if asked.port:
        run.append("--ServerApp.port_retries=0")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        run.append("--allow-root")  # in a container one often is; only this machine can connect
    return run + arguments


def environment() -> dict[str, str]:
    """Return this process's environment, with the course's settings of JupyterLab."""
    paths = [str(SETTINGS), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    return os.environ | {"JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}


def start(run: list[str]) -> int:
    """Run JupyterLab to its end, and say that it is starting while it is; return its exit code."""
    from jupyter_core.paths import jupyter_runtime_dir

    begun = said = time.monotonic()
    print("JupyterLab is starting.", flush=True)
    with subprocess.Popen(run, env=environment()) as lab:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # JupyterLab hears it, too, and asks
        signal.signal(signal.SIGTERM, lambda *_: lab.terminate())
        threading.Thread(target=learner.trust, daemon=True).start()
        up = Path(jupyter_runtime_dir(), f"jpserver-{lab.pid}.json")
        while lab.poll() is None and not up.exists():
            time.sleep(0.2)
            if time.monotonic() - said > PATIENCE:
                said = time.monotonic()
                print(f"JupyterLab is starting ({said - begun:.0f} s).", flush=True)
        return lab.wait()


if __name__ == "__main__":
    if find_spec("jupyterlab") is None:
        check.main()  # says what is missing, and what mends it
        sys.exit(1)
    run = command(sys.argv[1:])
    for line in learner.prepare():
        print(line, flush=True)
    if not (learner.LEARN / learner.FIRST).exists():
        sys.exit(1)
    sys.exit(start(run))
