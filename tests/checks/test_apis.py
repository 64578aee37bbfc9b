"""The verdict of notebook 08: on right answers, plausible wrong ones and broken ones."""

import asyncio
import doctest
from typing import Any

import pytest

import helpers.checks.apis
from helpers.checks.apis import check_load_politely
from helpers.world import Refused


def backoff(failed):
    """The pause after so many failures."""
    return 0.5 * 2 ** (failed - 1)


async def solution(names, load, attempts):
    async def one(name):
        failed = 0
        while True:
            try:
                return await load(name)
            except Refused as error:
                failed += error.status == 503
                if error.status not in (429, 503) or failed == attempts:
                    raise
                pause = error.retry_after if error.status == 429 else backoff(failed)
            await asyncio.sleep(pause)

    return await asyncio.gather(*map(one, names), return_exceptions=True)


async def in_a_group(names, load, attempts):
    """Without gather: each task keeps its error."""
    results = [None] * len(names)

    async def one(at, name, left=attempts):
        try:
            results[at] = await load(name)
        except Refused as error:
            results[at] = error
            if error.status == 429:
                await asyncio.sleep(error.retry_after)
                await one(at, name, left)
            elif error.status == 503 and left > 1:
                await asyncio.sleep(backoff(attempts - left + 1))
                await one(at, name, left - 1)
        except Exception as error:
            results[at] = error

    async with asyncio.TaskGroup() as group:
        for at, name in enumerate(names):
            group.create_task(one(at, name))
    return results


async def by_for(names, load, attempts):
    """A loop over tries, and one inside for the 429s."""

    async def until_let_in(name):
        while True:
            try:
                return await load(name)
            except Refused as error:
                if error.status != 429:
                    raise
                await asyncio.sleep(error.retry_after)

    async def one(name):
        for attempt in range(1, attempts + 1):
            try:
                return await until_let_in(name)
            except Refused as error:
                if error.status != 503 or attempt == attempts:
                    return error
            except Exception as error:
                return error
            await asyncio.sleep(backoff(attempt))

    return list(await asyncio.gather(*[one(name) for name in names]))


async def stub(names, load, attempts):
    return await asyncio.gather(*(load(name) for name in names), return_exceptions=True)


def each(one):
    """Make an answer of a coroutine function for one name."""

    async def answer(names, load, attempts):
        jobs = (one(name, load, attempts) for name in names)
        return await asyncio.gather(*jobs, return_exceptions=True)

    answer.__name__ = one.__name__
    return answer


@each
async def counts_a_429(name, load, attempts):
    for attempt in range(attempts):
        try:
            return await load(name)
        except Refused as error:
            if error.status not in (429, 503) or attempt == attempts - 1:
                raise
            wait = error.status == 429
            await asyncio.sleep(error.retry_after if wait else backoff(attempt + 1))


@each
async def a_new_start_after_a_429(name, load, attempts):
    failed = 0
    while True:
        try:
            return await load(name)
        except Refused as error:
            failed = failed + 1 if error.status == 503 else 0
            if error.status not in (429, 503) or failed == attempts:
                raise
            await asyncio.sleep(error.retry_after if error.status == 429 else backoff(failed))


@each
async def does_not_wait_as_told(name, load, attempts):
    failed = 0
    while True:
        try:
            return await load(name)
        except Refused as error:
            failed += error.status == 503
            if error.status not in (429, 503) or failed == attempts:
                raise
            await asyncio.sleep(backoff(max(1, failed)))


@each
async def always_the_same_pause(name, load, attempts):
    failed = 0
    while True:
        try:
            return await load(name)
        except Refused as error:
            failed += error.status == 503
            if error.status not in (429, 503) or failed == attempts:
                raise
            await asyncio.sleep(error.retry_after if error.status == 429 else 0.5)


@each
async def pauses_grow_by_half_a_second(name, load, attempts):
    failed = 0
    while True:
        try:
            return await load(name)
        except Refused as error:
            failed += error.status == 503
            if error.status not in (429, 503) or failed == attempts:
                raise
            await asyncio.sleep(error.retry_after if error.status == 429 else 0.5 * failed)


@each
async def pauses_grow_with_each_429(name, load, attempts):
    failed, pause = 0, 0.5
    while True:
        try:
            return await load(name)
        except Refused as error:
            failed += error.status == 503
            if error.status not in (429, 503) or failed == attempts:
                raise
            await asyncio.sleep(error.retry_after if error.status == 429 else pause)
            pause *= 2


@each
async def takes_zero_for_none(name, load, attempts):
    failed = 0
    while True:
        try:
            return await load(name)
        except Refused as error:
            failed += error.status == 503
            if error.status not in (429, 503) or failed == attempts:
                raise
            await asyncio.sleep(error.retry_after or backoff(max(1, failed)))


@each
async def one_try_too_many(name, load, attempts):
    failed = 0
    while True:
        try:
            return await load(name)
        except Refused as error:
            failed += error.status == 503
            if error.status not in (429, 503) or failed > attempts:
                raise
            await asyncio.sleep(error.retry_after if error.status == 429 else backoff(failed))


@each
async def tries_everything_again(name, load, attempts):
    failed = 0
    while True:
        try:
            return await load(name)
        except Exception as error:
            wait = isinstance(error, Refused) and error.status == 429
            failed += not wait
            if failed == attempts:
                raise
            await asyncio.sleep(error.retry_after if wait else backoff(failed))


@each
async def tries_404_again(name, load, attempts):
    failed = 0
    while True:
        try:
            return await load(name)
        except Refused as error:
            failed += error.status != 429
            if failed == attempts:
                raise
            wait = error.retry_after
            await asyncio.sleep(backoff(failed) if wait is None else wait)


@each
async def waits_after_the_last(name, load, attempts):
    failed = 0
    while True:
        try:
            return await load(name)
        except Refused as error:
            if error.status not in (429, 503):
                raise
            failed += error.status == 503
            await asyncio.sleep(error.retry_after if error.status == 429 else backoff(failed))
            if failed == attempts:
                raise


@each
async def looks_at_the_data(name, load, attempts):
    data = None
    while not data:
        try:
            data = await load(name)
        except Refused as error:
            if error.status != 429:
                raise
            await asyncio.sleep(error.retry_after)
    return data


async def one_after_the_other(names, load, attempts):
    return [result for name in names for result in await solution([name], load, attempts)]


async def one_count_for_all(names, load, attempts):
    failed = 0

    async def one(name):
        nonlocal failed
        while True:
            try:
                return await load(name)
            except Refused as error:
                failed += error.status == 503
                if error.status not in (429, 503) or failed >= attempts:
                    raise
                pause = error.retry_after if error.status == 429 else backoff(failed)
            await asyncio.sleep(pause)

    return await asyncio.gather(*map(one, names), return_exceptions=True)


async def all_again(names, load, attempts):
    """Waits for all, then asks again for those that failed: in rounds."""
    results, todo, tries = {}, list(names), dict.fromkeys(names, attempts)
    while todo:
        found = await stub(todo, load, attempts)
        results |= dict(zip(todo, found, strict=True))
        pause, again = 0.0, []
        for name, result in zip(todo, found, strict=True):
            if isinstance(result, Refused) and result.status == 429:
                pause = max(pause, result.retry_after)
                again.append(name)
            elif isinstance(result, Refused) and result.status == 503:
                tries[name] -= 1
                pause = max(pause, backoff(attempts - tries[name]))
                if tries[name]:
                    again.append(name)
        todo = again
        await asyncio.sleep(pause if todo else 0)
    return [results[name] for name in names]


async def lets_errors_out(names, load, attempts):
    results = await solution(names, load, attempts)
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


async def drops_errors(names, load, attempts):
    results = await solution(names, load, attempts)
    return [result for result in results if not isinstance(result, Exception)]


async def words_for_errors(names, load, attempts):
    return [
        str(result) if isinstance(result, Exception) else result
        for result in await solution(names, load, attempts)
    ]


async def forgets_to_return(names, load, attempts):
    await solution(names, load, attempts)


async def first_error(names, load, attempts):
    """Keeps the error of the first try, not of the last."""
    first = {}

    async def noted(name):
        try:
            return await load(name)
        except Exception as error:
            first.setdefault(name, error)
            raise

    results = await solution(names, noted, attempts)
    return [
        first[name] if isinstance(result, Exception) else result
        for name, result in zip(names, results, strict=True)
    ]


RIGHT = [solution, in_a_group, by_for]
WRONG = {
    stub: "was called 1 time; wanted 2; try: after a 429 await asyncio.sleep(error.retry_after)",
    counts_a_429: "wanted 5; try: a 429 is no try: count every 503, and nothing else",
    a_new_start_after_a_429: "429, 503, 429, 503, then data (attempts=3): try 5 began at 5.8 s",
    does_not_wait_as_told: "try 2 began at 0.7 s; wanted 2.2 s; try: after a 429",
    always_the_same_pause: "try 3 began at 1.4 s; wanted 1.9 s; try: after a 503 sleep 0.5 s, then",
    pauses_grow_by_half_a_second: "try 4 began at 3.6 s; wanted 4.1 s",
    pauses_grow_with_each_429: "try: a 429 is no try",
    takes_zero_for_none: "try 2 began at 0.7 s; wanted 0.2 s; try: retry_after may be 0: "
    "ask for the status",
    one_try_too_many: "503 always (attempts=3): load was called 4 times; wanted 3",
    tries_everything_again: "404 (attempts=3): load was called 3 times; wanted 1",
    tries_404_again: "404 (attempts=3): load was called 3 times; wanted 1",
    waits_after_the_last: "it took 4.1 s; wanted 2.1 s; try: no wait after the last try",
    looks_at_the_data: "503 once, then data (attempts=3): load was called 1 time",
    one_after_the_other: "no name waits for another one: gather them",
    one_count_for_all: "each has its own tries",
    all_again: "no name waits for another one: gather them",
    lets_errors_out: "an error stands in the place of its result",
    drops_errors: "saw 0 results for 1 item",
    words_for_errors: "keep the error itself",
    forgets_to_return: "saw None, not a list of 1 result",
    first_error: "503 always",
}


def plain(*args):
    return []


async def generates(*args):
    yield []


async def deadlocks(*args):
    await asyncio.Event().wait()


async def turns_for_ever(*args):
    while True:  # noqa: ASYNC110 - never ends, by intent
        await asyncio.sleep(0)


async def takes_nothing():
    return []


async def raises(*args):
    raise RuntimeError("no idea")


async def swallows_its_end(*args):
    try:
        return await solution(*args)
    except asyncio.CancelledError:
        return []


async def returns_a_number(*args):
    return 7


BROKEN = [
    plain,
    generates,
    deadlocks,
    turns_for_ever,
    takes_nothing,
    raises,
    swallows_its_end,
    returns_a_number,
    None,
    7,
]


def name_of(value: object) -> str:
    return getattr(value, "__name__", repr(value))


@pytest.mark.parametrize("answer", RIGHT, ids=name_of)
def test_right_answers_are_ok(answer: Any):
    """The solution, and others that do the same in another way."""
    assert repr(check_load_politely(answer)) == "✔ ok"


@pytest.mark.parametrize("answer", WRONG, ids=name_of)
def test_wrong_answers_get_a_hint(answer: Any):
    """Each plausible mistake is told what was seen or what to try."""
    verdict = check_load_politely(answer)
    assert not verdict
    assert WRONG[answer] in repr(verdict)


@pytest.mark.parametrize("answer", BROKEN, ids=name_of)
def test_broken_answers_get_a_hint_and_never_an_exception(answer: Any):
    """Nothing of what a learner may hand in comes out of the check as an error, or hangs it."""
    verdict = check_load_politely(answer)
    assert repr(verdict).startswith("✘ not yet: ")
    assert len(verdict.hint) > 10


def test_examples_in_the_docstrings():
    """What the docstrings show is what happens."""
    result = doctest.testmod(helpers.checks.apis)
    assert result.attempted and not result.failed
