"""The interpreter's own asyncio tests, filmed: those that pass without a camera pass with one."""

import importlib.util
import json
import os
import sys
import warnings
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
LIMIT = 900  # seconds; all take a third of that
THOROUGH = int(os.environ.get("THOROUGH", "1"))
PART = [
    "test_taskgroups",
    "test_timeouts",
    "test_waitfor",
    "test_locks",
    "test_queues",
    "test_runners",
    "test_tasks.CTask_CFuture_Tests",
    "test_tasks.PyTask_PyFuture_Tests",
    "test_tasks.CTask_CFuture_SubclassTests",
    "test_futures2",
    "test_tasks.CoroutineGatherTests",
    "test_tasks.FutureGatherTests",
]


# Since Python 3.14 it drives a single turn of the loop by hand, and looks at what is left of it: a
# filmed queue lets a task go when the loop comes to the next turn.
BY_NATURE = "test_log_destroyed_pending_task"


def installed() -> bool:
    try:
        return importlib.util.find_spec("test.test_asyncio") is not None
    except ModuleNotFoundError:
        return False


def both(names: list[str], folder: Path) -> list[Any]:
    """How each test ended, and how many lanes were filmed: without a camera, and with one."""
    command = [sys.executable, str(ROOT / "tests/camera/filmed_stdlib.py"), *names]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONASYNCIODEBUG": ""}
    options = {"cwd": folder, "env": env, "stdout": PIPE, "stderr": PIPE, "text": True}
    with Popen(command, **options) as plain, Popen([*command, "--filmed"], **options) as filmed:
        try:
            said = [run.communicate(timeout=LIMIT) for run in (plain, filmed)]
        finally:
            plain.kill()
            filmed.kill()
    assert (plain.returncode, filmed.returncode) == (0, 0), said
    return [json.loads(out.splitlines()[-1]) for out, _ in said]


def unexpected(plain: dict[str, str], filmed: dict[str, str]) -> list[str]:
    """What passes without a camera and fails with one."""
    passed = [name for name, ending in plain.items() if ending == "passed"]
    if sys.version_info >= (3, 14):
        passed = [name for name in passed if not name.endswith(BY_NATURE)]
    return [name for name in passed if filmed.get(name) != "passed"]


@pytest.mark.skipif(not installed(), reason="this Python came without its own tests")
@pytest.mark.parametrize(
    "names",
    [
        pytest.param(PART, id="part"),
        pytest.param(
            [],
            id="all",
            marks=pytest.mark.skipif(THOROUGH < 2, reason="takes minutes: make test-all"),
        ),
    ],
)
@pytest.mark.filterwarnings("default:ended otherwise")
def test_the_same_tests_pass(names: list[str], tmp_path: Path) -> None:
    """All of them.

    A busy machine makes tests fail too, filmed or not. So what ended otherwise, which is told, is
    run alone: three times filmed, and each time it must end as it does without a camera.
    """
    (plain, none), (filmed, lanes) = both(names, tmp_path)
    assert sum(ending == "passed" for ending in plain.values()) > (350 if names else 2_000)
    assert none == 0 and lanes > 1_000
    if strange := unexpected(plain, filmed):
        warnings.warn(f"ended otherwise at first: {strange}", stacklevel=1)
        again = [both(strange, tmp_path) for _ in range(3)]
        assert all(plain[name] == "passed" for (plain, _), _ in again for name in strange)
        assert [unexpected(plain, filmed) for (plain, _), (filmed, _) in again] == [[]] * 3
