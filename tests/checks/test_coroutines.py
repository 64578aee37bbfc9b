"""The checks of notebook 01: they tell a right answer from a plausible one."""

import asyncio
import contextlib
import itertools
from typing import Any

import pytest

import helpers.checks.answers
from helpers import infer, load_data
from helpers.checks.coroutines import check_drive, check_labels


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What never ends is given up sooner than in class."""
    monkeypatch.setattr(helpers.checks.answers, "_PATIENCE", 1.0)


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


def drive_swapped(coroutine):
    return drive_by_loop(coroutine)[::-1]


def drive_by_for(coroutine):
    pauses = 0
    for _ in coroutine.__await__():
        pauses += 1
    return pauses, None


def drive_prints(coroutine):
    print(*drive_by_loop(coroutine))  # noqa: T201 - this is the mistake


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


def drive_value_of_any_error(coroutine):
    pauses = 0
    while True:
        try:
            coroutine.send(None)
        except Exception as stop:
            return pauses, stop.value
        pauses += 1


def drive_goes_on(coroutine):
    pauses = 0
    while True:
        try:
            coroutine.send(None)
            pauses += 1
        except StopIteration:
            pass


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


def drive_a_hundred(coroutine):
    for pauses in range(100):
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return pauses, stop.value


def drive_by_args(coroutine):
    for pauses in itertools.count():
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return pauses, stop.args[0]


def drive_by_next(coroutine):
    return 0, next(coroutine)


def drive_counts_none_only(coroutine):
    pauses = 0
    while True:
        try:
            pauses += coroutine.send(None) is None
        except StopIteration as stop:
            return pauses, stop.value


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


async def labels_by_another_name(load, run, files):
    """With a `try` that lets errors out."""
    for path in files:
        try:
            yield await run(None, data=await load(path))
        except OSError:
            raise


async def labels_that_empties_the_list(load, infer, files):
    while files:
        yield await infer("model", await load(files.pop(0)))


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


async def labels_last_only(load, infer, files):
    label = None
    for file in files:
        label = await infer("model", await load(file))
    yield label


async def labels_not_inferred(load, infer, files):
    for file in files:
        yield await load(file)


async def labels_eats_errors(load, infer, files):
    for file in files:
        with contextlib.suppress(OSError):
            yield await infer("model", await load(file))


async def labels_bare_except(load, infer, files):
    for file in files:
        try:
            yield await infer("model", await load(file))
        except:  # noqa: E722 - this is the mistake
            pass


async def labels_of_load_data(load, infer, files):
    for file in files:
        yield await infer("model", await load_data(file))


async def labels_of_another_infer(load, model, files):
    for file in files:
        yield await infer("model", await load(file))


async def labels_swapped(load, infer, files):
    for file in files:
        yield await infer(await load(file), "model")


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
    drive_by_loop, drive_by_count, drive_by_await, labels_plain, labels_by_helper,
    labels_by_another_name, labels_that_empties_the_list,
]  # fmt: skip
WRONG: list[tuple[Any, str]] = [
    (drive_stub, "try: send until StopIteration comes, and catch it: it carries the result"),
    (drive_nothing, "saw (0, None), wanted (0, 'data'); the coroutine had not ended yet"),
    (drive_a_hundred, "saw None, wanted (300, 7); the coroutine had not ended yet"),
    (drive_by_args, "index out of range; try: read the value of StopIteration"),
    (drive_by_next, "is not an iterator; try: push it by coroutine.send(None)"),
    (drive_counts_none_only, "wanted (3, ['a', 'b']); it is another number of pauses; try: each"),
    (drive_counts_sends, "saw (1, 'data'), wanted (0, 'data'); the last send ends it, and is not"),
    (drive_swapped, "saw ('data', 0), wanted (0, 'data'); it is the wrong way round; try: pauses"),
    (drive_by_for, "the value is missing; try: read it from StopIteration"),
    (drive_prints, "saw None, wanted (0, 'data'); nothing was returned; try: return the pair"),
    (drive_value_only, "saw 'data', wanted (0, 'data')"),
    (drive_no_value, "the value is missing; try: read it from StopIteration"),
    (drive_a_list, "saw [0, 'data'], wanted (0, 'data')"),
    (drive_eats_errors, "the error was eaten; try: catch StopIteration only"),
    (drive_value_of_any_error, "no attribute 'value' came out; try: catch StopIteration only"),
    (drive_goes_on, "it was sent something after its end; try: return at StopIteration"),
    (drive_other_error, "KeyError: 'no' came out; try: catch StopIteration only"),
    (drive_sends_more, "coroutine.send(None)"),
    (drive_by_run, "RuntimeError"),
    (drive_for_ever, "drive_for_ever never ended"),
    (drive_for_ever_stubborn, "drive_for_ever_stubborn never ended"),
    (drive_async, "drive_async gave a coroutine, where a result was asked; nobody awaits it"),
    (labels_stub, "you yielded the file's name; try: load it, then infer"),
    (labels_a_list, "labels_a_list is not an async generator"),
    (labels_all_first, "load a file when its label is asked for"),
    (labels_at_once, "load a file when its label is asked for"),
    (labels_load_first, "loads began at [0.0, 1.0, 2.0] s, wanted [0.0, 13.0, 26.0]"),
    (labels_ahead, "loads began at [0.0, 1.0,"),
    (labels_of_coroutines, "a coroutine is not a label; try: await it"),
    (labels_of_a_coroutine, "infer was given a coroutine; try: await what load(file) makes"),
    (labels_last_only, "only the last label came; try: yield each label, inside the loop"),
    (labels_not_inferred, "saw ['dataset1 images'"),
    (labels_eats_errors, "saw ['dataset2 labels', 'dataset3 labels']; the error was eaten"),
    (
        labels_bare_except,
        "came to another yield; try: except Exception, or no try at all: a bare except",
    ),
    (
        labels_of_load_data,
        "the load that you were given was never called; try: use it, not load_da",
    ),
    (labels_of_another_infer, "the infer that you were given was never called"),
    (labels_swapped, "infer was given 'model'; that is no data; try: infer(\"model\", data)"),
    (labels_other_error, "saw ValueError: no; try: let the error itself out"),
    (labels_dawdles, "labels came at [4.0, 18.0, 32.0] s, wanted [3.0, 16.0, 29.0]"),
    (labels_too_few, "saw ['dataset1 labels'], wanted"),
    (labels_for_ever, "wanted ['dataset1 labels'"),
    (labels_endless, "labels_endless never ended"),
    (labels_deadlock, "labels_deadlock deadlocked"),
    (labels_leaves, "every task you start"),
    (labels_no_coroutine, "is not an async generator"),
    (labels_other_arguments, "labels_other_arguments"),
]


def judge(answer: Any) -> Any:
    return CHECKS[answer.__name__.partition("_")[0]](answer)


@pytest.mark.parametrize("answer", RIGHT, ids=lambda answer: answer.__name__)
def test_right_answers_are_ok(answer):
    """Also ones that were written in another way."""
    assert repr(judge(answer)) == "✔ ok"


@pytest.mark.parametrize(("answer", "words"), WRONG, ids=[answer.__name__ for answer, _ in WRONG])
def test_wrong_answers_get_a_hint(answer, words):
    """Each says what was seen; none raises, hangs or warns."""
    verdict = judge(answer)
    assert not verdict
    assert repr(verdict).startswith("✘ not yet: ")
    assert words in repr(verdict)


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
@pytest.mark.parametrize(
    "thing",
    [None, 7, "drive", asyncio.sleep, print, object()],
    ids="None 7 text sleep print object".split(),
)
def test_what_is_no_function_gets_a_hint(check, thing):
    """Whatever is handed in."""
    assert repr(check(thing)).startswith("✘ not yet: ")


def test_a_call_in_place_of_the_function_gets_a_hint():
    """As `labels(...)`, or `drive(...)`, is often written."""
    for call in labels_plain(None, None, []), labels_a_list(None, None, []):
        verdict = repr(check_labels(call))
        assert "is a call; the check wants the function; try: labels_" in verdict
    assert "is a call; the check" in repr(check_drive(labels_a_list(None, None, [])))
    assert "(0, 'data') is not a function; try: hand in the fun" in repr(check_drive((0, "data")))


@pytest.mark.parametrize("answer", [drive_stub, labels_stub, drive_swapped, drive_prints])
def test_a_hint_does_not_give_the_solution_away(answer):
    """It has to be found; the solution's cell shows it."""
    hint = repr(judge(answer))
    assert not any(code in hint for code in ("return (", "return pauses", "yield await", "except "))
