"""The checks of notebook 04: they tell a right answer from a plausible one."""

import asyncio
import re
import time
from typing import Any

import pytest

from helpers.checks.exceptions import check_load_or_default, check_try_again

LOST = (ConnectionError, TimeoutError)

# --- load_or_default ---


async def default_by_timeout(load, file, seconds, default):
    try:
        async with asyncio.timeout(seconds):
            return await load(file)
    except LOST:
        return default


async def default_by_wait_for(load, file, seconds, default):
    try:
        return await asyncio.wait_for(load(file), seconds)
    except LOST:
        return default


async def default_but_missing(load, file, seconds, default):
    """The other right set: what may pass, of all that the system says."""
    try:
        return await asyncio.wait_for(load(file), seconds)
    except FileNotFoundError:
        raise
    except OSError:
        return default


async def default_everything(load, file, seconds, default):
    try:
        return await asyncio.wait_for(load(file), seconds)
    except Exception:
        return default


async def default_os_errors(load, file, seconds, default):
    try:
        return await asyncio.wait_for(load(file), seconds)
    except OSError:
        return default


async def default_returns_errors(load, file, seconds, default):
    try:
        return await default_by_timeout(load, file, seconds, default)
    except Exception as error:
        return error


async def default_stub(load, file, seconds, default):
    return await load(file)


async def default_no_errors(load, file, seconds, default):
    try:
        async with asyncio.timeout(seconds):
            return await load(file)
    except TimeoutError:
        return default


async def default_no_limit(load, file, seconds, default):
    try:
        return await load(file)
    except LOST:
        return default


async def default_or(load, file, seconds, default):
    return await default_by_timeout(load, file, seconds, None) or default


async def default_swallows(load, file, seconds, default):
    try:
        async with asyncio.timeout(seconds):
            return await load(file)
    except (*LOST, asyncio.CancelledError):
        return default


async def default_swallows_inside(load, file, seconds, default):
    async with asyncio.timeout(seconds):
        try:
            return await load(file)
        except (*LOST, asyncio.CancelledError):
            return default


async def default_try_inside(load, file, seconds, default):
    async with asyncio.timeout(seconds):
        try:
            return await load(file)
        except LOST:
            return default


async def default_wrong_kind(load, file, seconds, default):
    """Its try stands where it should, but waits for what never gets there."""
    try:
        async with asyncio.timeout(seconds):
            return await load(file)
    except (ConnectionError, asyncio.CancelledError):
        return default


async def default_second_attempt(load, file, seconds, default):
    try:
        return await asyncio.wait_for(load(file), seconds)
    except LOST:
        return await load(file)


async def default_plain_with(load, file, seconds, default):
    try:
        with asyncio.timeout(seconds):
            return await load(file)
    except LOST:
        return default


async def default_looks_late(load, file, seconds, default):
    loop = asyncio.get_running_loop()
    start = loop.time()
    try:
        data = await load(file)
    except LOST:
        return default
    return data if loop.time() - start <= seconds else default


async def default_leaves_it(load, file, seconds, default):
    task = asyncio.create_task(load(file))
    done, _ = await asyncio.wait([task], timeout=seconds)
    return task.result() if done and not task.exception() else default


# --- try_again ---


async def again_by_hand(load, file, attempts, seconds, wait):
    for attempt in range(attempts):
        try:
            async with asyncio.timeout(seconds):
                return await load(file)
        except LOST:
            if attempt == attempts - 1:
                raise
        await asyncio.sleep(wait * 2**attempt)


async def again_by_recursion(load, file, attempts, seconds, wait):
    try:
        return await asyncio.wait_for(load(file), seconds)
    except LOST:
        if attempts == 1:
            raise
    await asyncio.sleep(wait)
    return await again_by_recursion(load, file, attempts - 1, seconds, 2 * wait)


async def again_but_missing(load, file, attempts, seconds, wait):
    """The other right set: what may pass, of all that the system says."""
    for attempt in range(attempts):
        try:
            return await asyncio.wait_for(load(file), seconds)
        except FileNotFoundError:
            raise
        except OSError:
            if attempt == attempts - 1:
                raise
        await asyncio.sleep(wait * 2**attempt)


async def again_os_errors(load, file, attempts, seconds, wait):
    for attempt in range(attempts):
        try:
            return await asyncio.wait_for(load(file), seconds)
        except OSError:
            if attempt == attempts - 1:
                raise
        await asyncio.sleep(wait * 2**attempt)


async def again_stub(load, file, attempts, seconds, wait):
    return await load(file)


async def again_same_wait(load, file, attempts, seconds, wait):
    for attempt in range(attempts):
        try:
            return await asyncio.wait_for(load(file), seconds)
        except LOST:
            if attempt == attempts - 1:
                raise
        await asyncio.sleep(wait)


async def again_waits_at_the_end(load, file, attempts, seconds, wait):
    for attempt in range(attempts):
        try:
            return await asyncio.wait_for(load(file), seconds)
        except LOST as error:
            last = error
        await asyncio.sleep(wait * 2**attempt)
    raise last


async def again_holds(load, file, attempts, seconds, wait):
    for attempt in range(attempts):
        try:
            return await asyncio.wait_for(load(file), seconds)
        except LOST:
            if attempt == attempts - 1:
                raise
        time.sleep(wait * 2**attempt)  # noqa: ASYNC251


async def again_try_inside(load, file, attempts, seconds, wait):
    for attempt in range(attempts):
        async with asyncio.timeout(seconds):
            try:
                return await load(file)
            except LOST:
                if attempt == attempts - 1:
                    raise
        await asyncio.sleep(wait * 2**attempt)


async def again_times_the_wait(load, file, attempts, seconds, wait):
    for attempt in range(attempts):
        async with asyncio.timeout(seconds):
            try:
                return await load(file)
            except LOST:
                if attempt == attempts - 1:
                    raise
            await asyncio.sleep(wait * 2**attempt)


async def again_plain_with(load, file, attempts, seconds, wait):
    with asyncio.timeout(seconds):
        return await load(file)


async def again_no_limit(load, file, attempts, seconds, wait):
    return await again_by_hand(load, file, attempts, 1000, wait)


async def again_gives_none(load, file, attempts, seconds, wait):
    for attempt in range(attempts):
        try:
            return await asyncio.wait_for(load(file), seconds)
        except LOST:
            if attempt < attempts - 1:
                await asyncio.sleep(wait * 2**attempt)


async def again_other_error(load, file, attempts, seconds, wait):
    try:
        return await again_by_hand(load, file, attempts, seconds, wait)
    except LOST:
        raise OSError("it did not work") from None


async def again_own_error(load, file, attempts, seconds, wait):
    try:
        return await again_by_hand(load, file, attempts, seconds, wait)
    except LOST:
        raise TimeoutError from None


async def again_all_together(load, file, attempts, seconds, wait):
    tasks = [asyncio.create_task(load(file)) for _ in range(attempts)]
    for task in asyncio.as_completed(tasks, timeout=seconds):
        try:
            return await task
        except LOST as error:
            last = error
    raise last


async def again_everything(load, file, attempts, seconds, wait):
    for attempt in range(attempts):
        try:
            return await asyncio.wait_for(load(file), seconds)
        except Exception:
            if attempt == attempts - 1:
                raise
        await asyncio.sleep(wait * 2**attempt)


async def again_one_limit(load, file, attempts, seconds, wait):
    async with asyncio.timeout(seconds):
        for attempt in range(attempts):
            try:
                return await load(file)
            except LOST:
                if attempt == attempts - 1:
                    raise
            await asyncio.sleep(wait * 2**attempt)


async def again_one_more(load, file, attempts, seconds, wait):
    return await again_by_hand(load, file, attempts + 1, seconds, wait)


async def again_swallows(load, file, attempts, seconds, wait):
    for attempt in range(attempts):
        try:
            async with asyncio.timeout(seconds):
                return await load(file)
        except (*LOST, asyncio.CancelledError):
            if attempt == attempts - 1:
                raise
        await asyncio.sleep(wait * 2**attempt)


async def again_for_ever(load, file, attempts, seconds, wait):
    while True:
        try:
            return await asyncio.wait_for(load(file), seconds)
        except LOST:
            await asyncio.sleep(wait)
            wait = min(2 * wait, 1)


async def again_linear(load, file, attempts, seconds, wait):
    for attempt in range(attempts):
        try:
            async with asyncio.timeout(seconds):
                return await load(file)
        except LOST:
            if attempt == attempts - 1:
                raise
        await asyncio.sleep(wait * (attempt + 1))


async def again_by_heart(load, file, attempts, seconds, wait):
    return await again_by_hand(load, file, attempts, 1, 0.5)


async def default_by_heart(load, file, seconds, default):
    return await default_by_timeout(load, file, 1, "default")


async def default_with(load, file, seconds, default):
    try:
        with asyncio.timeout(seconds):
            return await load(file)
    except Exception:
        return default


async def default_returns_in_finally(load, file, seconds, default):
    result = default
    try:
        async with asyncio.timeout(seconds):
            result = await load(file)
    except LOST:
        result = default
    except BaseException:  # as a return in a `finally` does, of which Python warns since 3.14
        pass
    return result


# --- whatever was asked for ---


def no_coroutine(*args):
    return {}, {}


async def never_returns(*args):
    while True:  # noqa: ASYNC110
        await asyncio.sleep(1)


async def deadlocks(*args):
    await asyncio.Event().wait()


async def forgets_load(*args):
    return "default"


async def wrong_arguments():
    return {}, {}


async def raises(*args):
    raise LookupError("oh")


async def leaves_a_task(*args):
    asyncio.create_task(asyncio.sleep(1000))  # noqa: RUF006
    await asyncio.sleep(0)


async def no_await(load, file, *args):
    return load(file)


ANY = {
    no_coroutine: "is no coroutine function",
    never_returns: "never ended",
    deadlocks: "deadlocked",
    forgets_load: "",
    wrong_arguments: "could not be called",
    raises: "LookupError",
    leaves_a_task: "left 1 of its tasks running: sleep",
}
RIGHT = [
    (check_load_or_default, default_by_timeout),
    (check_load_or_default, default_by_wait_for),
    (check_load_or_default, default_but_missing),
    (check_try_again, again_but_missing),
    (check_try_again, again_by_hand),
    (check_try_again, again_by_recursion),
]
WRONG = [
    (check_load_or_default, default_stub, r"saw 'data'; wanted 'default'; try: async with"),
    (
        check_load_or_default,
        default_no_errors,
        r"ConnectionError: gone came out; try: except \(ConnectionError, TimeoutError\)",
    ),
    (
        check_load_or_default,
        default_everything,
        "raises ValueError.*: saw 'default'; wanted it to come out; .*, nothing more",
    ),
    (
        check_load_or_default,
        default_os_errors,
        "raises FileNotFoundError.*: saw 'default'; wanted it to come out; .*, nothing more",
    ),
    (
        check_load_or_default,
        default_returns_errors,
        "saw ValueError: not a number; wanted it to come out",
    ),
    (check_try_again, again_os_errors, "a failure, then FileNotFoundError.*after 3 attempt"),
    (check_load_or_default, default_no_limit, "saw 'data'; wanted 'default'"),
    (check_load_or_default, default_or, "gives '': saw 'default'"),
    (
        check_load_or_default,
        default_try_inside,
        "TimeoutError came out; .* edge .*a try around the timeout",
    ),
    (
        check_load_or_default,
        default_wrong_kind,
        "TimeoutError came out; .*try: except TimeoutError",
    ),
    (check_load_or_default, default_second_attempt, "called 2 times .*try: one attempt"),
    (check_load_or_default, default_plain_with, "TypeError: .*context manager.*try: async with"),
    (check_load_or_default, default_swallows, "returned 'default' instead of stopping"),
    (check_load_or_default, default_swallows_inside, "swallows the CancelledError"),
    (check_load_or_default, default_looks_late, "took 5 s; wanted 1 s"),
    (check_load_or_default, default_leaves_it, "left 1 of its tasks running: load"),
    (check_load_or_default, no_await, "saw a coroutine; wanted 'data'"),
    (check_try_again, again_stub, "after 1 attempt.*; wanted 'data' after 3"),
    (check_try_again, again_same_wait, "attempt 3 began at 1.2 s; wanted 1.7 s"),
    (check_try_again, again_waits_at_the_end, "no wait after the last"),
    (
        check_try_again,
        again_gives_none,
        "saw None after 2 .* wanted ConnectionError.*try: raise, after",
    ),
    (check_try_again, again_holds, "held the event loop for 1.5 s; .*try: await asyncio.sleep"),
    (check_try_again, again_try_inside, r"saw TimeoutError after 1 .*a try around the timeout"),
    (check_try_again, again_times_the_wait, r"saw TimeoutError .*try: a timeout for each"),
    (check_try_again, again_plain_with, "TypeError: .*context manager.*try: async with"),
    (check_try_again, again_no_limit, "one that hangs.*try: asyncio.timeout"),
    (check_try_again, again_other_error, "it did not work"),
    (check_try_again, again_own_error, "failures only .*saw TimeoutError .*; raise the last one"),
    (check_try_again, again_all_together, "after 3 attempt.*try: one attempt at a time"),
    (check_try_again, again_everything, "a ValueError .* after 3 attempt"),
    (check_try_again, again_one_limit, "two failures, .*try: a timeout for each attempt, inside"),
    (check_try_again, again_one_more, r"after 3 attempt.*try: for attempt in range\(attempts\)"),
    (check_try_again, again_swallows, "swallows the CancelledError"),
    (check_try_again, again_for_ever, "never ended"),
    (check_try_again, again_linear, "three failures, .*attempt 4 began at 3.3 s; wanted 3.8 s"),
    (
        check_try_again,
        again_by_heart,
        "another file .*wait=0.2.*attempt 2 began at 1.5 s; wanted 2.2",
    ),
    (
        check_load_or_default,
        default_by_heart,
        r"the default is '': saw 'default'; wanted ''; try: use the fi",
    ),
    (check_load_or_default, default_with, r"file\), inside async with asyncio.timeout"),
    (check_load_or_default, default_returns_in_finally, "and no return in a finally"),
]
CHECKS = [check_load_or_default, check_try_again]


@pytest.mark.parametrize(("check", "function"), RIGHT)
def test_right_answers(check: Any, function: Any):
    """Whichever way it was solved."""
    assert repr(check(function)) == "✔ ok"


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize(("check", "function", "hint"), WRONG)
def test_wrong_answers(check: Any, function: Any, hint: str):
    """Each with a word on what was seen."""
    assert re.search(f"not yet: .*{hint}", repr(check(function)))


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("function", ANY)
def test_whatever_it_gets(check: Any, function: Any):
    """A hint, never an exception of the check's own, never a hang."""
    assert re.search(f"not yet: .*{ANY[function]}", repr(check(function)))
