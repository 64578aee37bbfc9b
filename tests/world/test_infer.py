"""Inference: the pretend waits are the promised ones, the real model is right or refuses."""

import asyncio
import doctest
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from helpers.world.data import prepare
from helpers.world.infer import Model, infer, infer_seconds, infer_shard, predict, train_model
from helpers.world.load import Shard, load_data, load_seconds, read_shard

LOADS = [load_seconds(f"dataset{i}.csv") for i in (1, 2, 3)]
INFERENCES = [infer_seconds(f"dataset{i} images") for i in (1, 2, 3)]


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Sleeps take no time; their seconds are noted."""
    seconds: list[float] = []

    async def sleep(delay: float) -> None:
        seconds.append(delay)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return seconds


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Shard]:
    return [read_shard(path) for path in prepare(tmp_path_factory.mktemp("data")).files]


def test_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slept: list[float]) -> None:
    """The examples in the docstrings give what they say."""
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(sys.modules[infer.__module__])
    assert result.attempted and not result.failed


def test_infer_sleeps_once_for_infer_seconds(slept: list[float]) -> None:
    """The pretend model waits in `asyncio.sleep`, just as long as `infer_seconds` says."""
    for i in (1, 2, 3):
        assert asyncio.run(infer(None, f"dataset{i} images")) == f"dataset{i} labels"
    assert slept == INFERENCES == [0.79, 0.3, 0.97]


def test_any_data_gets_labels(slept: list[float]) -> None:
    """Whatever is handed over gets a name; another seed gets another wait, not another name."""
    assert asyncio.run(infer("model", "a picture")) == "a picture labels"
    assert asyncio.run(infer("model", 7)) == "7 labels"
    assert asyncio.run(infer("model", "dataset1 images", seed=1)) == "dataset1 labels"
    assert slept[-1] == infer_seconds("dataset1 images", seed=1) != INFERENCES[0]


def test_waits_are_uneven() -> None:
    """Over 40 batches: all in range, most quick, a few slow."""
    waits = [infer_seconds(f"dataset{i} images") for i in range(1, 41)]
    assert all(0.3 <= wait <= 1.0 for wait in waits)
    assert len(set(waits)) > 20
    assert 1 <= sum(wait > 0.9 for wait in waits) <= 8


def test_the_three_numbers_of_the_first_notebook() -> None:
    """One after another 4.67 s; all loads, then all inferences 2.43 s; each its own way 1.76 s."""
    assert sum(LOADS) + sum(INFERENCES) == pytest.approx(4.67)
    assert max(LOADS) + max(INFERENCES) == pytest.approx(2.43)
    assert max(a + b for a, b in zip(LOADS, INFERENCES, strict=True)) == pytest.approx(1.76)


def test_a_forgotten_await_is_named() -> None:
    """The commonest slip, `infer(model, load_data(path))`, is told what to write."""
    coroutine = load_data("dataset1.csv")
    with pytest.raises(TypeError, match=r"type coroutine .* write data = await load_data\(path\)"):
        asyncio.run(infer("model", coroutine))
    with pytest.raises(TypeError, match=r"type coroutine .* write data = await load_data\(path\)"):
        predict(train_model(), coroutine)  # type: ignore[arg-type]
    coroutine.close()


def test_training_is_repeatable_and_done_once(shards: list[Shard]) -> None:
    """The same model twice in a process, and the same predictions from a model trained anew."""
    model = train_model()
    assert train_model() is model
    again = train_model.__wrapped__()
    for shard in shards:
        assert (again.predict(shard.images) == predict(model, shard)).all()


def test_model_is_good_on_images_it_never_saw(shards: list[Shard]) -> None:
    """Held out means held out: good, not perfect, and the count that the docstring gives."""
    right = [int((predict(train_model(), shard) == shard.labels).sum()) for shard in shards]
    assert sum(right) == 933
    assert len(set(right)) > 1


def test_predict_takes_a_shard_or_any_array_of_pixels(shards: list[Shard]) -> None:
    """Type of number, batch size and memory order do not matter."""
    model, images = train_model(), shards[0].images
    labels = predict(model, shards[0])
    assert labels.shape == (100,) and labels.dtype.kind == "i"
    for same in (images, images.astype(float), images.astype("int16"), np.asfortranarray(images)):
        assert (predict(model, same) == labels).all()
    one_by_one = [predict(model, images[i : i + 1]).item() for i in range(5)]
    assert one_by_one == labels[:5].tolist()


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (np.zeros((5, 63)), ValueError, r"shape \(n, 64\), saw \(5, 63\): use all 64 pixels"),
        (np.zeros((64, 5)), ValueError, r"shape \(n, 64\), saw \(64, 5\): use all 64 pixels"),
        (np.zeros(64), ValueError, r"saw \(64,\): use images.reshape\(-1, 64\)"),
        (np.zeros((5, 8, 8)), ValueError, r"saw \(5, 8, 8\): use images.reshape\(-1, 64\)"),
        (np.zeros((8, 8)), ValueError, r"saw \(8, 8\): use images.reshape\(-1, 64\)"),
        (np.zeros(()), ValueError, r"saw \(\)"),
        (np.zeros((0, 64)), ValueError, r"at least one image, saw shape \(0, 64\): skip an empty"),
        (np.full((2, 64), np.nan), ValueError, "image 0, pixel 0: expected 0 to 16, saw nan: mend"),
        (np.eye(2, 64) * 255, ValueError, "image 0, pixel 0: expected 0 to 16, saw 255.0"),
        (np.eye(2, 64) - 1, ValueError, "image 0, pixel 1: expected 0 to 16, saw -1.0"),
        (np.full((2, 64), "a"), TypeError, "array of numbers.* saw dtype <U1"),
        (np.full((2, 64), None), TypeError, "array of numbers.* saw dtype object"),
        ([[0] * 64], TypeError, r"a Shard or an array.* saw a value of type list"),
        ("dataset1.csv", TypeError, r"saw a value of type str: use read_shard\(path\)"),
        (None, TypeError, "saw a value of type NoneType"),
    ],
)
def test_what_is_no_batch_of_images(images: Any, error: type[Exception], message: str) -> None:
    """What was seen, what was expected and what to do, before the model is touched."""
    with pytest.raises(error, match=message):
        predict(train_model(), images)


@pytest.mark.parametrize(
    ("model", "seen"),
    [
        ("model", "a value of type str"),
        (None, "a value of type NoneType"),
        (train_model, "train_model itself"),
        (RandomForestClassifier, "RandomForestClassifier itself"),
    ],
)
def test_what_is_no_model(shards: list[Shard], model: Any, seen: str) -> None:
    """A name, a class or a function is not a trained model, and the error says how to get one."""
    with pytest.raises(TypeError, match=rf"saw {seen}, .* use model = train_model\(\)"):
        predict(model, shards[0])


def test_infer_shard_leaves_the_loop_free(shards: list[Shard]) -> None:
    """While the model works the loop runs other tasks: here one that lets the model end."""
    let_go = threading.Event()

    class Waiting:
        def predict(self, images: Any) -> Any:
            assert let_go.wait(timeout=30), "the loop was blocked"
            return np.arange(len(images))

    async def main(model: Model) -> Any:
        asyncio.get_running_loop().call_later(0.001, let_go.set)
        return await infer_shard(model, shards[0])

    assert asyncio.run(main(Waiting())).tolist() == list(range(100))


def test_infer_shard_agrees_with_predict_also_when_shared(shards: list[Shard]) -> None:
    """Ten threads share one model and each gets its own shard's labels, in order."""

    async def main() -> list[Any]:
        return await asyncio.gather(*(infer_shard(train_model(), shard) for shard in shards))

    for labels, shard in zip(asyncio.run(main()), shards, strict=True):
        assert (labels == predict(train_model(), shard)).all()


def test_importing_is_light() -> None:
    """Neither numpy nor scikit-learn is loaded before something needs them."""
    code = (
        "import sys, helpers.world.data, helpers.world.load, helpers.world.infer; "
        "sys.exit(str([m for m in ('numpy', 'sklearn', 'matplotlib') if m in sys.modules] or ''))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, check=False, capture_output=True)
    assert done.stderr.strip() == b""
