"""Prints of a program are collected in order and bounded; those of others go where they went."""

# ruff: noqa: T201 - printing is what is tested

import asyncio
import contextlib
import contextvars
import doctest
import io
import sys
import threading
from collections.abc import Iterator

import pytest

from helpers.camera import prints
from helpers.camera.prints import BoundedText, collected


@contextlib.contextmanager
def a_screen() -> Iterator[io.StringIO]:
    """Put in place of the notebook's own stdout; it must be there still at the end."""
    with contextlib.redirect_stdout(io.StringIO()) as stream:
        yield stream
        assert sys.stdout is stream


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(prints)
    assert result.attempted and not result.failed


def test_collected_in_order() -> None:
    """What is printed inside is collected, what is printed before and after is not."""
    with a_screen() as screen:
        print("before")
        with collected() as text:
            print("one")
            print("two", end="")
            sys.stdout.write("!\n")
            print("to the stream itself", file=screen)
        print("after")
        assert text.value() == "one\ntwo!\n"
        assert screen.getvalue() == "before\nto the stream itself\nafter\n"


def test_nested() -> None:
    """The inner collection has its own; the outer goes on after it."""
    with a_screen() as screen:
        with collected() as outer:
            print("a")
            with collected() as inner:
                print("b")
            print("c")
        assert (outer.value(), inner.value(), screen.getvalue()) == ("a\nc\n", "b\n", "")


def test_errors_go_through() -> None:
    """After an error the text is kept, and stdout is what it was."""
    with a_screen() as screen:
        with pytest.raises(ValueError), collected() as text:
            print("so far")
            raise ValueError
        print("after")
        assert (text.value(), screen.getvalue()) == ("so far\n", "after\n")


@pytest.mark.parametrize(
    ("lines", "left_out"), [(1, 0), (1_999, 0), (2_000, 0), (2_001, 1), (3_500, 1_500)]
)
def test_bounded(lines: int, left_out: int) -> None:
    """No more than 20,000 characters are kept, and the text says how many lines were left out."""
    text = BoundedText()
    for i in range(lines):
        assert text.write(f"line {i:4}\n") == 10
    kept = "".join(f"line {i:4}\n" for i in range(lines - left_out))
    more = f"\n… {left_out:,} more lines\n" if left_out else ""
    assert text.value() == kept + more


def test_bounded_within_one_write() -> None:
    """Also one long write is cut, at the character."""
    text = BoundedText()
    text.write("x" * (BoundedText.MOST - 1))
    text.write("yz\nmore\n")
    assert text.value() == "x" * (BoundedText.MOST - 1) + "y\n… 2 more lines\n"


def test_other_threads_are_left_alone() -> None:
    """What another thread prints meanwhile lands where it would; each collection has its own."""
    with a_screen() as screen:
        collecting, printed = threading.Event(), threading.Event()
        texts: dict[str, str] = {}

        def bystander() -> None:
            assert collecting.wait(10)
            print("bystander")
            printed.set()

        def collect(name: str) -> None:
            with collected() as text:
                for i in range(200):
                    print(name, i)
            texts[name] = text.value()

        thread = threading.Thread(target=bystander)
        thread.start()
        with collected() as text:
            print("mine, before")
            collecting.set()
            assert printed.wait(10)
            print("mine, after")
            others = [threading.Thread(target=collect, args=(name,)) for name in "abc"]
            for other in others:
                other.start()
            for other in others:
                other.join()
        thread.join()
        assert text.value() == "mine, before\nmine, after\n"
        assert screen.getvalue() == "bystander\n"
        for name in "abc":
            assert texts[name] == "".join(f"{name} {i}\n" for i in range(200))


def test_threads_that_inherit_the_context() -> None:
    """What a program's own threads and tasks print is the program's."""
    with a_screen() as screen:

        async def task() -> None:
            print("task")

        async def main() -> None:
            print("main")
            await asyncio.create_task(task())
            await asyncio.to_thread(print, "thread")

        with collected() as text:
            asyncio.run(main())
            context = contextvars.copy_context()
            thread = threading.Thread(target=context.run, args=(print, "late"))
            thread.start()
            thread.join()
        assert text.value() == "main\ntask\nthread\nlate\n"
        assert screen.getvalue() == ""


def test_overlapping_ends() -> None:
    """Of two collections at once the first to begin may end first; stdout is put back last."""
    with a_screen() as screen:
        begun, go_on = threading.Event(), threading.Event()
        texts = []

        def second() -> None:
            with collected() as text:
                begun.set()
                assert go_on.wait(10)
                print("second")
            texts.append(text.value())

        thread = threading.Thread(target=second)
        with collected() as text:
            thread.start()
            assert begun.wait(10)
            print("first")
        assert sys.stdout is not screen
        print("outside")
        go_on.set()
        thread.join()
        assert (text.value(), texts, screen.getvalue()) == ("first\n", ["second\n"], "outside\n")


def test_stdout_changed_inside() -> None:
    """A program that puts its own stdout in place finds it still there."""
    with a_screen() as screen:
        other = io.StringIO()
        with collected() as text:
            sys.stdout = other
            print("elsewhere")
        assert sys.stdout is other
        sys.stdout = screen
        assert (text.value(), other.getvalue()) == ("", "elsewhere\n")


def test_the_rest_of_stdout_is_there() -> None:
    """What else a stream can do, it does meanwhile."""
    with a_screen() as screen:
        with collected():
            print("flushed", flush=True)
            assert sys.stdout.encoding == screen.encoding
            assert sys.stdout.getvalue() == ""
            assert not sys.stdout.closed
