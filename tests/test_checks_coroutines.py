"""The checks of notebook 01: they tell a right answer from a plausible one."""

import asyncio
import contextlib
import itertools
from typing import Any

import pytest

from helpers.checks.coroutines import check_drive, check_labels

# --- drive: right ones ---


def drive_by_loop(coroutine):
    pauses = 0
    while True:
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return pauses, stop.value
        pauses += 1


def drive_by_count(coroutine):
    for pauses in itertools.count():
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return (pauses, stop.value)


def drive_by_await(coroutine):
    steps = coroutine.__await__()
    pauses = 0
    try:
        while True:
            next(steps)
            pauses += 1
    except StopIteration as stop:
        return pauses, stop.value


# --- and wrong ones ---


def drive_stub(coroutine):
    coroutine.send(None)
    return 0, None


def drive_nothing(coroutine):
    return 0, None


def drive_counts_sends(coroutine):
    sends = 0
    while True:
        sends += 1
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return sends, stop.value


def drive_value_only(coroutine):
    return drive_by_loop(coroutine)[1]


def drive_no_value(coroutine):
    return drive_by_loop(coroutine)[0], None


def drive_a_list(coroutine):
    return list(drive_by_loop(coroutine))


def drive_eats_errors(coroutine):
    pauses = 0
    while True:
        try:
            coroutine.send(None)
        except Exception as stop:
            return pauses, getattr(stop, "value", None)
        pauses += 1


def drive_other_error(coroutine):
    try:
        return drive_by_loop(coroutine)
    except Exception:
        raise KeyError("no") from None


def drive_sends_more(coroutine):
    coroutine_send = coroutine.send
    pauses = 0
    while True:
        try:
            coroutine_send(pauses or None)
        except StopIteration as stop:
            return pauses, stop.value
        pauses += 1


def drive_by_run(coroutine):
    return 0, asyncio.run(coroutine)


def drive_for_ever(coroutine):
    while True:
        pass


def drive_for_ever_stubborn(coroutine):
    while True:
        with contextlib.suppress(Exception):
            coroutine.send(None)


async def drive_async(coroutine):
    return 0, await coroutine


# --- labels: right ones ---


async def labels_plain(load, infer, files):
    for file in files:
        yield await infer("model", await load(file))


async def labels_by_helper(load, infer, files):
    async def one(file):
        data = await load(file)
        return await infer("model", data)

    jobs = (one(file) for file in files)
    for job in jobs:
        yield await job


# --- and wrong ones ---


async def labels_stub(load, infer, files):
    for file in files:
        yield file


async def labels_a_list(load, infer, files):
    return [await infer("model", await load(file)) for file in files]


async def labels_all_first(load, infer, files):
    done = [await infer("model", await load(file)) for file in files]
    for label in done:
        yield label


async def labels_at_once(load, infer, files):
    async def one(file):
        return await infer("model", await load(file))

    for label in await asyncio.gather(*map(one, files)):
        yield label


async def labels_load_first(load, infer, files):
    data = [await load(file) for file in files]
    for item in data:
        yield await infer("model", item)


async def labels_ahead(load, infer, files):
    task = None
    for file, after in itertools.pairwise([*files, None]):
        data = await (task or load(file))
        task = asyncio.create_task(load(after)) if after else None
        yield await infer("model", data)


async def labels_of_coroutines(load, infer, files):
    for file in files:
        yield infer("model", load(file))


async def labels_of_a_coroutine(load, infer, files):
    for file in files:
        yield await infer("model", load(file))


async def labels_not_inferred(load, infer, files):
    for file in files:
        yield await load(file)


async def labels_eats_errors(load, infer, files):
    for file in files:
        with contextlib.suppress(OSError):
            yield await infer("model", await load(file))


async def labels_other_error(load, infer, files):
    try:
        for file in files:
            yield await infer("model", await load(file))
    except OSError:
        raise ValueError("no") from None


async def labels_dawdles(load, infer, files):
    for file in files:
        label = await infer("model", await load(file))
        await asyncio.sleep(1)
        yield label


async def labels_too_few(load, infer, files):
    for file in files[:1]:
        yield await infer("model", await load(file))


async def labels_for_ever(load, infer, files):
    while True:
        for file in files:
            yield await infer("model", await load(file))


async def labels_endless(load, infer, files):
    while files:  # noqa: ASYNC110 - this is the mistake
        await asyncio.sleep(1)
    yield None


async def labels_deadlock(load, infer, files):
    if files:
        await asyncio.Event().wait()
    yield None


async def labels_leaves(load, infer, files):
    task = asyncio.create_task(asyncio.sleep(1e6))
    for file in files:
        yield await infer("model", await load(file))
    del task


def labels_no_coroutine(load, infer, files):
    yield from files


async def labels_other_arguments(files):
    yield files


CHECKS = {"drive": check_drive, "labels": check_labels}
RIGHT = [
    drive_by_loop, drive_by_count, drive_by_await, labels_plain, labels_by_helper
]  # fmt: skip
WRONG: list[tuple[Any, str]] = [
    (drive_stub, "StopIteration came out"),
    (drive_nothing, "saw (0, None)"),
    (drive_counts_sends, "the last send ends it, and is no pause"),
    (drive_value_only, "saw 'data'"),
    (drive_no_value, "saw (0, None); try: return (0, 'data')"),
    (drive_a_list, "saw [0, 'data']; try: return (0, 'data')"),
    (drive_eats_errors, "the error was eaten"),
    (drive_other_error, "KeyError('no') came out; try: let it out"),
    (drive_sends_more, "coroutine.send(None)"),
    (drive_by_run, "RuntimeError"),
    (drive_for_ever, "drive_for_ever never ended"),
    (drive_for_ever_stubborn, "drive_for_ever_stubborn never ended"),
    (drive_async, "drive_async is no plain function"),
    (labels_stub, "saw ['dataset1.csv'"),
    (labels_a_list, "labels_a_list is no async generator"),
    (labels_all_first, "load a file when its label is asked for"),
    (labels_at_once, "load a file when its label is asked for"),
    (labels_load_first, "loads began at [0.0, 1.0, 2.0] s, wanted [0.0, 13.0, 26.0]"),
    (labels_ahead, "loads began at [0.0, 1.0,"),
    (labels_of_coroutines, "yield await infer('model', await load(file))"),
    (labels_of_a_coroutine, "labels of a coroutine"),
    (labels_not_inferred, "saw ['dataset1.csv'"),
    (labels_eats_errors, "dataset3.csv"),
    (labels_other_error, "ValueError('no') came out"),
    (labels_dawdles, "loads began at [0.0, 14.0, 28.0]"),
    (labels_too_few, "saw ['dataset1.csv labels']"),
    (labels_for_ever, "wanted ['dataset1.csv labels'"),
    (labels_endless, "labels_endless never ended"),
    (labels_deadlock, "labels_deadlock deadlocked"),
    (labels_leaves, "every task you start"),
    (labels_no_coroutine, "is no async generator"),
    (labels_other_arguments, "labels_other_arguments"),
]


def judge(answer: Any) -> Any:
    return CHECKS[answer.__name__.partition("_")[0]](answer)


@pytest.mark.parametrize("answer", RIGHT, ids=lambda answer: answer.__name__)
def test_right_answers_are_ok(answer):
    """Also ones that were written in another way."""
    assert repr(judge(answer)) == "ok"


@pytest.mark.parametrize(("answer", "words"), WRONG, ids=[answer.__name__ for answer, _ in WRONG])
def test_wrong_answers_get_a_hint(answer, words):
    """Each says what was seen; none raises, hangs or warns."""
    verdict = judge(answer)
    assert not verdict
    assert repr(verdict).startswith("not yet: ")
    assert words in repr(verdict)


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
@pytest.mark.parametrize("thing", [None, 7, "drive", asyncio.sleep, print, object()], ids=repr)
def test_what_is_no_function_gets_a_hint(check, thing):
    """Whatever is handed in."""
    assert repr(check(thing)).startswith("not yet: ")
