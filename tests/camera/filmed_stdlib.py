"""Run the interpreter's own asyncio tests, or those named, filmed or not.

    python filmed.py [--filmed] [test_tasks test_locks.LockTests.test_lock ...]

The last line is JSON: how each test ended, and how many lanes were filmed.
"""

import asyncio
import json
import signal
import sys
import time
import unittest
from typing import Any

from test import support

from helpers.camera import trace

PACKAGE = "test.test_asyncio"
cameras: list[trace.Camera] = []


class Lasting(trace.Camera):
    """Goes on after the first task has ended."""

    def close(self, now: float | None = None) -> None: ...


def film_every_loop() -> None:
    """Have a camera of its own film each event loop that is made from now on."""
    init = asyncio.BaseEventLoop.__init__

    def hooked(loop: Any) -> None:
        init(loop)
        camera = Lasting()
        camera.film_all(loop, time.monotonic)  # some loops have yet to get one
        cameras.append(camera)

    asyncio.BaseEventLoop.__init__ = hooked  # type: ignore[method-assign]


class Endings(unittest.TextTestResult):
    """How each test ended; what fails in one of its parts or in its set-up counts."""

    def startTestRun(self) -> None:
        self.endings: dict[str, str] = {}

    def note(self, test: Any, ending: str) -> None:
        name = getattr(test, "test_case", test).id().removeprefix(PACKAGE + ".")
        if self.endings.get(name, "passed") == "passed":
            self.endings[name] = ending

    def addSuccess(self, test: Any) -> None:
        super().addSuccess(test)
        self.note(test, "passed")

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        self.note(test, "skipped")

    def addFailure(self, test: Any, error: Any) -> None:
        super().addFailure(test, error)
        self.note(test, error[0].__name__)

    addError = addFailure

    def addSubTest(self, test: Any, subtest: Any, error: Any) -> None:
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.note(test, error[0].__name__)


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a job in the background
    support.use_resources = []  # none that take long or need a network
    names = [f"{PACKAGE}.{name}" for name in sys.argv[1:] if name != "--filmed"]
    if "--filmed" in sys.argv:
        film_every_loop()
    suite = unittest.defaultTestLoader.loadTestsFromNames(names or [PACKAGE])
    runner = unittest.TextTestRunner(sys.stderr, resultclass=Endings, buffer=True)
    result: Any = runner.run(suite)
    lanes = sum(len(camera.lanes) for camera in cameras)
    sys.stdout.write("\n" + json.dumps([result.endings, lanes]) + "\n")


if __name__ == "__main__":
    main()
