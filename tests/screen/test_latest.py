"""The latest of what is asked is done, by one thread at a time, and none is left."""

import doctest
import sys
import threading

import pytest

from helpers.screen import latest as module
from helpers.screen.latest import Latest


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(module)
    assert result.attempted and not result.failed


def test_of_what_is_asked_meanwhile_only_the_last_is_done() -> None:
    """The one that has begun is done; of those that wait, the last."""
    begun, go_on, done = threading.Event(), threading.Event(), list[int]()

    def do(number: int) -> None:
        begun.set()
        go_on.wait()
        done.append(number)

    latest = Latest(do)
    latest.ask(0)
    begun.wait()
    for number in range(1, 100):
        latest.ask(number)
    assert not latest.wait_idle(0)
    go_on.set()
    assert latest.wait_idle(20)
    assert done == [0, 99]


def test_from_many_threads_the_last_is_done_and_no_two_at_once() -> None:
    """Whoever asks last, it is done, and afterwards there is no thread."""
    before, together, done = threading.active_count(), list[int](), list[int]()
    lock = threading.Lock()

    def do(number: int) -> None:
        assert lock.acquire(blocking=False)
        done.append(number)
        together.append(threading.active_count())
        lock.release()

    latest = Latest(do)
    asking = [
        threading.Thread(target=lambda: [latest.ask(n) for n in range(500)]) for _ in range(4)
    ]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    latest.ask(-1)
    assert latest.wait_idle(20)
    assert done[-1] == -1 and max(together) <= before + len(asking) + 1
    while threading.active_count() > before:
        pass


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit, BaseException])
def test_what_goes_wrong_is_heard_and_the_next_is_done(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No flag is left set by an exception of any kind."""
    heard, done = list[type[BaseException] | None](), list[str]()
    monkeypatch.setattr(threading, "excepthook", lambda told: heard.append(told.exc_type))

    def do(what: str) -> None:
        if what == "wrong":
            raise error
        done.append(what)

    latest = Latest(do)
    for what in ("wrong", "right", "wrong", "right again"):
        latest.ask(what)
        assert latest.wait_idle(20)
    assert heard == [error, error] and done == ["right", "right again"]


def test_what_was_done_is_let_go() -> None:
    """Neither the request nor its parts live on in an idle one."""
    asked = object()
    latest = Latest[object](lambda what: None)
    before = sys.getrefcount(asked)
    latest.ask(asked)
    assert latest.wait_idle(20)
    while sys.getrefcount(asked) > before:
        pass
