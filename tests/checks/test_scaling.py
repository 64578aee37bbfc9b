"""The check of notebook 10: right answers pass, each plausible wrong one gets a hint."""

import asyncio
import doctest
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any

import pytest

import helpers.checks.scaling
from helpers.checks.scaling import check_in_batches


def parts_of(files, size):
    return [files[at : at + size] for at in range(0, len(files), size)]


def flat(parts):
    return [label for part in parts for label in part]


class Right:
    """Answers to ``in_batches(client, label_many, files, size)``."""

    @staticmethod
    async def solution(client, label_many, files, size):
        return flat(await client.gather(client.map(label_many, parts_of(files, size))))

    @staticmethod
    async def awaited_in_order(client, label_many, files, size):
        futures = [client.submit(label_many, part) for part in parts_of(files, size)]
        return flat([await future for future in futures])

    @staticmethod
    async def with_results(client, label_many, files, size):
        futures = client.map(label_many, parts_of(files, size), pure=False, retries=2)
        return flat([await future.result() for future in futures])

    @staticmethod
    async def with_options(client, label_many, files, size):
        anywhere = {"workers": ["first"], "allow_other_workers": True}
        futures = client.map(label_many, parts_of(files, size), **anywhere)
        return flat(await client.gather(futures, errors="raise"))

    @staticmethod
    async def by_asyncio(client, label_many, files, size):
        submit = partial(client.submit, label_many)
        return flat(await asyncio.gather(*map(submit, parts_of(files, size))))

    @staticmethod
    async def dealt_like_cards(client, label_many, files, size):
        """Each task has files from everywhere; the labels go back to their places."""
        tasks = -(-len(files) // size)
        labels: list[Any] = [None] * len(files)
        futures = [client.submit(label_many, files[first::tasks]) for first in range(tasks)]
        for first, future in enumerate(futures):
            labels[first::tasks] = await future
        return labels

    @staticmethod
    async def through_a_function_of_its_own(client, label_many, files, size):
        async def work(part, again=False):
            return await label_many(part)

        futures = [client.submit(work, part, again=True) for part in parts_of(files, size)]
        return list(chain.from_iterable(await client.gather(iter(futures))))

    @staticmethod
    async def a_task_for_each(client, label_many, files, size):
        async def one(part):
            return await client.submit(label_many, part)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(part)) for part in parts_of(files, size)]
        return flat([task.result() for task in tasks])


class Wrong:
    @staticmethod
    async def stub(client, label_many, files, size):
        return await client.gather([client.submit(label_many, [file]) for file in files])

    @staticmethod
    async def all_in_one(client, label_many, files, size):
        return await client.submit(label_many, files)

    @staticmethod
    async def in_as_many_as_size(client, label_many, files, size):
        """Takes size for the number of tasks."""
        return flat(
            await client.gather([client.submit(label_many, files[n::size]) for n in range(size)])
        )

    @staticmethod
    async def drops_the_rest(client, label_many, files, size):
        parts = [files[at : at + size] for at in range(0, len(files) - size + 1, size)]
        return flat(await client.gather(client.map(label_many, parts)))

    @staticmethod
    async def one_after_the_other(client, label_many, files, size):
        return flat([await client.submit(label_many, part) for part in parts_of(files, size)])

    @staticmethod
    async def gathers_each(client, label_many, files, size):
        labels = []
        for part in parts_of(files, size):
            labels += (await client.gather([client.submit(label_many, part)]))[0]
        return labels

    @staticmethod
    async def leaves_them_in_parts(client, label_many, files, size):
        return await client.gather(client.map(label_many, parts_of(files, size)))

    @staticmethod
    async def as_they_come(client, label_many, files, size):
        futures = client.map(label_many, parts_of(files, size))
        return flat([await done for done in asyncio.as_completed(futures)])

    @staticmethod
    async def on_the_loop(client, label_many, files, size):
        return flat(await asyncio.gather(*map(label_many, parts_of(files, size))))

    @staticmethod
    async def sends_a_coroutine(client, label_many, files, size):
        """Calls the function instead of sending it."""
        return flat(
            await client.gather([client.submit(label_many(p)) for p in parts_of(files, size)])
        )

    @staticmethod
    async def forgets_to_await(client, label_many, files, size):
        return client.map(label_many, parts_of(files, size))

    @staticmethod
    async def drops_what_is_falsy(client, label_many, files, size):
        results = await client.gather(client.map(label_many, parts_of(files, size)))
        return [label for label in flat(results) if label]

    @staticmethod
    async def one_task_too_many(client, label_many, files, size):
        """Also when nothing is over."""
        parts = [files[at : at + size] for at in range(0, len(files) + 1, size)]
        return flat(await client.gather(client.map(label_many, parts)))

    @staticmethod
    async def takes_doubles_for_one(client, label_many, files, size):
        parts = parts_of(list(dict.fromkeys(files)), size)
        return flat(await client.gather(client.map(label_many, parts)))

    @staticmethod
    async def swallows_errors(client, label_many, files, size):
        labels = []
        for future in client.map(label_many, parts_of(files, size)):
            try:
                labels += await future
            except ConnectionError:
                labels += [None]
        return labels

    @staticmethod
    async def skips_errors(client, label_many, files, size):
        futures = client.map(label_many, parts_of(files, size))
        return flat(await client.gather(futures, errors="skip"))

    @staticmethod
    async def an_error_of_its_own(client, label_many, files, size):
        try:
            return await Right.solution(client, label_many, files, size)
        except ConnectionError as error:
            raise ValueError("a batch failed") from error

    @staticmethod
    def is_no_coroutine_function(client, label_many, files, size):
        return client.map(label_many, parts_of(files, size))


HINTS = {
    Wrong.stub: "12 tasks for 12 files with size=5; each task has its price, and 3 are enough",
    Wrong.all_in_one: "a task had 12 files, with size=5",
    Wrong.in_as_many_as_size: "5 tasks for 12 files with size=5",
    Wrong.drops_the_rest: "the tasks had 10 files in all, of 12",
    Wrong.one_after_the_other: "submit all, and only then await",
    Wrong.gathers_each: "submit all, and only then await",
    Wrong.leaves_them_in_parts: "saw 3 results for 12 items",
    Wrong.as_they_come: "results stand in the order of what was given",
    Wrong.on_the_loop: "label_many ran here 3 times; the work is for the workers",
    Wrong.sends_a_coroutine: "not callable",
    Wrong.forgets_to_await: "left 3 of its tasks running",
    Wrong.drops_what_is_falsy: "results for 9 items",
    Wrong.one_task_too_many: "3 tasks for 10 files with size=5",
    Wrong.takes_doubles_for_one: "the tasks had 5 files in all, of 7",
    Wrong.swallows_errors: "was raised on a worker, and nobody was told",
    Wrong.skips_errors: "was raised on a worker, and nobody was told",
    Wrong.an_error_of_its_own: "ValueError",
    Wrong.is_no_coroutine_function: "async def is_no_coroutine_function",
}


def static(book: type) -> list[Any]:
    return [thing.__func__ for thing in vars(book).values() if isinstance(thing, staticmethod)]


@pytest.mark.parametrize("answer", static(Right))
def test_passes_what_is_right(answer: Callable[..., Any]):
    assert repr(check_in_batches(answer)) == "✔ ok"


def test_expects_a_hint_for_each_wrong_answer():
    assert set(static(Wrong)) == HINTS.keys()


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("answer", HINTS, ids=lambda answer: answer.__name__)
def test_names_the_fault(answer: Callable[..., Any]):
    hint = repr(check_in_batches(answer))
    assert hint.startswith("✘ not yet: ")
    assert HINTS[answer] in hint
    assert len(hint) < 300


async def raises(client, label_many, files, size):
    raise OSError("no cluster")


async def never_ends(client, label_many, files, size):
    await asyncio.Event().wait()


async def no_arguments():
    pass


ODD = [
    raises,
    never_ends,
    no_arguments,
    asyncio.sleep,
    None,
    3,
    "in_batches",
    print,
    raises(*"1234"),
]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: getattr(odd, "__name__", repr(odd)))
def test_stays_calm_whatever_it_is_given(odd: Any):
    hint = repr(check_in_batches(odd))
    assert hint.startswith("✘ not yet: ")
    assert len(hint) > 30, hint


def test_its_example_runs():
    assert doctest.testmod(helpers.checks.scaling).attempted
    assert not doctest.testmod(helpers.checks.scaling).failed
